"""A producer whose records time out is replaced, and the old one's thread ends."""

from __future__ import annotations

import threading

from confluent_kafka import KafkaError, Message, Producer

from stream_sync.kafka.lasting import LastingProducer

LIMIT = 30.0
NAME = "kafka-lasting-test"


def undelivered(client: Producer) -> KafkaError:
    """The error of a record that nobody takes."""
    errors: list[KafkaError | None] = []
    answered = threading.Event()

    def delivered(error: KafkaError | None, _message: Message) -> None:
        errors.append(error)
        answered.set()

    client.produce("topic", b"value", on_delivery=delivered)
    assert answered.wait(LIMIT)
    assert errors[0] is not None
    return errors[0]


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def test_a_client_whose_records_time_out_is_replaced() -> None:
    producer = LastingProducer({"bootstrap.servers": "127.0.0.1:1", "message.timeout.ms": 100, "log_level": 0}, NAME)
    first = producer.client
    assert producer.client is first
    (firsts,) = threads()
    error = undelivered(first)

    producer.failed(first, error)
    second = producer.client
    producer.failed(first, error)  # late news of the old one

    assert second is not first
    assert producer.client is second
    producer.failed(second, KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
    assert producer.client is second
    firsts.join(LIMIT)
    assert len(threads()) == 1
    producer.close()
