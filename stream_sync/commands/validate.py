"""`stream-sync validate`: tells everything that is wrong with a config file."""

from __future__ import annotations

import argparse
import os
from typing import Any

from stream_sync.commands.arguments import add_config
from stream_sync.commands.output import note, result, tell_warnings
from stream_sync.config.load import load
from stream_sync.config.resolved import resolved
from stream_sync.config.settings import Config


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "validate",
        help="check the config file; every problem at once",
        description="Checks the config file and tells every problem at once, with its line and what would be right.",
        allow_abbrev=False,
    )
    add_config(parser)
    parser.add_argument(
        "--resolved", action="store_true", help="print the config with every default filled in, secrets as ***"
    )


def execute(args: argparse.Namespace) -> int:
    loaded = load(args.config, os.environ)
    tell_warnings(str(args.config), loaded.warnings)
    if args.resolved:
        result(resolved(loaded.config).rstrip("\n"))
    (note if args.resolved else result)(f"{args.config}: {_summary(loaded.config)}: no problems")
    return 0


def _summary(config: Config) -> str:
    parts = (("source", config.sources), ("destination", config.destinations), ("activation", config.activations))
    return ", ".join(f"{len(found)} {name}{'s' if len(found) != 1 else ''}" for name, found in parts)
