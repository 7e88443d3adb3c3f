"""Letters: the first one of a partition is in Kafka before a second one is sent, so that no leader can take the second
alone: against librdkafka's own embedded broker, told to refuse one request as a leader does that is none yet."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from stream_sync.kafka.letter_topics import LetterTopic
from stream_sync.kafka.letters import Letters, Reason
from stream_sync.kafka.librdkafka import functions
from stream_sync.kafka.properties import admin_properties, producer_properties
from stream_sync.sandbox.mock_cluster import MockCluster
from tests.e2e.service import until
from tests.formats.reading import Held

TOPIC = LetterTopic("first.gold.dlq", 1, 1000)
REASON = Reason("gold", "TASK_PUT", "refused", "it was refused", None, 1)
PRODUCE, NOT_LEADER = 0, 6
COUNT = 50
LIMIT = 60


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster({TOPIC.name: TOPIC.partitions}) as cluster:
        yield cluster


def refuse_one_request(cluster: MockCluster) -> None:
    """The next produce request gets NOT_LEADER_OR_FOLLOWER."""
    pointer = ctypes.c_void_p
    library = functions(
        {
            "rd_kafka_handle_mock_cluster": (pointer, [pointer]),
            "rd_kafka_mock_push_request_errors_array": (
                None,
                [pointer, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)],
            ),
        }
    )
    handle = library.rd_kafka_handle_mock_cluster(cluster._client)
    library.rd_kafka_mock_push_request_errors_array(handle, PRODUCE, 1, (ctypes.c_int * 1)(NOT_LEADER))


def letters_to(cluster: MockCluster) -> Letters:
    """Each letter in a request of its own."""
    kafka = {"bootstrap.servers": cluster.bootstrap}
    alone = {"batch.num.messages": 1, "linger.ms": 0, "retry.backoff.ms": 200}
    return Letters(producer_properties(kafka | alone), admin_properties(kafka), print)


def keys_in(cluster: MockCluster) -> list[bytes]:
    """Of the letters, in their partition's order."""
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "nobody", "log_level": 0})
    try:
        consumer.assign([TopicPartition(TOPIC.name, 0, 0)])
        return [letter.key() or b"" for letter in consumer.consume(COUNT, LIMIT)]
    finally:
        consumer.close()


async def test_a_leader_that_refuses_only_the_first_request_cannot_lose_it(cluster: MockCluster) -> None:
    letters = letters_to(cluster)
    refuse_one_request(cluster)

    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
        for number in range(COUNT):
            group.create_task(letters.send(TOPIC, Held(b"value", b"%d" % number), REASON))
    letters.close()

    found = await asyncio.to_thread(keys_in, cluster)
    assert found[0] == b"0"
    assert sorted(found) == sorted(b"%d" % number for number in range(COUNT))


async def test_a_first_letter_whose_sender_is_gone_is_still_waited_for(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = letters_to(cluster)
    refuse_one_request(cluster)

    under_way, produce = asyncio.Event(), letters._produce

    async def begin(*letter: Any) -> KafkaError | None:
        under_way.set()
        return await produce(*letter)

    monkeypatch.setattr(letters, "_produce", begin)
    first = asyncio.create_task(letters.send(TOPIC, Held(b"value", b"0"), REASON))
    async with asyncio.timeout(LIMIT):
        await under_way.wait()
        assert first.cancel()
        async with asyncio.TaskGroup() as group:
            for number in range(1, COUNT):
                group.create_task(letters.send(TOPIC, Held(b"value", b"%d" % number), REASON))
    letters.close()

    found = await asyncio.to_thread(keys_in, cluster)
    assert found[0] == b"0"
    assert sorted(found) == sorted(b"%d" % number for number in range(COUNT))


async def test_a_client_that_cannot_be_made_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_sync.kafka.letters.RETRY_SECONDS", 0.001)
    monkeypatch.setattr("stream_sync.kafka.letters.open_topic", lambda *_: TOPIC.partitions)
    told: list[str] = []
    kafka = {"bootstrap.servers": "127.0.0.1:1", "security.protocol": "ssl", "ssl.ca.location": "/nowhere"}
    letters = Letters(producer_properties(kafka), {}, lambda event, **_: told.append(event))

    sending = asyncio.create_task(letters.send(TOPIC, Held(b"value", b"0"), REASON))
    await until(lambda: len(told) > 2 or sending.done(), "it is tried again and again")
    assert sending.cancel()

    assert set(told) == {"letter_not_written"}
