"""The tests' own Kafka does what the tests rely on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from tests.rig.client import Kafka, Outgoing
from tests.rig.server import KafkaServer

_CHILD = """
from tests.rig.server import KafkaServer
server = KafkaServer()
server.start()
print(server._process.pid, server._directory, flush=True)
input()
"""


def test_what_is_written_is_read_back_with_headers_partition_and_null_values(kafka: Kafka, prefix: str) -> None:
    topic = kafka.create_topic(prefix, partitions=3)
    written = [
        Outgoing(b"a", b"1", [("h", b"x"), ("h", None)], partition=2, timestamp=1_700_000_000_000),
        Outgoing(b"a", None, partition=2),
        Outgoing(None, b"3", partition=0),
    ]

    assert kafka.produce(topic, written) == 3

    read = sorted(kafka.read_all(topic), key=lambda record: (-(record.partition() or 0), record.offset() or 0))
    assert [(record.key(), record.value(), record.partition()) for record in read] == [
        (b"a", b"1", 2),
        (b"a", None, 2),
        (None, b"3", 0),
    ]
    assert read[0].headers() == [("h", b"x"), ("h", None)]
    assert read[0].timestamp()[1] == 1_700_000_000_000
    assert kafka.end_offsets(topic) == {0: 1, 1: 0, 2: 2}


def test_a_group_without_commits_has_no_committed_offsets(kafka: Kafka, prefix: str) -> None:
    topic = kafka.create_topic(prefix)

    assert kafka.committed(f"{prefix}.group", topic) == {}


def test_committed_offsets_and_their_metadata_are_seen(kafka: Kafka, prefix: str) -> None:
    topic = kafka.create_topic(prefix, partitions=2)
    group = f"{prefix}.group"
    member = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group})
    member.commit(offsets=[TopicPartition(topic, 1, 42, "a note")], asynchronous=False)
    member.close()

    assert kafka.committed(group, topic) == {1: 42}
    assert kafka.committed_metadata(group, topic) == {1: "a note"}


def test_an_acknowledged_record_survives_a_kill_and_a_restart() -> None:
    with KafkaServer() as server:
        kafka = Kafka(server.bootstrap)
        topic = kafka.create_topic("survivors")
        kafka.produce(topic, [Outgoing(b"k", b"before the kill")])

        server.kill()
        server.start()
        kafka.produce(topic, [Outgoing(b"k", b"after the kill")])
        server.restart()

        assert [record.value() for record in kafka.read_all(topic)] == [b"before the kill", b"after the kill"]


def test_a_broker_never_outlives_the_process_that_started_it() -> None:
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        process, directory = child.stdout.readline().split()

        child.send_signal(signal.SIGKILL)
        child.wait()

        deadline = time.monotonic() + 60
        while (_alive(int(process)) or Path(directory).exists()) and time.monotonic() < deadline:
            os.sched_yield()
    assert not _alive(int(process))
    assert not Path(directory).exists()


def _alive(process: int) -> bool:
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
