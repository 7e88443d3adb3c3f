"""Consumers that join a group and leave it again within half a second, one after the other, and read nothing."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Self

from confluent_kafka import Consumer

LONGEST = 0.5
"""Seconds of a visit, and of the pause after it."""


class Visitors:
    """`async with Visitors(…) as visitors:` they come and go until its end; a thread of its own."""

    def __init__(self, bootstrap: str, group: str, topic: str, session: float, seed: int) -> None:
        """`session`: seconds."""
        self._properties = {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": int(session * 1000),
            "heartbeat.interval.ms": 200,
            "enable.auto.commit": False,
            "log_level": 0,
        }
        self._topic = topic
        self._dice = random.Random(seed)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.visits = 0

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while not self._stopping.is_set():
            visitor = Consumer(self._properties)
            visitor.subscribe([self._topic])
            visitor.poll(self._dice.uniform(0, LONGEST))
            visitor.close()
            self.visits += 1
            self._stopping.wait(self._dice.uniform(0, LONGEST))
