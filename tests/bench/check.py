"""Compares a workspace's people with what they must be: `python -m tests.bench.check EXPECTED WORKSPACE_ADDRESS` ends
with 1 and the first differences where they differ. A process of its own, since it holds everybody twice.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from tests.bench.people import People, differences
from tests.bench.workspace import Workspace


def main() -> None:
    expected, workspace = sys.argv[1:]
    people = msgspec.json.decode(Path(expected).read_bytes(), type=People)
    if wrong := differences(people, Workspace(workspace).people()):
        sys.exit("\n".join(wrong))
    print(f"{len(people):,} people, all right")


if __name__ == "__main__":
    main()
