"""Letters: what is wrong with a topic is told once for all who wait for it, not by each, and never passed over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stream_sync.errors import HaltError
from stream_sync.kafka import letters
from stream_sync.kafka.letter_topics import LetterTopic
from stream_sync.kafka.letters import Letters, Reason
from stream_sync.kafka.properties import admin_properties, producer_properties
from stream_sync.sandbox.mock_cluster import MockCluster
from tests.formats.reading import Held

TOPIC = LetterTopic("told.gold.held", 1, -1)
REASON = Reason("gold", "TASK_PUT", "delete_held", "a person decides", None, 0)


async def test_a_topic_that_is_not_seen_is_told_once_by_all_the_deletes_that_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    looks = 0
    again = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hidden(*_: Any) -> int:
        nonlocal looks
        looks += 1
        if looks > 1:
            loop.call_soon_threadsafe(again.set)
        raise TimeoutError

    monkeypatch.setattr(letters, "open_topic", hidden)
    put_aside = Letters({}, {}, lambda event, **_: told.append(event))
    record = Held(b"value", b"key")
    waiting = [asyncio.create_task(put_aside.send(TOPIC, record, REASON)) for _ in range(50)]
    async with asyncio.timeout(30):
        await again.wait()
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert set(told) == {"topic_not_seen"}
    assert len(told) <= looks


async def test_a_topic_that_the_first_letter_brought_about_must_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the service may create no topics, and the broker makes those that it is asked for."""
    answers: list[int | HaltError] = [0, 0, HaltError("held_topic_expires", "it would lose it")]

    def looked_at(*_: Any) -> int:
        answer = answers.pop(0)
        if isinstance(answer, HaltError):
            raise answer
        return answer

    monkeypatch.setattr(letters, "open_topic", looked_at)
    with MockCluster({TOPIC.name: TOPIC.partitions}) as cluster:
        properties = {"bootstrap.servers": cluster.bootstrap}
        put_aside = Letters(producer_properties(properties), admin_properties(properties), lambda *_, **__: None)
        with pytest.raises(HaltError, match="would lose it"):
            async with asyncio.timeout(60):
                await put_aside.send(TOPIC, Held(b"value", b"key"), REASON)
        put_aside.close()
    assert answers == []
