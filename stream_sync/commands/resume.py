"""`stream-sync resume`: a paused activation of a running service goes on."""

from __future__ import annotations

import argparse

from stream_sync.commands.pause import tell
from stream_sync.commands.running import add_running


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Tells a running service to go on with activations, all of them where none is named, that somebody "
        "paused or that have `paused: true`. A halt, or a schedule, is another matter."
    )
    add_running(parser)


def execute(args: argparse.Namespace) -> int:
    return tell(args, "resume")
