"""`stream-sync validate`: tells everything that is wrong with a config file, and with what it names."""

from __future__ import annotations

import argparse
import asyncio
import os

from stream_sync.commands.arguments import add_config
from stream_sync.commands.output import note, result, tell_finding, tell_warnings
from stream_sync.commands.statuses import DONE, FAILED
from stream_sync.config.load import Loaded, load
from stream_sync.config.problems import ConfigError, Problem, shown_place
from stream_sync.config.resolved import resolved
from stream_sync.config.settings import Config


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Checks the config file and tells every problem at once, with its line and what would be right. "
        "Exit status: 0 no problem, 1 something that --live asked did not answer, 2 a problem."
    )
    add_config(parser)
    parser.add_argument(
        "--live",
        action="store_true",
        help="also look at Kafka, the schema registry and each destination, without changing anything there",
    )
    parser.add_argument(
        "--resolved", action="store_true", help="print the config with every default filled in, secrets as ***"
    )


def execute(args: argparse.Namespace) -> int:
    loaded = load(args.config, os.environ)
    tell_warnings(str(args.config), loaded.warnings)
    if args.resolved:
        result(resolved(loaded.config).rstrip("\n"))
    tell = note if args.resolved else result
    summary = f"{args.config}: {_summary(loaded.config)}: no problems"
    if not args.live:
        tell(summary)
        return DONE
    unreached = _look(str(args.config), loaded)
    if unreached:
        tell(f"{summary}, as far as could be seen: {unreached} did not answer")
        return FAILED
    tell(f"{summary}, nor with what it names")
    return DONE


def _look(file: str, loaded: Loaded) -> int:
    """Tells what was found; how many did not answer. Raises ConfigError for problems."""
    from stream_sync.live.look import look  # noqa: PLC0415  the clients of Kafka and HTTP: a plain check needs none

    found = asyncio.run(look(loaded.config))
    found.sort(key=lambda finding: loaded.line(finding.place) or 0)
    told = [
        (finding.kind, Problem(shown_place(finding.place), loaded.line(finding.place), finding.message))
        for finding in found
    ]
    for kind in ("note", "unproven", "unreached"):
        for problem in (problem for each, problem in told if each == kind):
            tell_finding(file, kind, problem)
    if problems := [problem for kind, problem in told if kind == "problem"]:
        raise ConfigError(file, problems)
    return sum(kind == "unreached" for kind, _ in told)


def _summary(config: Config) -> str:
    parts = (("source", config.sources), ("destination", config.destinations), ("activation", config.activations))
    return ", ".join(f"{len(found)} {name}{'s' if len(found) != 1 else ''}" for name, found in parts)
