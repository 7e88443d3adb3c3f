"""What the commands about letters (`dlq`, `held`) share: arguments, and how letters are shown.

Invariants: a key and a value are people's data: a hash stands for them unless `--show-values` is given.
"""

from __future__ import annotations

import argparse
import base64
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from stream_sync.commands.arguments import count, since
from stream_sync.commands.output import aligned, result
from stream_sync.kafka.put_aside import Letter
from stream_sync.replay.selection import Selection, hidden

LINES = 50


def add_selection(parser: argparse.ArgumentParser) -> None:
    """The filters."""
    parser.add_argument("--code", help="only letters with this code")
    parser.add_argument(
        "--since", type=since, metavar="D", help="only those not older than this (2h, 1d), or than a time (ISO 8601)"
    )
    parser.add_argument(
        "--key", metavar="TEXT", help="only those of the row with this key: a key column's value, or the #hash shown"
    )


def add_place(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """`--partition P --offset O`."""
    parser.add_argument("--partition", type=count, metavar="P", required=required, help="the letter's own partition")
    parser.add_argument("--offset", type=count, metavar="O", required=required, help="the letter's own offset")


def selection_of(args: argparse.Namespace) -> Selection:
    """The filters as given."""
    return Selection(args.code, args.since, args.key, getattr(args, "partition", None), getattr(args, "offset", None))


def as_object(letter: Letter, *, show: bool) -> dict[str, Any]:
    """A letter for scripts."""
    return {
        "partition": letter.partition,
        "offset": letter.offset,
        "open": letter.is_open,
        "code": letter.code,
        "stage": letter.stage,
        "status": int(letter.status) if letter.status.isdecimal() else None,
        "attempts": int(letter.attempts) if letter.attempts.isdecimal() else None,
        "failed_at": letter.failed_at,
        "message": letter.message,
        "source": {
            "topic": letter.source_topic,
            "partition": letter.source_partition,
            "offset": letter.source_offset,
        },
        "key": text_of(letter.key) if show else hidden(letter.key),
    }


def text_of(data: bytes | None) -> str | None:
    """Bytes for people: text where they are text, else base64."""
    if data is None:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(data).decode()}"
    return text if text.isprintable() else f"base64:{base64.b64encode(data).decode()}"


def tell_letters(letters: Iterable[Letter], *, show: bool) -> None:
    """A line each."""
    rows = [("letter", "failed at", "code", "status", "attempts", "source record", "key", "message")]
    rows += [
        (
            f"{letter.partition}/{letter.offset}",
            letter.failed_at,
            letter.code + ("" if letter.is_open else " (done)"),
            letter.status or "-",
            letter.attempts,
            f"{letter.source_topic} {letter.source_partition}/{letter.source_offset}",
            (text_of(letter.key) or "none") if show else hidden(letter.key),
            letter.message,
        )
        for letter in letters
    ]
    for line in aligned(rows):
        result(line)


def tell_counts(counts: Mapping[str, int], what: str, where: str) -> None:
    """How many there are, by code."""
    total = sum(counts.values())
    result(f"{total} {what}{'' if total == 1 else 's'} in {where}" + (":" if total > 0 else ""))
    for code, number in Counter(counts).most_common():
        result(f"  {number:>7}  {code}")
