"""`stream-sync preview`: what `run` would make of real records, down to the requests; nothing is sent.

Invariants: values, keys and identifiers are people's data: shown only with `--show-values`.
"""

from __future__ import annotations

import argparse
import asyncio

from stream_sync.commands.arguments import add_activation, at_least_one, opened
from stream_sync.commands.output import note, result
from stream_sync.commands.previewed import as_json, lines
from stream_sync.commands.statuses import DONE
from stream_sync.rehearsal.preview import Shown, preview

LIMIT = 10


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Reads some of the oldest and newest records of an activation's topic and shows what each means: "
        "how its row stands to the segment and what decided that, and the requests that would be made. Sends nothing, "
        "commits nothing and joins no group. Values are hidden."
    )
    add_activation(parser)
    parser.add_argument("--limit", type=at_least_one, default=LIMIT, metavar="N", help=f"how many (default: {LIMIT})")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.add_argument("--show-values", action="store_true", help="show people's data: keys, identifiers and values")


def execute(args: argparse.Namespace) -> int:
    config = opened(args)
    shown = asyncio.run(preview(config, args.activation, args.limit))
    if args.json:
        result(as_json(shown, show=args.show_values))
        return DONE
    for example in shown.examples:
        for line in lines(shown, example, show=args.show_values):
            result(line)
        result("")
    _tell_end(shown)
    return DONE


def _tell_end(shown: Shown) -> None:
    found = shown.activated
    what = (
        f"{len(shown.examples)} of {shown.looked_at} records looked at in {found.source.topic}, one of each kind first"
    )
    note(f"{what}. Nothing was sent or committed.")
    if shown.compacted:
        note("The topic is compacted: it forgets changes, so every update is sent whole.")
    for code, count in shown.warnings.most_common():
        note(f"warning {code}: {count} times in the records looked at (docs/warnings.md says what it asks of you)")
