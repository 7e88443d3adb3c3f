"""A question to Kafka that fails for a while is asked again; one that the credentials do not allow is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException

from stream_sync.kafka import questions


def failing(code: int, times: int) -> tuple[list[int], Callable[[], str]]:
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        if len(asked) <= times:
            raise KafkaException(KafkaError(code))
        return "the answer"

    return asked, ask


@pytest.mark.parametrize(
    "code",
    [KafkaError._TRANSPORT, KafkaError._UNKNOWN_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError._TIMED_OUT],
)
def test_what_passes_is_asked_again(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "INSIST_PAUSE", 0.0)
    asked, ask = failing(code, times=3)

    assert questions.insist(ask) == "the answer"
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("code", "seconds"), [(KafkaError.GROUP_AUTHORIZATION_FAILED, 30.0), (KafkaError._TRANSPORT, -1)]
)
def test_what_stays_is_raised(code: int, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "INSIST_SECONDS", seconds)
    asked, ask = failing(code, times=9)

    with pytest.raises(KafkaException):
        questions.insist(ask)
    assert len(asked) == 1
