"""Arguments that several commands have, and the config that they name.

Invariants: what cannot be meant is told as the config's problems are: exit status 2.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
from pathlib import Path

from stream_sync.config.load import load
from stream_sync.config.problems import ConfigError, Problem, did_you_mean
from stream_sync.config.secrets import secrets_in
from stream_sync.config.settings import Config
from stream_sync.config.values import parse_duration
from stream_sync.observability import logs


def add_config(parser: argparse.ArgumentParser) -> None:
    """`-c FILE`, as `args.config`."""
    parser.add_argument("-c", "--config", metavar="FILE", type=Path, required=True, help="the config file (YAML)")


def add_activation(parser: argparse.ArgumentParser) -> None:
    """`-c FILE --activation NAME`, for `opened`."""
    add_config(parser)
    parser.add_argument("--activation", metavar="NAME", required=True, help="of which activation")


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


def duration(text: str) -> float:
    """The `type=` of an argument like `--timeout 5m`; seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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


def at_least_one(text: str) -> int:
    """As `count`, from 1 on."""
    if (number := count(text)) == 0:
        raise argparse.ArgumentTypeError(f"{number} is too few; give 1 or more")
    return number
