"""README.md keeps its word: its tutorial, typed as it stands, ends with the people it names; links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.rig.ports import free_port

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "deploy" / "README.md", *(ROOT / "docs").glob("*.md")]
FOLDER = "/tmp/mine"  # noqa: S108  the reader's, as the page has it; here another one stands for it
REFUSED = 'stream_sync_outcomes_total{activation="gold",outcome="rejected"} 1.0'
LIMIT = 180.0
"""Seconds for any one thing, on a slow machine under load."""


class Tutorial:
    """The shell blocks of the tutorial, with free ports and a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        section = README.split("\n## Your own table in the sandbox", 1)[1].split("\n## ", 1)[0]
        self.sandbox, self.kafka, self.admin = free_port(), free_port(), free_port()
        self._folder = folder
        own = {"8900": str(self.sandbox), "9092": str(self.kafka), FOLDER: str(folder)}
        text = re.sub("|".join(own), lambda found: own[found[0]], section)
        text = text.replace(
            "--table members.csv", f"--table members.csv --port {self.sandbox} --kafka-port {self.kafka}"
        )
        text = text.replace("name: tutorial", f"name: tutorial\nadmin: {{port: {self.admin}}}")
        text = text.replace(". .venv/bin/activate", f"PATH={Path(sys.executable).parent}:$PATH")
        self.blocks: list[str] = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)

    @contextmanager
    def terminal(self, block: str) -> Iterator[None]:
        """A terminal in which a block goes on until Ctrl-C."""
        process = subprocess.Popen(
            ["bash", "-ec", block], cwd=self._folder, start_new_session=True, stdout=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise

    def run(self, block: str) -> str:
        """What a block says, that ends by itself, well or not."""
        return subprocess.run(
            ["bash", "-ec", block], cwd=self._folder, capture_output=True, text=True, timeout=LIMIT, check=False
        ).stdout

    def people(self) -> dict[str, str]:
        """Who is in the workspace: first name to tier."""
        address = f"http://127.0.0.1:{self.sandbox}/sandbox/braze/mine/people"
        try:
            with urllib.request.urlopen(address) as answer:
                people = json.load(answer)["people"]
        except OSError:
            return {}
        return {person["first_name"]: person["custom_attributes"]["tier"] for person in people}

    def has_letter(self) -> bool:
        """Whether one row was refused for good and its letter is in Kafka, as the service counts it."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as answer:
                return REFUSED in answer.read().decode().splitlines()
        except OSError:
            return False


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    tutorial = Tutorial(tmp_path)
    sandbox, service, change, replay = tutorial.blocks
    listing, *mending, replaying = replay.splitlines()
    in_place = f"PATH={Path(sys.executable).parent}:$PATH; "
    with ExitStack() as terminals:
        terminals.enter_context(tutorial.terminal(sandbox))
        until(lambda: _answers(tutorial.sandbox) and _listens(tutorial.kafka))
        terminals.enter_context(tutorial.terminal(service))
        until(lambda: tutorial.people() == {"Anna": "gold", "Zoë": "gold"})
        tutorial.run(change)
        until(lambda: tutorial.people() == {"Ben": "gold", "Zoë": "gold"})
        until(tutorial.has_letter)
        until(lambda: "1  email_bad_format" in tutorial.run(in_place + listing))
        tutorial.run("\n".join(mending))
        until(lambda: "1  delivered" in tutorial.run(in_place + replaying))  # a slow sandbox sees the mended row late


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/sandbox").close()
    except OSError:
        return False
    return True


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


def anchors(text: str) -> set[str]:
    """Those of a page's titles, as forges make them."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_is_listed() -> None:
    linked = set(re.findall(r"\]\((docs/[a-z-]+\.md)\)", README))
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} == linked
