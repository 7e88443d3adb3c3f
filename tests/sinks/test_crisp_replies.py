from __future__ import annotations

import json
from typing import Any

import pytest
from multidict import CIMultiDict

from stream_sync.model import DELIVERED, Halt, Rejected, Retry, Throttled
from stream_sync.sinks.answers import MAX_WAIT
from stream_sync.sinks.crisp_replies import Meaning, Special, read
from stream_sync.sinks.http import Failure, Reason, Reply

SECRET = "anna@example.com"


def meaning(status: int, reason: Any = None, **headers: str) -> Meaning:
    """`reason`: Crisp's word, or a body as bytes."""
    envelope = {"error": status >= 400, "reason": reason, "data": {"message": SECRET}}
    raw = reason if isinstance(reason, bytes) else json.dumps(envelope).encode()
    return read(Reply(status, CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}), raw))


@pytest.mark.parametrize(("status", "reason"), [(200, "updated"), (201, "added"), (200, "deleted"), (204, b"")])
def test_done(status: int, reason: Any) -> None:
    assert meaning(status, reason) is DELIVERED


def test_the_two_that_only_the_caller_can_judge() -> None:
    assert meaning(404, "people_not_found") is Special.UNKNOWN_PERSON
    assert meaning(409, "people_exists") is meaning(409, b"<html>") is Special.TAKEN


@pytest.mark.parametrize("reason", ["not_found", "website_not_found", None, 5, b"", b"<html>", b"[]", b'"x"', b"\xff"])
def test_any_other_404_halts(reason: Any) -> None:
    assert isinstance(meaning(404, reason), Halt)


@pytest.mark.parametrize("status", [420, 422, 423, 429])
@pytest.mark.parametrize("reason", ["rate_limited", "", None, b"", b"<html>"])
def test_every_dialect_of_too_many(status: int, reason: Any) -> None:
    assert meaning(status, reason) == Throttled("rate_limited")
    assert meaning(status, reason, Retry_After="7") == Throttled("rate_limited", 7.0)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("99999", MAX_WAIT), ("0", None), ("-5", None), ("soon", None), ("", None), ("٣", None), ("1e5", None)],
)
def test_how_long_to_wait(said: str, seconds: float | None) -> None:
    assert meaning(429, "rate_limited", Retry_After=said) == Throttled("rate_limited", seconds)


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (400, "invalid_data", "invalid_data"),
        (422, "invalid_data", "invalid_data"),
        (400, "whatever", "bad_request"),
        (400, b"<html>", "bad_request"),
        (412, "precondition", "bad_request"),
        (413, b"<html>", "too_large"),
        (414, b"", "too_large"),
        (431, b"", "too_large"),
    ],
)
def test_a_person_is_refused_and_nothing_is_repeated(status: int, reason: Any, code: str) -> None:
    outcome = meaning(status, reason)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.status) == (code, status)
    assert "example" not in str(outcome)


@pytest.mark.parametrize("status", [401, 402, 403, 405, 407, 410, 415, 451])
@pytest.mark.parametrize("reason", ["invalid_session", SECRET, b"<html>"])
def test_what_a_person_must_mend_halts(status: int, reason: Any) -> None:
    outcome = meaning(status, reason)
    assert isinstance(outcome, Halt)
    assert str(status) in outcome.reason
    assert "example" not in outcome.reason


def test_a_halt_names_what_to_check() -> None:
    for status, word in ((401, "`tier`"), (403, "website:people:data"), (404, "`website_id`")):
        assert word in str(meaning(status, "x"))
    assert "redirect" in str(read(Failure("redirect")))


@pytest.mark.parametrize("status", [500, 502, 503, 520])
@pytest.mark.parametrize("reason", ["internal_error", b"<html>"])
def test_a_broken_server_is_tried_again(status: int, reason: Any) -> None:
    assert meaning(status, reason) == Retry("server_error")
    assert meaning(status, reason, Retry_After="7") == Retry("server_error", 7.0)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"error":true,"reason":"x"}', b'{"error":', b"[" * 100_000])
def test_so_is_a_2xx_that_is_not_crisp_s(body: bytes) -> None:
    assert meaning(200, body) == Retry("unexpected_reply")


@pytest.mark.parametrize("reason", ["connect", "tls", "timeout", "reset", "protocol", "too_large"])
def test_so_are_failures_of_the_network(reason: Reason) -> None:
    assert read(Failure(reason)) == Retry(reason)
