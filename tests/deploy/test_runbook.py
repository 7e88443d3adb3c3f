"""The runbook has an entry for each alert, whole, and every command that it gives is one that there is."""

from __future__ import annotations

import argparse
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from stream_sync.cli import COMMANDS, parser_of
from tests.deploy.alerts import RUNBOOK, alerts
from tests.deploy.tools import run, tool

PARTS = ("**Users see:**", "**Causes:**", "**Do not**", "**Over when**")
ROUTINE = ("Upgrade", "Rollback", "Rotation of secrets", "Moving offsets", "Erasure of one person everywhere")
IN_A_POD = ["kubectl", "-n", "$NS", "exec", "deploy/stream-sync", "--"]
OPERATING = RUNBOOK.parents[1] / "docs" / "operating.md"
KAFKA_TOOLS = {
    "kafka-consumer-groups.sh": {
        "--describe", "--group", "--members", "--state", "--topic", "--reset-offsets", "--to-datetime", "--dry-run",
        "--execute",
    },
    "kafka-configs.sh": {"--describe", "--topic", "--all"},
    "kafka-acls.sh": {"--list", "--group"},
    "kafka-delete-records.sh": {"--offset-json-file"},
}  # fmt: skip
"""Kafka's own tools are not in its jars that the tests have: their options, from Kafka 4's documentation."""


@cache
def entries() -> dict[str, str]:
    """The text under each heading of an alert or a routine."""
    found = re.split(r"^#{1,2} (.+)$", RUNBOOK.read_text(), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def commands_of(text: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line and not re.match(r"[A-Z]+=", line)]


COMMAND_LINES = tuple(dict.fromkeys(line for text in entries().values() for line in commands_of(text)))


def steps(line: str) -> list[list[str]]:
    """The commands of a pipe, in words; what runs inside a pod without what leads there."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexer:
        if word == "|":
            found.append([])
        else:
            found[-1].append(word)
    return [words[len(IN_A_POD) :] if words[: len(IN_A_POD)] == IN_A_POD else words for words in found]


@pytest.mark.parametrize("alert", alerts())
def test_each_alert_has_an_entry_with_everything_that_one_asks_in_the_night(alert: str) -> None:
    text = entries()[alert]

    assert [part for part in PARTS if part not in text] == []
    assert len(commands_of(text)) == 3
    assert f"[{alert}](#{alert.lower()})" in RUNBOOK.read_text()


def test_what_is_done_now_and_then_has_its_entries() -> None:
    assert [name for name in ROUTINE if len(commands_of(entries()[name])) < 3] == []


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_each_command_is_one_that_there_is(line: str) -> None:
    for words in steps(line):
        match words:
            case ["stream-sync", *arguments]:
                assert_parsed(arguments)
            case ["kubectl", *arguments]:
                assert_kubectl_knows(arguments)
            case ["grep", *arguments]:
                assert_logged(arguments[-1])
            case [name, *arguments]:
                options = {word for word in arguments if word.startswith("--")} - {"--bootstrap-server"}
                assert options <= KAFKA_TOOLS[name]


def assert_parsed(arguments: list[str]) -> None:
    assert arguments[0] in COMMANDS
    try:
        parsed = parser_of(arguments[:1]).parse_args(arguments)
    except SystemExit:
        raise AssertionError("stream-sync does not take this") from None
    assert isinstance(parsed, argparse.Namespace)


def assert_kubectl_knows(arguments: list[str]) -> None:
    words = [word for word in arguments if not word.startswith("-") and "$" not in word]
    verb = words[:2] if words[0] in ("rollout", "top", "create") else words[:1]
    if verb[0] == "create":
        verb = words[:3]
    told = kubectl_says((*verb, "--help")) + kubectl_says(("options",))
    for option in (word.split("=")[0] for word in arguments if re.match(r"-{1,2}[A-Za-z]", word)):
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", told), f"kubectl {' '.join(verb)} has no {option}"


@cache
def kubectl_says(arguments: tuple[str, ...]) -> str:
    return run([tool("kubectl"), *arguments])


def assert_logged(pattern: str) -> None:
    """What is looked for in the log is what the log says, or a warning's code in it."""
    known = OPERATING.read_text()
    for word in pattern.split("|"):
        assert re.search(rf"`{re.escape(word)}\w*`", known), f"nothing in the log is called {word}"


def test_links_lead_somewhere() -> None:
    for page, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", RUNBOOK.read_text()):
        file: Path = RUNBOOK.parent / page if page else RUNBOOK
        assert file.exists(), page
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
