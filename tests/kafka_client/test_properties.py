"""What librdkafka says goes the way of all log lines, never straight to stderr."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer

from stream_sync.kafka import client_log
from stream_sync.kafka.properties import admin_properties, consumer_properties, producer_properties

NOBODY = {"bootstrap.servers": "127.0.0.1:1"}
LIMIT = 60.0


@pytest.fixture(autouse=True)
def nothing_told() -> Iterator[None]:
    """The logger is the process's: its state must not come from another test, nor go to one."""
    client_log._SELDOM.news.forget()
    yield
    client_log.client_log({})
    logging.getLogger("librdkafka").setLevel(logging.NOTSET)


def test_librdkafkas_lines_are_log_lines(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    consumer = Consumer({**consumer_properties(NOBODY), "group.id": "nobody"})
    consumer.subscribe(["nothing"])
    deadline = time.monotonic() + LIMIT
    while not any(line.name == "librdkafka" and "127.0.0.1:1" in line.getMessage() for line in caplog.records):
        assert time.monotonic() < deadline
        consumer.consume(1, 0.1)
    consumer.close()
    assert capfd.readouterr().err == ""


def test_debug_lines_pass_where_the_config_asks_for_them() -> None:
    for properties in (consumer_properties, producer_properties, admin_properties):
        logger = logging.getLogger("librdkafka")
        logger.setLevel(logging.NOTSET)
        assert properties(NOBODY)["logger"] is logger
        assert logger.level == logging.NOTSET
        properties({**NOBODY, "debug": "broker"})
        assert logger.level == logging.DEBUG


def test_the_same_line_is_told_once_a_minute() -> None:
    now = 100.0
    seldom = client_log.Seldom(client_log.News(lambda: now))

    def passes(line: str) -> bool:
        return seldom.filter(logging.LogRecord("librdkafka", logging.ERROR, "", 0, line, None, None))

    refused = "FAIL [stream-sync#consumer-1] localhost:9092/bootstrap: Connection refused (after 0ms in state CONNECT)"
    assert passes(refused)
    assert not passes(refused.replace("0ms", "17ms").replace("consumer-1", "consumer-2"))
    assert passes(refused.replace("refused", "reset"))
    now += 60
    assert passes(refused)


def test_where_no_log_is_set_up_nothing_is_written() -> None:
    command = "from stream_sync.kafka.client_log import client_log; client_log({}).error('FAIL')"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(("lanes", "kilobytes"), [(1, 4096), (3, 4096), (6, 2048), (10, 1228), (40, 1024)])
def test_what_is_fetched_ahead_is_shared_by_the_lanes(lanes: int, kilobytes: int) -> None:
    assert consumer_properties(NOBODY, lanes)["queued.max.messages.kbytes"] == kilobytes
    wanted = {**NOBODY, "queued.max.messages.kbytes": 77}
    assert consumer_properties(wanted, lanes)["queued.max.messages.kbytes"] == 77
