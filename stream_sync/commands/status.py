"""`stream-sync status`: what the lanes of a running service do."""

from __future__ import annotations

import argparse
import os

import msgspec

from stream_sync.admin.views import Lane
from stream_sync.commands.output import aligned, result
from stream_sync.commands.running import Running, add_running
from stream_sync.config.load import load

HEAD = ("activation", "state", "lag", "in memory", "freshness", "limit", "limited by", "held", "letters", "next run")
UNKNOWN = "-"


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "State, lag, freshness, limits, held deletes and open dead letters of each lane of one process."
    )
    add_running(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document, as `GET /api/lanes` has it")


def execute(args: argparse.Namespace) -> int:
    answer = Running(args, load(args.config, os.environ).config).lanes()
    if args.json:
        result(msgspec.json.encode(answer).decode())
        return 0
    for line in aligned([HEAD, *(row(lane) for lane in answer.lanes)]):
        result(line)
    return 0


def row(lane: Lane) -> tuple[str, ...]:
    """One lane as a line of the table, in the order of `HEAD`."""
    state = lane.state if lane.reason is None else f"{lane.state} ({lane.reason})"
    if lane.paused and lane.state != "paused":  # it does not go on either when the other reason is gone
        state = f"{state}, paused"
    fresh = lane.freshness
    return (
        lane.activation,
        state,
        str(lane.lag),
        str(lane.pending),
        UNKNOWN if fresh is None else f"{_seconds(fresh.median)}, p95 {_seconds(fresh.p95)}",
        lane.limits.rate_limit or UNKNOWN,
        "destination down" if lane.limits.destination_down else lane.limits.limited_by or UNKNOWN,
        UNKNOWN if lane.held is None else str(lane.held),
        UNKNOWN if lane.open_letters is None else str(lane.open_letters),
        lane.next_run or UNKNOWN,
    )


def _seconds(value: float) -> str:
    return f"{value:.1f} s"
