"""`stream-sync pause`: a running service takes and sends nothing for an activation until it is resumed."""

from __future__ import annotations

import argparse
import os

from stream_sync.admin.views import Done
from stream_sync.commands.output import result
from stream_sync.commands.running import Running, add_running
from stream_sync.config.load import load


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Tells a running service to pause activations, all of them where none is named. What is in flight "
        "ends, the backlog stays in Kafka. One process is told; a restart begins as the config says (`paused`)."
    )
    add_running(parser)


def execute(args: argparse.Namespace) -> int:
    return tell(args, "pause")


def tell(args: argparse.Namespace, verb: str) -> int:
    """Tells each activation that was asked for, where the process runs it; exit status."""
    running = Running(args, load(args.config, os.environ).config)
    for lane in running.lanes().lanes:
        done = running.post(lane.activation, verb, Done)
        result(f"{done.activation}: {'paused' if done.paused else 'not paused'}, was {done.state}")
    return 0
