"""A real Kafka broker as a child process: one node, KRaft, on free ports of 127.0.0.1, data in a temporary folder.

Invariants:
- After `start` the broker answers; after `stop` its process and its data are gone.
- It never outlives the process that started it, not even a `kill -9` of that: a watcher holds one end of a pipe.
- `kill` and `restart` keep the data and the ports, so that clients find the same broker again.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.rig.jars import kafka_jars
from tests.rig.ports import free_port

START_LIMIT = 120.0
"""Seconds until a start counts as failed; about 4 are usual, on a crowded machine a minute."""
STOP_LIMIT = 20.0
CLUSTER_ID = "c3RyZWFtLXN5bmMtdGVzdA"

_WATCHER = 'read -r _; kill -9 "$1"; rm -rf "$2"'
"""Its standard input ends when the process that holds the other end is gone."""


class BrokerFailedError(Exception):
    """Kafka did not start; the message holds the end of its log."""


class KafkaServer:
    """`with KafkaServer() as server:` gives a broker at `server.bootstrap`.

    `properties` override or extend the broker's own (`{"auto.create.topics.enable": "true"}`). A broker that `follows`
    another is node 2 of its cluster: the other one is the controller. With `groups` the start makes it the coordinator
    of all groups where the cluster has none yet.
    """

    def __init__(
        self,
        properties: Mapping[str, str] | None = None,
        heap: str = "512m",
        follows: KafkaServer | None = None,
        *,
        groups: bool = True,
    ) -> None:
        self._properties = dict(properties or {})
        self._groups = groups
        self._follows = follows
        self._heap = heap
        self._port, self._controller_port = free_port(), free_port()
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Formats the data folder where it is new, starts the broker and returns when it answers."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="stream-sync-kafka-"))
            self._write_properties()
            self._run_to_end("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self._config))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                # In a session of its own, so that a terminal's Ctrl-C reaches the tests and not the broker first.
                [*self._java("kafka.Kafka"), str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHER, "watcher", str(self._process.pid), str(self._directory)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._wait_until_it_answers()

    def kill(self) -> None:
        """Ends the broker as a power cut would; `start` brings it back with what it had written."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stops the broker in order and starts it again: same address, same data."""
        self._end(signal.SIGTERM)
        self.start()

    def stop(self) -> None:
        """Ends the broker for good and removes its data. Can be called twice, and before `start`."""
        # What the data folder holds is thrown away, so there is nothing to close in order.
        self._end(signal.SIGKILL)
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    @property
    def _config(self) -> Path:
        assert self._directory is not None
        return self._directory / "server.properties"

    @property
    def _log(self) -> Path:
        assert self._directory is not None
        return self._directory / "kafka.log"

    def _write_properties(self) -> None:
        properties = {
            **self._roles(),
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": f"{self._config.parent / 'data'}",
            # A topic that nobody created is a fault of the service or the test: it must show.
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            # One, so that one look at start says that every group's coordinator is ready.
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "2",
            # Groups are ready at once, and fault tests may choose a session time-out far below the usual 6 s.
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "500",
            # After a kill the broker may not return before its old session has ended (9 s by default). On a crowded
            # machine it may miss a few heartbeats; fenced it would name no brokers, and clients of librdkafka stay so.
            "broker.session.timeout.ms": "5000",
            "broker.heartbeat.interval.ms": "250",
            **self._properties,
        }
        self._config.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))

    def _roles(self) -> dict[str, str]:
        own, controller = f"PLAINTEXT://127.0.0.1:{self._port}", f"127.0.0.1:{self._controller_port}"
        if self._follows is not None:
            voters = f"1@127.0.0.1:{self._follows._controller_port}"
            return {
                "process.roles": "broker", "node.id": "2", "listeners": own, "controller.quorum.voters": voters,
            }  # fmt: skip
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"{own},CONTROLLER://{controller}",
            "controller.quorum.voters": f"1@{controller}",
        }

    def _java(self, main: str) -> list[str]:
        logging = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
        # The second compiler takes a fifth of a test run's processor time, and a broker of minutes never earns it back.
        machine = ["-XX:+UseSerialGC", "-Xshare:auto", "-XX:TieredStopAtLevel=1"]
        memory = [f"-Xmx{self._heap}", f"-Xms{self._heap}"]
        return ["java", *memory, *machine, *logging, "-cp", f"{kafka_jars()}/*", main]

    def _run_to_end(self, main: str, *arguments: str) -> None:
        command = [*self._java(main), *arguments]
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise BrokerFailedError(f"{main} failed:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_LIMIT
        while not _listens(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BrokerFailedError(f"Kafka did not start:\n{self._log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.05)
        while self._groups and not _coordinates_groups(self.bootstrap):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BrokerFailedError(f"Kafka does not answer:\n{self._log.read_text(errors='replace')[-4000:]}")

    def _end(self, how: signal.Signals) -> None:
        if self._watcher is not None:
            # Before the broker: its process id may be another's once it is gone.
            self._watcher.kill()
            self._watcher.wait()
            _close(self._watcher.stdin)
            self._watcher = None
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.settimeout(1.0)
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def _coordinates_groups(bootstrap: str) -> bool:
    """The last thing to be ready: the topic of offsets is made for it, or loaded."""
    client = Consumer({"bootstrap.servers": bootstrap, "group.id": "is-it-ready", "log_level": 0})
    try:
        client.committed([TopicPartition("none", 0)], timeout=2.0)
    except KafkaException:
        return False
    finally:
        client.close()
    return True


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        pipe.close()
