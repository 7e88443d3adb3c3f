"""The embedded broker, as any client of Kafka meets it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from stream_sync.errors import StreamSyncError
from stream_sync.sandbox import broker as brokers
from stream_sync.sandbox.broker import Broker

TOPIC = "people"
LIMIT = 60.0
"""Seconds, of a machine that may stand still for ten."""


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    monkeypatch.setattr(brokers, "SECONDS", LIMIT)
    with Broker({TOPIC: 4, "empty": 2}) as running:
        yield running


def test_what_is_written_is_read_back(broker: Broker) -> None:
    for number in range(20):
        broker.write(TOPIC, b"%d" % number, b"value", (("reason", b"none"),))
    broker.write(TOPIC, b"gone", None)
    broker.flush()
    kept = broker.read(TOPIC)
    assert {record.key for record in kept} == {*(b"%d" % number for number in range(20)), b"gone"}
    assert {record.value for record in kept if record.headers == {"reason": b"none"}} == {b"value"}
    assert [record.value for record in kept if not record.headers] == [None]


def test_a_topic_has_the_partitions_asked_for(broker: Broker) -> None:
    topics = AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=LIMIT).topics
    assert {name: len(topic.partitions) for name, topic in topics.items()} == {TOPIC: 4, "empty": 2}
    assert broker.ends("empty") == {0: 0, 1: 0}
    assert broker.read("empty") == []


def test_records_of_one_key_keep_their_order(broker: Broker) -> None:
    for number in range(50):
        broker.write(TOPIC, b"one", b"%d" % number)
    broker.flush()
    assert [record.value for record in broker.read(TOPIC)] == [b"%d" % number for number in range(50)]


def test_a_group_starts_at_once_and_its_commits_are_seen(broker: Broker) -> None:
    broker.write(TOPIC, b"one", b"value")
    broker.flush()

    def first_takes(group: str) -> float:
        settings = {"bootstrap.servers": broker.bootstrap, "group.id": group, "enable.auto.commit": False}
        began = time.monotonic()
        with Consumer({**settings, "auto.offset.reset": "earliest"}) as consumer:
            consumer.subscribe([TOPIC])
            message = consumer.poll(LIMIT)
            assert message is not None
            took = time.monotonic() - began
            assert sum(broker.committed(group, TOPIC).values()) == 0
            consumer.commit(message=message, asynchronous=False)
        assert sum(broker.committed(group, TOPIC).values()) == 1
        assert broker.ends(TOPIC) == broker.committed(group, TOPIC)
        return took

    # A broker's own first wait for members takes 3 s, every time; a slow machine only now and then.
    assert any(first_takes(f"readers{number}") < 3 for number in range(5))


@pytest.mark.parametrize(
    "ask",
    [
        lambda broker: broker.ends(TOPIC),
        lambda broker: broker.committed("readers", TOPIC),
        lambda broker: broker.read(TOPIC),
        lambda broker: broker.flush(),
    ],
    ids=["ends", "committed", "read", "flush"],
)
def test_what_does_not_answer_is_told_in_words(
    ask: Callable[[Broker], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Broker({TOPIC: 1}, apart=True) as broker:
        assert broker._process is not None
        broker.write(TOPIC, b"one", b"value")
        broker._process.send_signal(signal.SIGSTOP)
        monkeypatch.setattr(brokers, "SECONDS", 0.3)
        try:
            with pytest.raises(StreamSyncError, match="the embedded broker no longer"):
                ask(broker)
        finally:
            broker._process.send_signal(signal.SIGCONT)


def test_it_is_gone_after_its_block() -> None:
    with Broker({TOPIC: 1}) as broker:
        client = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        client.list_topics(timeout=LIMIT)
    with pytest.raises(KafkaException):
        client.list_topics("new", timeout=0.2)
