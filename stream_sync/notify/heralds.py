"""Where the notices of a lane go: to the activation's topic, and to the people whom the config names.

Invariants: nobody waits for either, and neither disturbs a lane; what an activation's `only` and `except` leave out is
in the topic all the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from stream_sync.codes import EVENTS
from stream_sync.config.notifying import Warnings
from stream_sync.config.settings import Config
from stream_sync.delivery.notices import Notice, Tell, is_urgent
from stream_sync.kafka.letter_topics import LetterTopic
from stream_sync.kafka.properties import admin_properties, producer_properties
from stream_sync.kafka.telling import Telling
from stream_sync.kafka.warned import RETENTION_MS, Warned, topic_of
from stream_sync.notify.post import Post
from stream_sync.notify.targets import open_target
from stream_sync.observability import logs

LOST_AGAIN_SECONDS = 60.0
_EVENTS = frozenset(event.code for event in EVENTS)


class Heralds:
    """Of one process; they share a producer and the targets. Used inside the running event loop."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._log = logs.logger().warning
        self._telling: Telling | None = None
        self._posts: dict[str, Post] = {}
        self._lost_at = float("-inf")

    def of(self, name: str, partitions: Callable[[], int]) -> Tell | None:
        """That of an activation; None where its warnings are off. `partitions`: how many its source has."""
        config = self._config
        warnings = config.activations[name].warnings
        if warnings is None:
            return None
        telling = self._telling
        if telling is None:
            telling = Telling(producer_properties(config.kafka), admin_properties(config.kafka), self._log)
            self._telling = telling
        post = None if warnings.notify is None else self._post(warnings.notify)

        def tell(notice: Notice) -> None:
            topic = LetterTopic(topic_of(config.name, name), max(1, partitions()), RETENTION_MS)
            telling.add(topic, _warned(name, notice, time.time()), self._lost)
            if post is not None and is_wanted(warnings, notice):
                post.take(name, notice)

        return tell

    async def close(self) -> None:
        """Sends and writes what waits, within a bounded time."""
        await asyncio.gather(*(post.close() for post in self._posts.values()))
        if self._telling is not None:
            await self._telling.close()

    def _post(self, target: str) -> Post:
        if target not in self._posts:
            settings = self._config.notify[target]
            log = logs.logger().warning
            self._posts[target] = Post(
                target, open_target(settings, self._config.name), settings.period, log, time.time
            )
        return self._posts[target]

    def _lost(self, count: int) -> None:
        if time.monotonic() - self._lost_at >= LOST_AGAIN_SECONDS:
            self._lost_at = time.monotonic()
            self._log("warnings_not_written", count=count)


def is_wanted(warnings: Warnings, notice: Notice) -> bool:
    """Whether it goes to people: halts always, what is urgent unless it is excepted."""
    if notice.code in _EVENTS:
        return True
    if notice.code in warnings.besides:
        return False
    return warnings.only is None or notice.code in warnings.only or is_urgent(notice)


def _warned(activation: str, notice: Notice, now: float) -> Warned:
    return Warned(
        at=utc(now),
        activation=activation,
        code=notice.code,
        name=notice.name,
        count=notice.count,
        first=utc(notice.first),
        last=utc(notice.last),
        records=notice.places,
        message=notice.message,
    )


def utc(seconds: float) -> str:
    """A moment as the topic has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
