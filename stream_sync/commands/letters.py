"""What the commands about letters (`dlq`, `held`) share: arguments, and how letters are shown.

Invariants: a key and a value are people's data: a hash stands for them unless `--show-values` is given.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from stream_sync.commands.arguments import add_config
from stream_sync.commands.output import result
from stream_sync.config.load import load
from stream_sync.config.problems import ConfigError, Problem, did_you_mean
from stream_sync.config.secrets import secrets_in
from stream_sync.config.settings import Config
from stream_sync.config.values import parse_duration
from stream_sync.kafka.put_aside import Letter
from stream_sync.observability import logs
from stream_sync.replay.selection import Selection, hidden

LINES = 50
SENT = ", {task.fields[sent]} people sent"


def add_common(parser: argparse.ArgumentParser) -> None:
    """`-c FILE --activation NAME`."""
    add_config(parser)
    parser.add_argument("--activation", metavar="NAME", required=True, help="whose letters")


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


def since(text: str) -> str:
    """The `type=` of `--since`; a time as letters have it."""
    try:
        moment = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError) as error:
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{error}; or write a time as 2026-11-22T10:00:00Z") from None
        moment = moment.replace(tzinfo=moment.tzinfo or dt.UTC).astimezone(dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def since_ms(text: str) -> int:
    """As `since`, in milliseconds since the epoch."""
    return int(dt.datetime.fromisoformat(since(text)).timestamp() * 1000)


def count(text: str) -> int:
    """The `type=` of a whole number."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def selection_of(args: argparse.Namespace) -> Selection:
    """The filters as given."""
    return Selection(args.code, args.since, args.key, getattr(args, "partition", None), getattr(args, "offset", None))


def opened(args: argparse.Namespace) -> Config:
    """The config; the activation is one of it, and logs hide its secrets."""
    config = load(args.config, os.environ).config
    if args.activation not in config.activations:
        message = f"'{args.activation}' is no activation{did_you_mean(args.activation, config.activations)}"
        raise wrong(args, "--activation", message)
    logs.configure(sys.stderr, [secret.reveal() for secret in secrets_in(config)])
    return config


def wrong(args: argparse.Namespace, place: str, message: str) -> ConfigError:
    """A command line that cannot be meant: exit status 2."""
    return ConfigError(str(args.config), [Problem(place, None, message)])


class Watching:
    """Shows on a terminal how far it is; see `desk.Watch`."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", read=0, sent=0, total=None)
        self._read = self._sent = 0

    def read(self, count: int) -> None:
        """See `desk.Watch`."""
        self._read += count
        self._progress.update(self._task, read=self._read)

    def sent(self, count: int) -> None:
        """See `desk.Watch`."""
        self._sent += count
        self._progress.update(self._task, sent=self._sent)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Shows nothing while somebody is asked."""
        self._progress.stop()
        yield
        self._progress.start()


@contextmanager
def watching(*, sends: bool = True) -> Iterator[Watching]:
    """Shows how far it is while the block runs, where somebody watches. `sends`: whether anybody is sent."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.fields[read]} records read" + SENT * sends))
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield Watching(progress)


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


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
