"""Arguments that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path

from stream_sync.config.values import parse_duration


def add_config(parser: argparse.ArgumentParser) -> None:
    """`-c FILE`, as `args.config`."""
    parser.add_argument("-c", "--config", metavar="FILE", type=Path, required=True, help="the config file (YAML)")


def duration(text: str) -> float:
    """The `type=` of an argument like `--timeout 5m`; seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
