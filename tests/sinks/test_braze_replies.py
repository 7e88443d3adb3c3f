from __future__ import annotations

import json
from typing import Any

import pytest
from multidict import CIMultiDict

from stream_sync.model import DELIVERED, Halt, Outcome, Rejected, Retry, Throttled
from stream_sync.sinks.braze_replies import read, read_delete
from stream_sync.sinks.http import Failure, Reason, Reply

NOW = 1_800_000_000.0
ALL_BAD = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."
SECRET = "anna@example.com"


def reply(status: int, body: Any = None, **headers: str) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}), raw)


def outcomes(answer: Reply | Failure, count: int = 3) -> list[Outcome | None]:
    return read(answer, count, "users.track", NOW)


def error(index: Any, text: Any = "EMAIL_BAD_FORMAT", array: str = "attributes") -> dict[str, Any]:
    return {"type": text, "input_array": array, "index": index}


def codes(answer: Reply, count: int = 3) -> list[str | None]:
    """Codes of the rejected; `ok` for the delivered, None for those to be sent again."""
    return [
        outcome.code if isinstance(outcome, Rejected) else "ok" if outcome == DELIVERED else None
        for outcome in outcomes(answer, count)
    ]


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("message", ["success", "queued"])
def test_accepted(status: int, message: str) -> None:
    assert outcomes(reply(status, {"message": message, "attributes_processed": 3})) == [DELIVERED] * 3
    assert outcomes(reply(status, {"message": message, "errors": []})) == [DELIVERED] * 3


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", {}, {"message": 1}, {"message": "hello"}, b'{"message']
)
def test_a_2xx_that_is_not_braze_s_is_an_unknown_outcome(body: Any) -> None:
    assert outcomes(reply(200, body)) == [Retry("unexpected_reply")] * 3


def test_errors_are_of_the_rows_they_name() -> None:
    errors = [error(2), error(2, "other"), error(0, "'external_id' must be fewer than 988 bytes")]
    answer = reply(201, {"message": "success", "attributes_processed": 1, "errors": errors})
    assert codes(answer) == ["external_user_id_too_large", "ok", "email_bad_format"]
    rejected = outcomes(answer)[2]
    assert isinstance(rejected, Rejected)
    assert rejected.status == 201


@pytest.mark.parametrize(
    "text",
    ["EMAIL_BAD_FORMAT", "The value provided for the 'email' field is not a valid email.", "BAD_LOCATION_UPDATE"],
)
def test_what_braze_documents_is_repeated(text: str) -> None:
    (outcome,) = outcomes(reply(400, {"message": ALL_BAD, "errors": [error(0, text)]}), 1)
    assert isinstance(outcome, Rejected)
    assert text in outcome.message


@pytest.mark.parametrize("text", [f"{SECRET} is not wanted", SECRET.upper(), 5, None, [SECRET], {"a": SECRET}])
def test_any_other_text_is_a_rejection_and_is_not_repeated(text: Any) -> None:
    (outcome,) = outcomes(reply(201, {"message": "success", "errors": [error(0, text)]}), 1)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "braze_error"
    assert "example" not in outcome.message.lower()


@pytest.mark.parametrize(
    "errors",
    [
        "EMAIL_BAD_FORMAT",
        ["EMAIL_BAD_FORMAT"],
        {"type": "EMAIL_BAD_FORMAT"},
        [{"type": "EMAIL_BAD_FORMAT"}],
        [[1]],
        [error(None)],
        [error("0")],
        [error(True)],
        [error(99)],
        [error(-1)],
        [error(0, array="events")],
    ],
)
@pytest.mark.parametrize("status", [201, 400])
def test_an_error_that_names_nobody_is_looked_for_in_smaller_requests(errors: Any, status: int) -> None:
    answer = reply(status, {"message": "success" if status == 201 else ALL_BAD, "errors": errors})
    assert codes(answer) == [None] * 3
    assert codes(answer, 1)[0] in ("email_bad_format", "braze_error")


def test_rows_named_beside_an_error_that_names_nobody_are_decided() -> None:
    assert codes(reply(201, {"message": "success", "errors": [error(1), "odd"]})) == [None, "email_bad_format", None]


def test_a_400_where_all_rows_are_named_rejects_all_and_one_that_names_some_sends_the_others_again() -> None:
    assert codes(reply(400, {"message": ALL_BAD, "errors": [error(0), error(1), error(2)]})) == ["email_bad_format"] * 3
    assert codes(reply(400, {"message": ALL_BAD, "errors": [error(0)]})) == ["email_bad_format", None, None]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply(400, b"<html>"), "bad_request"),
        (reply(400, {"message": "The request body is not valid JSON."}), "bad_request"),
        (reply(400, {"message": "Max input length exceed"}), "too_large"),
        (reply(400, {"message": "Max Input Length Exceeded"}), "too_large"),
        (reply(413, b"<html>"), "too_large"),
        (reply(422, {"message": "no"}), "bad_request"),
    ],
)
def test_a_refusal_of_the_whole_request_is_looked_for_in_smaller_ones(answer: Reply, code: str) -> None:
    assert codes(answer) == [None] * 3
    assert codes(answer, 1) == [code]


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 407, 410, 415, 451])
def test_what_a_person_must_mend_halts_and_echoes_nothing(status: int) -> None:
    answer = reply(status, {"message": f"Invalid API key: {SECRET}"})
    outcome = outcomes(answer)[0]
    assert outcomes(answer) == [outcome] * 3
    assert isinstance(outcome, Halt)
    assert str(status) in outcome.reason
    assert "example" not in outcome.reason


def test_a_halt_names_what_to_check() -> None:
    def reason(status: int) -> str:
        outcome = outcomes(reply(status))[0]
        assert isinstance(outcome, Halt)
        return outcome.reason

    assert "`api_key`" in reason(401)
    assert "users.track" in reason(403)
    assert "`url`" in reason(404)
    assert "redirect" in str(outcomes(Failure("redirect"))[0])


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 520])
def test_a_broken_server_is_tried_again(status: int) -> None:
    assert outcomes(reply(status)) == [Retry("server_error")] * 3
    assert outcomes(reply(status, Retry_After="7"))[0] == Retry("server_error", 7.0)


def test_so_are_time_outs_and_statuses_nobody_knows() -> None:
    assert outcomes(reply(408))[0] == Retry("request_timeout")
    assert outcomes(reply(418))[0] == Retry("unexpected_reply")


@pytest.mark.parametrize("reason", ["connect", "tls", "timeout", "reset", "protocol", "too_large"])
def test_so_are_failures_of_the_network(reason: Reason) -> None:
    assert outcomes(Failure(reason)) == [Retry(reason)] * 3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-Ratelimit-Retry-After": "3"}, 3.0),
        ({"x-ratelimit-retry-after": " 3 ", "X-RateLimit-Reset": "9"}, 3.0),
        ({"X-RateLimit-Reset": "12"}, 12.0),
        ({"X-RateLimit-Reset": str(int(NOW) + 12)}, 12.0),
        ({"X-RateLimit-Limit": "", "X-RateLimit-Remaining": "", "X-RateLimit-Reset": ""}, None),
        ({"X-Ratelimit-Retry-After": "soon", "Retry-After": "1"}, 1.0),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    throttled = read(Reply(429, CIMultiDict(headers), b""), 2, "users.track", NOW)
    assert throttled == [Throttled("rate_limited", seconds)] * 2


def test_a_delete_counts_unknown_ids_as_deleted_and_its_2xx_is_for_all() -> None:
    assert read_delete(reply(201, {"deleted": 1, "message": "success"}), 3, "users.delete", NOW) == [DELIVERED] * 3
    assert read_delete(reply(201, b"<html>"), 1, "users.delete", NOW) == [Retry("unexpected_reply")]
    too_many = reply(400, {"message": "The max number of ids per request was exceeded"})
    assert read_delete(too_many, 2, "users.delete", NOW) == [None, None]
    assert "users.delete" in str(read_delete(reply(403), 1, "users.delete", NOW))
