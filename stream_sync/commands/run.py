"""`stream-sync run`: the service."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from stream_sync.app import Result, Service
from stream_sync.commands import allocator, collector
from stream_sync.commands.arguments import add_config, duration
from stream_sync.commands.output import note, tell_failure, tell_warnings
from stream_sync.commands.statuses import DONE, FAILED, LANE_HALTED
from stream_sync.config.load import load
from stream_sync.config.problems import ConfigError, Problem
from stream_sync.config.secrets import secrets_in
from stream_sync.config.settings import Config
from stream_sync.observability import logs
from stream_sync.wiring import RunOptions


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = "Runs the activations of a config until SIGTERM or Ctrl-C."
    add_config(parser)
    parser.add_argument(
        "--activation", action="append", default=[], metavar="NAME", help="only this one; may be given several times"
    )
    parser.add_argument(
        "--until-caught-up",
        action="store_true",
        help="end when everything that is in the topics now is delivered; exit status 3 if a lane is halted then",
    )
    parser.add_argument(
        "--timeout",
        type=duration,
        metavar="D",
        help="with --until-caught-up: end after this long (10s, 5m …) with exit status 1 if it is not done",
    )
    parser.add_argument(
        "--from-start", action="store_true", help="read the topics from their beginning again, whatever is committed"
    )
    parser.add_argument(
        "--accept-gap",
        action="store_true",
        help="go on where changes were lost to the topic's retention (a halt with offset_lost)",
    )


def execute(args: argparse.Namespace) -> int:
    loaded = load(args.config, os.environ)
    config = loaded.config
    _check_names(args, config)
    allocator.tune()
    logs.configure(sys.stderr, [secret.reveal() for secret in secrets_in(config)])
    tell_warnings(str(args.config), loaded.warnings)
    options = RunOptions(
        tuple(dict.fromkeys(args.activation)), args.until_caught_up, args.timeout, args.from_start, args.accept_gap
    )
    return _tell(asyncio.run(_run(config, options)), options)


async def _run(config: Config, options: RunOptions) -> Result:
    logs.hear_loop(asyncio.get_running_loop())
    service = Service(config, options)
    service.on_signals()
    return await service.run(collector.tune)


def _check_names(args: argparse.Namespace, config: Config) -> None:
    problems = [
        Problem("--activation", None, f"'{name}' is no activation; there are: {', '.join(config.activations)}")
        for name in args.activation
        if name not in config.activations
    ]
    if args.timeout is not None and not args.until_caught_up:
        problems.append(Problem("--timeout", None, "goes with --until-caught-up"))
    if problems:
        raise ConfigError(str(args.config), problems)


def _tell(result: Result, options: RunOptions) -> int:
    for activation, reason in result.halted.items():
        note(f"activation {activation} is halted: {reason}")
    if not options.until_caught_up:
        return DONE
    if result.timed_out or result.stopped:
        why = "the time was over" if result.timed_out else "it was stopped"
        tell_failure(f"{why} before everything was delivered; run again to go on where this run ended")
        return FAILED
    return LANE_HALTED if result.halted else DONE
