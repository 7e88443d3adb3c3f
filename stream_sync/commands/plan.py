"""`stream-sync plan`: what a config, new or edited, would do with the history that Kafka holds; nothing is sent.

Invariants:
- The result goes to stdout, progress to a terminal only. Exit status 0 whatever the plan says.
- Nothing of anybody's data is shown: numbers, names of the config and codes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stream_sync.commands import collector
from stream_sync.commands.arguments import add_config, since_ms
from stream_sync.commands.output import note, result, tell_warnings
from stream_sync.commands.planned import facts, lines
from stream_sync.commands.statuses import DONE
from stream_sync.config.load import Loaded, load
from stream_sync.config.problems import ConfigError, Problem, did_you_mean
from stream_sync.config.secrets import secrets_in
from stream_sync.observability import logs
from stream_sync.rehearsal.outlook import plan


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Reads the retained history of the activations' topics once and says what a config, or an edit of "
        "one, would do: inserts, updates, deletes against their budget, dead letters, requests, and who would be left "
        "behind. Sends nothing, commits nothing and joins no group."
    )
    add_config(parser)
    parser.add_argument("--against", metavar="OLD", type=Path, help="the config as it is, to compare with")
    parser.add_argument(
        "--since",
        type=since_ms,
        metavar="D",
        help="only what came to Kafka so long ago at most (7d, 12h), or since a time (ISO 8601); default: all there is",
    )
    parser.add_argument(
        "--activation", action="append", default=[], metavar="NAME", help="only this one; may be given several times"
    )
    parser.add_argument("--json", action="store_true", help="for scripts")


def execute(args: argparse.Namespace) -> int:
    new = load(args.config, os.environ)
    old = None if args.against is None else load(args.against, os.environ)
    names = _names(args, new)
    hidden = [secret.reveal() for each in (new, old) if each is not None for secret in secrets_in(each.config)]
    logs.configure(sys.stderr, hidden)
    tell_warnings(str(args.config), new.warnings)
    collector.tune()
    with _watching() as watching:
        outlooks = asyncio.run(plan(new.config, None if old is None else old.config, names, args.since, watching))
    gone = [] if old is None or args.activation else [n for n in old.config.activations if n not in names]
    found = facts(outlooks, gone, args.since)
    if args.json:
        result(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return DONE
    for line in lines(found):
        result(line)
    note("Nothing was sent or committed.")
    return DONE


def _names(args: argparse.Namespace, new: Loaded) -> Sequence[str]:
    there = new.config.activations
    problems = [
        Problem("--activation", None, f"'{name}' is no activation{did_you_mean(name, there)}")
        for name in args.activation
        if name not in there
    ]
    if problems:
        raise ConfigError(str(args.config), problems)
    return tuple(dict.fromkeys(args.activation)) or tuple(there)


class _Watching:
    """See `rehearsal.outlook.Watch`."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("reading", total=None)

    def begin(self, total: int) -> None:
        """See `Watch`."""
        self._progress.update(self._task, total=total)

    def passed(self, count: int) -> None:
        """See `Watch`."""
        self._progress.advance(self._task, count)


@contextmanager
def _watching() -> Iterator[_Watching]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield _Watching(progress)
