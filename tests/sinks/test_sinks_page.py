"""docs/sinks.md tells the truth: its sink is one file and one line, and keeps the contract from outside the package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from stream_sync.contract.subject import Subject
from stream_sync.sinks.base import Sink

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sinks.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w.]+)`[^\n]*:\n\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
CONFIG = """\
name: acme
kafka: {bootstrap.servers: localhost:9092}
sources: {customers: {topic: t, key: [id], before: full, types: {"*": json}}}
destinations:
  acme: {type: acme, url: "http://localhost:1", api_key: canary}
activations:
  everybody:
    source: customers
    destination: acme
    mode: mirror
    identifier: {email: email}
    fields: [first_name, NAME]
    deletes: {max: 10, per: 1h}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the page's distribution is installed, as pip would have done it."""
    site = tmp_path_factory.mktemp("site")
    for name, text in FILES.items():
        (site / name).write_text(text, encoding="utf-8")
    (site / "pytest.ini").write_text("[pytest]\n")  # or pytest takes what it finds in a folder above
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    lines = [
        line
        for group, points in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    return site


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "200"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=site, env=environ, capture_output=True, text=True, timeout=300, check=False)


def test_the_page_s_sink_keeps_the_contract_from_outside_the_package(site: Path) -> None:
    ran = run(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error", "test_acme.py")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"4\d passed, 6 skipped", ran.stdout), ran.stdout


@pytest.mark.parametrize(("name", "status"), [("last_name", 0), ("Last_Name", 2)])
def test_one_line_makes_it_a_type_of_the_config(site: Path, name: str, status: int) -> None:
    (site / "acme.yaml").write_text(CONFIG.replace("NAME", name))
    ran = run(site, "-m", "stream_sync", "validate", "-c", "acme.yaml")
    assert ran.returncode == status, ran.stdout + ran.stderr
    assert ("Acme's fields are" in ran.stdout + ran.stderr) is bool(status)


def test_the_page_s_code_is_as_tidy_as_ours() -> None:
    for name, text in FILES.items():
        if name.endswith(".py"):
            command = [sys.executable, "-m", "ruff", "format", "--check", "--stdin-filename", name, "-"]
            ran = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False)
            assert ran.returncode == 0, ran.stderr


def test_every_part_of_a_sink_and_of_a_subject_is_told() -> None:
    parts = [name for of in (Sink, Subject) for name in vars(of) if not name.startswith("_")]
    annotated = [name for of in (Sink, Subject) for name in of.__annotations__]
    told = set(re.findall(r"`(\w+)`", PAGE))
    assert {*parts, *annotated} - told == set()
