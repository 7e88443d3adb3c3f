"""`stream-sync sandbox`: the destinations, simulated on this machine; with `--table` a Kafka with a table of one's own.

Invariants: everything listens on this machine only, unless `--host` says otherwise for the destinations.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from pydantic_core import PydanticCustomError

from stream_sync.commands.output import note, result
from stream_sync.config.values import Rate
from stream_sync.errors import StreamSyncError
from stream_sync.sandbox.broker import Broker
from stream_sync.sandbox.debezium import Written
from stream_sync.sandbox.entrance import Entrance
from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.own_table import OwnTable, TableError
from stream_sync.sandbox.server import VENDORS, Sandbox

PORT, KAFKA_PORT = 8900, 9092
HERE = "127.0.0.1"
PARTITIONS = 4
LOOK_SECONDS = 0.5
"""How often the file of the table is looked at."""


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Simulates the destinations on this machine, as strict as their documents, until Ctrl-C. Point a "
        "destination's `url` at http://127.0.0.1:PORT/braze/NAME: every name is a workspace of its own."
    )
    parser.add_argument(
        "--table",
        type=Path,
        metavar="FILE",
        help="also run a Kafka broker with this table in a topic, as Debezium writes it: CSV with a first line of "
        "names, or JSON lines (.jsonl); every save of the file becomes row changes",
    )
    parser.add_argument("--table-key", metavar="COLUMN", help="the table's key (default: its first column)")
    parser.add_argument(
        "--kafka-port",
        type=_port,
        metavar="N",
        default=KAFKA_PORT,
        help=f"of that broker; 0 = any free one (default: {KAFKA_PORT})",
    )
    parser.add_argument("--host", default=HERE, help="address to listen on (default: this machine only)")
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
    table = None if args.table is None else OwnTable(args.table, args.table_key)
    sandbox = Sandbox(
        args.host, args.port, keys=dict(args.key), rate_limit=args.rate_limit, journal=args.journal, faults=faults
    )
    asyncio.run(_serve(sandbox, table, args.kafka_port))
    return 0


async def _serve(sandbox: Sandbox, table: OwnTable | None, kafka_port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as running:
        try:
            await running.enter_async_context(sandbox)
        except OSError as error:
            _cannot_listen(error, "--port")
        result(f"Sandbox on {sandbox.url}")
        for vendor in VENDORS:
            result(f"  {vendor}: {sandbox.address(vendor, 'NAME')}")
        if table is None:
            await stop.wait()
            return
        broker = running.enter_context(Broker({table.table.topic: PARTITIONS}))
        try:
            entrance = await running.enter_async_context(Entrance(HERE, kafka_port, broker.bootstrap))
        except OSError as error:
            _cannot_listen(error, "--kafka-port")
        result(f"Kafka on {entrance.address}")
        await _play(table, broker, stop)


async def _play(table: OwnTable, broker: Broker, stop: asyncio.Event) -> None:
    """Writes the table's rows, then its changes, until `stop`."""
    topic = table.table.topic

    def write(records: Iterable[Written]) -> None:
        for record in records:
            broker.write(topic, record.key, record.value, record.headers)
        broker.flush()

    await asyncio.to_thread(write, table.snapshot())
    result(f"  topic {topic}: {len(table):,} rows, key {table.key}")
    while not stop.is_set():
        try:
            if saved := await asyncio.to_thread(table.look):
                await asyncio.to_thread(write, saved.records)
                result(f"  topic {topic}: {saved.words}")
        except TableError as error:
            note(f"not taken: {error}")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_SECONDS)


def _cannot_listen(error: OSError, option: str) -> NoReturn:
    raise StreamSyncError(f"cannot listen: {error.strerror}; choose another {option}, or 0 for any free one") from error


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
