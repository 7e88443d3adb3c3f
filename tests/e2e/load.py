"""A stage's table that changes all the time, whatever happens to Kafka meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import random
import zlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

from confluent_kafka import Message, Producer

from stream_sync.sandbox.debezium import Written
from tests.e2e.service import until
from tests.e2e.stage import Stage

PAUSE = 0.02
"""Seconds between two changes."""


class Load:
    """Changes of the people `p0` to `p<people>`, each always in the same of the first `partitions`."""

    def __init__(self, stage: Stage, partitions: int, people: int = 30, seed: int = 1) -> None:
        self._table = stage.table
        self._topic = stage.topic
        self._partitions = partitions
        self._people = people
        self._dice = random.Random(seed)
        self._lost: list[str] = []
        # Idempotent: what a broker took before it was killed must not be in the topic twice and out of order.
        self._producer = Producer(
            {
                "bootstrap.servers": stage.kafka.bootstrap,
                "enable.idempotence": True,
                "message.timeout.ms": 60_000,
                "topic.metadata.refresh.interval.ms": 500,
                "log_level": 0,
            }
        )

    def write(self, changes: Iterable[Written]) -> None:
        """Further changes, in order with the others."""
        for record in changes:
            place = zlib.crc32(record.key) % self._partitions
            headers: list[Any] = list(record.headers)
            self._producer.produce(
                self._topic, record.value, record.key, place, on_delivery=self._delivered, headers=headers
            )

    async def flush(self) -> None:
        """Returns when Kafka has everything."""
        assert await asyncio.to_thread(self._producer.flush, 60) == 0
        assert self._lost == []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everybody is there, and then changes go on until the end, when Kafka has all of them."""
        for number in range(self._people):
            self.write(self._table.insert(f"p{number}", name=f"Name {number}"))
        changing = asyncio.create_task(self._change())
        try:
            yield
        finally:
            changing.cancel()
            await asyncio.wait((changing,))
        await self.flush()

    async def _change(self) -> None:
        while True:
            who = f"p{self._dice.randrange(self._people)}"
            if who not in self._table.rows:
                self.write(self._table.insert(who, name="Back"))
            elif self._dice.random() < 0.03:
                self.write(self._table.delete(who))
            else:
                self.write(self._table.update(who, score=self._dice.randrange(1000)))
            self._producer.poll(0)
            await asyncio.sleep(PAUSE)

    def _delivered(self, error: Any, _message: Message) -> None:
        if error is not None:
            self._lost.append(str(error))


async def flows(stage: Stage, requests: int = 10) -> None:
    """Returns when so many more requests came."""
    before = len(stage.journal.entries)
    await until(lambda: len(stage.journal.entries) >= before + requests, "changes flow")


async def settled(stage: Stage) -> None:
    """Returns when the destination is as the table says, and all of it is committed."""
    await until(lambda: stage.wrong == [], "all are as the table says")
    await until(lambda: stage.is_committed_to_the_end, "all is committed")
