"""The way of the data is the way of the folders: the import rules hold, and they would notice."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_the_import_rules_hold() -> None:
    run = lint_imports(ROOT)

    assert run.returncode == 0, run.stdout


INTRUDERS = (
    ("formats", "stream_sync.kafka", "offsets"),
    ("delivery", "stream_sync.sinks", "http"),
    ("routing", "stream_sync.sinks", "base"),
    ("sinks", "", "aiohttp"),
    ("delivery", "", "confluent_kafka"),
    ("config", "stream_sync.kafka", "offsets"),
    ("commands", "stream_sync.sandbox", "intruded"),
    ("kafka", "", "structlog"),
    ("rehearsal", "stream_sync.kafka", "letters"),
)
"""Where a module imports what it may not: from where, and what."""


@pytest.fixture(scope="module")
def noticed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said of the sources with all of these, each in a module of its own that nobody imports."""
    root = tmp_path_factory.mktemp("intruded")
    shutil.copytree(ROOT / "stream_sync", root / "stream_sync", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "stream_sync/sandbox/intruded.py").touch()
    for number, (folder, package, name) in enumerate(INTRUDERS):
        line = f"from {package} import {name}" if package else f"import {name}"
        (root / "stream_sync" / folder / f"intruder_{number}.py").write_text(f"{line}\n")

    run = lint_imports(root)

    assert run.returncode == 1
    return run.stdout


@pytest.mark.parametrize("number", range(len(INTRUDERS)), ids=lambda number: "-".join(filter(None, INTRUDERS[number])))
def test_a_wrong_import_is_noticed(number: int, noticed: str) -> None:
    folder, package, name = INTRUDERS[number]
    imported = f"{package}.{name}" if package else name
    assert f"stream_sync.{folder}.intruder_{number} -> {imported} " in noticed
