"""`stream-sync warnings`: what the lanes of an activation warned of, read from its topic.

Invariants: reads only; the topic holds no person's data, so nothing is hidden.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
from collections.abc import Iterable

import msgspec

from stream_sync.commands.arguments import add_activation, count, opened, since
from stream_sync.commands.letters import LINES
from stream_sync.commands.output import aligned, note, result
from stream_sync.config.settings import Config
from stream_sync.kafka.forward import Forward
from stream_sync.kafka.properties import consumer_properties
from stream_sync.kafka.warned import Warned, topic_of, warnings

HEAD = ("code", "name", "times", "first", "last", "for instance", "message")


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "What a person should know although nothing failed, and halts, from the topic of an activation."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="a line for each code and name, the latest last", allow_abbrev=False)
    add_activation(listing)
    listing.add_argument("--code", help="only this one")
    listing.add_argument(
        "--since", type=since, metavar="D", help="only those not older than this (2h, 1d), or than a time (ISO 8601)"
    )
    listing.add_argument("--limit", type=count, default=LINES, metavar="N", help=f"lines at most (default: {LINES})")
    listing.add_argument("--json", action="store_true", help="one JSON document: every record of the topic")


def execute(args: argparse.Namespace) -> int:
    config = opened(args)
    topic = topic_of(config.name, args.activation)
    found = [
        each
        for each in asyncio.run(_read(config, topic, args.since))
        if args.code in (None, each.code) and (args.since is None or each.last >= args.since)
    ]
    if args.json:
        result(json.dumps({"topic": topic, "warnings": [msgspec.to_builtins(each) for each in found]}, indent=2))
        return 0
    lines = summed(found)
    total = sum(each.count for each in lines)
    result(f"{total} warning{'' if total == 1 else 's'} in {topic}" + (":" if lines else ""))
    if lines:
        shown = lines[-args.limit :] if args.limit else []
        for line in aligned([HEAD, *(row(each) for each in shown)]):
            result(line)
        note("what each means, and what to do: docs/warnings.md")
    return 0


async def _read(config: Config, topic: str, begin: str | None) -> list[Warned]:
    forward = Forward(consumer_properties(config.kafka), topic, topic)
    try:
        since_ms = None if begin is None else int(dt.datetime.fromisoformat(begin).timestamp() * 1000)
        return [each async for each in warnings(forward, since_ms)]
    finally:
        await forward.close()


def summed(found: Iterable[Warned]) -> list[Warned]:
    """One for each code, name and message, in the order of when they were last told."""
    sums: dict[tuple[str, str, str], Warned] = {}
    for each in found:
        key = (each.code, each.name, each.message)
        older = sums.pop(key, None)
        if older is not None:
            each = msgspec.structs.replace(  # noqa: PLW2901  the sum of it and those before
                each,
                count=older.count + each.count,
                first=min(older.first, each.first),
                last=max(older.last, each.last),
                records=older.records or each.records,
            )
        sums[key] = each
    return sorted(sums.values(), key=lambda each: each.last)


def row(warned: Warned) -> tuple[str, ...]:
    """One line of the table, in the order of `HEAD`."""
    place = warned.records[0] if warned.records else None
    return (
        warned.code,
        warned.name or "-",
        str(warned.count),
        warned.first,
        warned.last,
        "-" if place is None else f"{place.topic} {place.partition}/{place.offset}",
        warned.message,
    )
