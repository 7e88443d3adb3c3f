"""`stream-sync sandbox`: the destinations, simulated on this machine."""

from __future__ import annotations

import argparse
import asyncio
import signal
from typing import Any

import msgspec
from pydantic_core import PydanticCustomError

from stream_sync.commands.output import result
from stream_sync.config.values import Rate
from stream_sync.errors import StreamSyncError
from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import VENDORS, Sandbox

PORT = 8900


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "sandbox",
        help="the destinations, simulated on this machine",
        description="Simulates the destinations on this machine, as strict as their documents, until Ctrl-C. Point a "
        "destination's `url` at http://127.0.0.1:PORT/braze/NAME: every name is a workspace of its own.",
        allow_abbrev=False,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=_port, default=PORT, help=f"0 = any free port (default: {PORT})")
    parser.add_argument("--rate-limit", type=_rate, metavar="N/DURATION", help="answer 429 above it, e.g. 3000/3s")
    parser.add_argument("--journal", action="store_true", help="keep every request in the order it came (costs memory)")
    parser.add_argument(
        "--key",
        type=_key,
        action="append",
        default=[],
        metavar="WORKSPACE=KEY",
        help="the only API key that the workspace takes; repeatable (default: any)",
    )
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="KNOB=VALUE",
        help="something to go wrong, e.g. throttle=0.1 or reject='[\"42\"]'; repeatable. Knobs: "
        + " ".join(Faults.__struct_fields__),
    )


def execute(args: argparse.Namespace) -> int:
    try:
        faults = msgspec.convert(dict(args.fault), Faults)
    except msgspec.ValidationError as error:
        raise StreamSyncError(f"--fault: {error}; see `stream-sync sandbox --help` for the knobs") from error
    sandbox = Sandbox(
        args.host, args.port, keys=dict(args.key), rate_limit=args.rate_limit, journal=args.journal, faults=faults
    )
    asyncio.run(_serve(sandbox))
    return 0


async def _serve(sandbox: Sandbox) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await sandbox.__aenter__()
    except OSError as error:
        raise StreamSyncError(
            f"cannot listen: {error.strerror}; choose another --port, or 0 for any free one"
        ) from error
    try:
        result(f"Sandbox on {sandbox.url}")
        for vendor in VENDORS:
            result(f"  {vendor}: {sandbox.address(vendor, 'NAME')}")
        await stop.wait()
    finally:
        await sandbox.__aexit__()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give 0 to 65535")
    return int(text)


def _rate(text: str) -> Rate:
    try:
        return Rate.of(text)
    except PydanticCustomError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _key(text: str) -> tuple[str, str]:
    workspace, found, key = text.partition("=")
    if not (workspace and found and key):
        raise argparse.ArgumentTypeError("write WORKSPACE=KEY")
    return workspace, key


def _fault(text: str) -> tuple[str, Any]:
    """A knob and its value, which is JSON, or plain text."""
    knob, found, value = text.partition("=")
    if not (found and knob in Faults.__struct_fields__):
        raise argparse.ArgumentTypeError(f"{knob!r} is not a knob; there are {' '.join(Faults.__struct_fields__)}")
    try:
        return knob, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return knob, value
