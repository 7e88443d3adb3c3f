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


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("formats/intruder.py", "from stream_sync.kafka import offsets"),
        ("delivery/intruder.py", "from stream_sync.sinks import http"),
        ("routing/intruder.py", "from stream_sync.sinks import base"),
        ("sinks/intruder.py", "import aiohttp"),
        ("delivery/intruder.py", "import confluent_kafka"),
        ("config/intruder.py", "from stream_sync.kafka import offsets"),
        ("commands/intruder.py", "from stream_sync.sandbox import intruded"),
        ("kafka/intruder.py", "import structlog"),
        ("rehearsal/intruder.py", "from stream_sync.kafka import letters"),
    ],
)
def test_a_wrong_import_is_noticed(module: str, line: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "stream_sync", tmp_path / "stream_sync", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "stream_sync/sandbox/intruded.py").touch()
    (tmp_path / "stream_sync" / module).write_text(f"{line}\n")

    run = lint_imports(tmp_path)

    assert run.returncode == 1
    assert "stream_sync." + module.removesuffix(".py").replace("/", ".") in run.stdout
