"""The fixed port before the embedded broker."""

from __future__ import annotations

import asyncio

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from stream_sync.sandbox import broker as brokers
from stream_sync.sandbox.broker import Broker
from stream_sync.sandbox.entrance import Entrance
from tests.rig.ports import refusing_port

QUIET = {"log_level": 0}
LIMIT = 60.0
"""Seconds, of a machine that may stand still for ten."""


def write(address: str) -> set[str]:
    """One record, by way of an address; the topics seen there."""
    producer = Producer({"bootstrap.servers": address, **QUIET})
    producer.produce("people", b"value", b"key")
    assert producer.flush(LIMIT) == 0
    return set(AdminClient({"bootstrap.servers": address, **QUIET}).list_topics(timeout=LIMIT).topics)


async def test_clients_find_the_broker_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "SECONDS", LIMIT)
    with Broker({"people": 1}) as broker:
        async with Entrance("127.0.0.1", 0, broker.bootstrap) as entrance:
            assert entrance.address != broker.bootstrap
            assert await asyncio.to_thread(write, entrance.address) == {"people"}
        assert [record.value for record in await asyncio.to_thread(broker.read, "people")] == [b"value"]


async def test_a_broker_that_is_gone_ends_the_connection() -> None:
    with refusing_port() as gone:
        async with Entrance("127.0.0.1", 0, f"127.0.0.1:{gone}") as entrance:
            host, _, port = entrance.address.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            assert await asyncio.wait_for(reader.read(), LIMIT) == b""
            writer.close()


async def test_a_port_that_is_taken_is_an_error() -> None:
    async with Entrance("127.0.0.1", 0, "127.0.0.1:1") as entrance:
        port = int(entrance.address.rpartition(":")[2])
        with pytest.raises(OSError, match="use"):
            await Entrance("127.0.0.1", port, "127.0.0.1:1").__aenter__()
