"""What answers mean at every vendor alike."""

from __future__ import annotations

import email.utils

import pytest
from multidict import CIMultiDict

from stream_sync.model import Halt, Retry, Throttled
from stream_sync.sinks.answers import MAX_WAIT, Speaker, usual, wait
from stream_sync.sinks.http import Failure, Reason, Reply

NOW = 1_800_000_000.0
ACME = Speaker(
    "Acme", {401: "the key is wrong"}, "https://acme.example", frozenset((420, 429)), ("X-Wait", "Retry-After")
)


def reply(status: int, **headers: str) -> Reply:
    return Reply(status, CIMultiDict({name.replace("_", "-"): text for name, text in headers.items()}), b"")


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (reply(420, X_Wait="3", Retry_After="4"), Throttled("rate_limited", 3.0)),
        (reply(429), Throttled("rate_limited")),
        (reply(408), Retry("request_timeout")),
        (reply(500), Retry("server_error")),
        (reply(503, Retry_After="7"), Retry("server_error", 7.0)),
        (reply(401), Halt("the key is wrong (HTTP 401)")),
    ],
)
def test_what_is_alike_everywhere(answer: Reply, meaning: object) -> None:
    assert usual(answer, ACME, NOW) == meaning


@pytest.mark.parametrize("reason", ["connect", "tls", "timeout", "reset", "protocol", "too_large"])
def test_what_fails_on_the_way_is_tried_again(reason: Reason) -> None:
    assert usual(Failure(reason), ACME, NOW) == Retry(reason)


@pytest.mark.parametrize("answer", [Failure("redirect"), reply(405), reply(407), reply(451)])
def test_whoever_else_answers_is_for_a_person_to_find(answer: Reply | Failure) -> None:
    halt = usual(answer, ACME, NOW)
    assert isinstance(halt, Halt)
    assert "url" in halt.reason


@pytest.mark.parametrize("status", [200, 204, 400, 404, 409, 413, 418, 422])
def test_the_rest_only_the_sink_can_tell(status: int) -> None:
    assert usual(reply(status), ACME, NOW) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("0", None),
        ("-5", None),
        ("", None),
        ("soon", None),
        ("1e400", None),
        ("٣", None),
        ("9" * 400, None),
        ("99999", MAX_WAIT),
        ("999999999999999", MAX_WAIT),
        (str(int(NOW) + 12), 12.0),
        (str(int(NOW) - 12), None),
        (email.utils.formatdate(NOW + 30, usegmt=True), 30.0),
        (email.utils.formatdate(NOW - 30, usegmt=True), None),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_how_long_to_wait(text: str, seconds: float | None) -> None:
    assert wait({"Retry-After": text}, NOW) == seconds


def test_moments_say_nothing_without_a_clock() -> None:
    assert wait({"Retry-After": email.utils.formatdate(NOW + 30, usegmt=True)}, None) is None
    assert wait({"Retry-After": str(int(NOW) + 12)}, None) is None
    assert wait({"Retry-After": "12"}, None) == 12.0
