"""What librdkafka says goes the way of all log lines, never straight to stderr."""

from __future__ import annotations

import logging
import time

import pytest
from confluent_kafka import Consumer

from stream_sync.kafka.properties import admin_properties, consumer_properties, producer_properties

NOBODY = {"bootstrap.servers": "127.0.0.1:1"}
LIMIT = 10.0


def test_librdkafkas_lines_are_log_lines(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    consumer = Consumer({**consumer_properties(NOBODY), "group.id": "nobody"})
    consumer.subscribe(["nothing"])
    deadline = time.monotonic() + LIMIT
    while not (lines := [line for line in caplog.records if line.name == "librdkafka"]):
        assert time.monotonic() < deadline
        consumer.consume(1, 0.1)
    consumer.close()
    assert "127.0.0.1:1" in lines[0].getMessage()
    assert capfd.readouterr().err == ""


def test_debug_lines_pass_where_the_config_asks_for_them() -> None:
    for properties in (consumer_properties, producer_properties, admin_properties):
        logger = logging.getLogger("librdkafka")
        logger.setLevel(logging.NOTSET)
        assert properties(NOBODY)["logger"] is logger
        assert logger.level == logging.NOTSET
        properties({**NOBODY, "debug": "broker"})
        assert logger.level == logging.DEBUG
        logger.setLevel(logging.NOTSET)
