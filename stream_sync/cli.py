"""The command line: finds the command, runs it, and turns what went wrong into words and an exit status.

Invariants:
- A command is one module of `commands/` with `add(parser)`, which says what it takes, and `execute(args)`, which gives
  the exit status; its line in `COMMANDS` is all that is needed besides. Only the module of the command asked for is
  imported, so a small command starts quickly whatever the others need.
- Exit status: 0 done; 1 failed; 2 the command line or the config is wrong; 3 (`run --until-caught-up` only) a lane
  halted; 130 Ctrl-C and 143 SIGTERM, where there was nothing to end in order.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Collection, Sequence
from importlib.metadata import version
from types import ModuleType

from stream_sync.commands.output import tell_config_error, tell_defect, tell_failure
from stream_sync.commands.statuses import FAILED, INTERRUPTED, TERMINATED, WRONG
from stream_sync.config.problems import ConfigError
from stream_sync.errors import StreamSyncError

COMMANDS = {
    "run": "run the service",
    "validate": "check the config file; every problem at once",
    "types": "propose the `types:` of a source whose JSON has no schema",
    "explain": "why a person is as they are: every record of their row, and what became of it",
    "resync": "send people's newest state once more",
    "preview": "show what would be sent for real records, and why",
    "plan": "say what a config would do, from the history that Kafka holds",
    "dlq": "dead letters: list, show, replay",
    "held": "parked deletes: list, release, discard",
    "warnings": "what an activation warned of",
    "status": "what the lanes of a running service do",
    "pause": "an activation takes and sends nothing until it is resumed",
    "resume": "a paused activation goes on",
    "sandbox": "the destinations, simulated on this machine",
    "demo": "everything on this machine: a warehouse, Kafka, Braze, Voyado, Crisp and the service",
}
"""Each with what it does, in a few words: `--help` imports none of them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        # As without it, but the first process of a container hears only of what it has a handler for. `run` and others
        # that serve have their own, once their imports, of a second, are done.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(TERMINATED))
    try:
        args = parser_of(given[:1]).parse_args(given)
        return int(_module(args.command).execute(args))
    except ConfigError as error:
        tell_config_error(error)
        return WRONG
    except StreamSyncError as error:
        tell_failure(str(error))
        return FAILED
    except Exception as error:  # noqa: BLE001  Python would show what the exception says: it may be a row's value
        tell_defect(error)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _module(command: str) -> ModuleType:
    return importlib.import_module(f"stream_sync.commands.{command}")


def parser_of(asked: Collection[str]) -> argparse.ArgumentParser:
    """Of the command line; of the commands only those asked for are known with what they take."""
    parser = argparse.ArgumentParser(
        prog="stream-sync",
        description="Keeps Braze, Voyado Engage and Crisp in step with a data warehouse, from row changes on Kafka.",
        epilog="`stream-sync COMMAND --help` says more about one command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"stream-sync {version('stream-sync')}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, summary in COMMANDS.items():
        its_own = subparsers.add_parser(command, help=summary, allow_abbrev=False)
        if command in asked:
            _module(command).add(its_own)
    return parser
