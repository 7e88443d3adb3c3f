"""Programs that are not of this project and that some tests need: found, or the test is skipped with one clear line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
LIMIT = 120.0
"""Seconds."""


# Those of the tests' own environment first, which need not be on the PATH.
_PATH = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))


def tool(name: str) -> str:
    """The path of a program; skips the test where it is not there."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        how = "Kubernetes has packages of it" if name == "kubectl" else "`make tools` installs it, on a Debian as root"
        pytest.skip(f"{name} is not installed: {how}")
    return found


def run(command: Sequence[str | Path], limit: float = LIMIT) -> str:
    """What a program says; fails the test, with that, where it does not end with 0."""
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=limit
    )
    assert ended.returncode == 0, f"{Path(command[0]).name} failed:\n{ended.stdout}{ended.stderr}"
    return ended.stdout
