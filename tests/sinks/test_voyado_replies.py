"""What Voyado's answers mean, without a network."""

from __future__ import annotations

from typing import Any

import pytest
from multidict import CIMultiDict

from stream_sync.model import DELIVERED, Halt, Rejected, Retry, Throttled
from stream_sync.sinks.http import Failure, Reason, Reply
from stream_sync.sinks.voyado_replies import (
    BackOff,
    Found,
    Taken,
    Unknown,
    Unsure,
    codes_in,
    read_create,
    read_lookup,
    read_probe,
    read_update,
)

GUID = "3f2c7f7e-8f8e-4a7b-9b65-0c7f1d3f0001"


def reply(status: int, body: bytes | str = b"", **headers: str) -> Reply:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, CIMultiDict(fields), body if isinstance(body, bytes) else body.encode())


@pytest.mark.parametrize(
    "body",
    [
        '{"errors":[{"code":"ContactNotFound","message":"No contact"}]}',
        '{"errors":[{"Code":"contactNotFound"}]}',
        '{"errors":["ContactNotFound"]}',
        '{"errorCode":"ContactNotFound","message":"x"}',
        '{"code":"ContactNotFound"}',
        '{"Message":"ContactNotFound: there is none"}',
        '{"detail":"ContactNotFound"}',
        '{"title":"ContactNotFound","status":404}',
        '{"error":{"code":"ContactNotFound"}}',
        '{"messageDetails":{"ContactNotFound":["x"]}}',
        '"ContactNotFound"',
        "ContactNotFound",
    ],
)
def test_a_code_is_found_in_every_shape_of_an_error(body: str) -> None:
    assert codes_in(body.encode()) == {"contactnotfound"}
    assert read_lookup(reply(404, body)) == Unknown()
    assert read_update(reply(404, body), ()) == Unknown()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"<html>ContactNotFound</html>",
        b'{"firstName":"ContactNotFound"}',
        b'{"Message":"No HTTP resource was found that matches the request URI."}',
        b"\xff\xfe",
        b"[" * 5000,
    ],
)
def test_a_404_that_is_not_voyado_s_own_halts(body: bytes) -> None:
    assert isinstance(read_lookup(reply(404, body)), Halt)
    assert isinstance(read_create(reply(404, body), ()), Halt)
    expected = Unknown if body == b"" else Halt
    assert isinstance(read_update(reply(404, body), ()), expected)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (f'"{GUID}"', Found(GUID)),
        (f' "{GUID}"\n', Found(GUID)),
        (GUID, Found(GUID)),
        (f'{{"id":"{GUID}","attributes":{{}}}}', Found(GUID)),
        (f'{{"contactId":"{GUID}"}}', Found(GUID)),
        ("", Retry("unexpected_reply")),
        ('""', Retry("unexpected_reply")),
        ("null", Retry("unexpected_reply")),
        ("not found", Retry("unexpected_reply")),
        ('"../other"', Retry("unexpected_reply")),
        (f'["{GUID}","{GUID}"]', Retry("unexpected_reply")),
        ("<html></html>", Retry("unexpected_reply")),
    ],
)
def test_the_id_in_a_look_up_s_answer(body: str, found: Any) -> None:
    assert read_lookup(reply(200, body)) == found


@pytest.mark.parametrize("body", ["", "{}", f'{{"id":"{GUID}"}}', f'"{GUID}"', "null"])
def test_a_change_is_delivered_with_any_2xx_of_voyado(body: str) -> None:
    assert read_update(reply(200, body), ()) == DELIVERED
    assert read_update(reply(204, body), ()) == DELIVERED


def test_a_2xx_of_somebody_else_is_no_success() -> None:
    assert read_update(reply(200, "<html>"), ()) == Retry("unexpected_reply")
    assert read_create(reply(201, "<html>"), ()) == Unsure(Retry("unexpected_reply"))


def test_a_creation_tells_the_id_or_not() -> None:
    assert read_create(reply(201, f'{{"id":"{GUID}"}}'), ()) == Found(GUID)
    assert read_create(reply(201), ()) == DELIVERED


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_after_a_post_that_failed_nobody_knows(status: int) -> None:
    assert isinstance(read_create(reply(status), ()), Unsure)


@pytest.mark.parametrize("reason", ["timeout", "reset", "protocol", "too_large"])
def test_after_a_post_without_an_answer_nobody_knows(reason: Reason) -> None:
    assert read_create(Failure(reason), ()) == Unsure(Retry(reason))


@pytest.mark.parametrize("reason", ["connect", "tls"])
def test_a_post_that_was_never_sent_is_just_tried_again(reason: Reason) -> None:
    assert read_create(Failure(reason), ()) == Retry(reason)


@pytest.mark.parametrize("status", [400, 409, 422])
@pytest.mark.parametrize("code", ["ApprovedContactWithKeyExists", "DuplicateDiscoveryKey"])
def test_who_is_there_already_is_to_be_looked_up_whatever_the_status(status: int, code: str) -> None:
    made = read_create(reply(status, f'{{"errors":[{{"code":"{code}"}}]}}'), ())
    assert isinstance(made, Taken)
    assert isinstance(made.why, Rejected)


def test_a_conflict_that_nobody_knows_is_looked_up_too() -> None:
    made = read_create(reply(409, "<html>"), ())
    assert isinstance(made, Taken)
    assert isinstance(made.why, Rejected)
    assert made.why.code == "conflict"


def test_a_contact_that_is_being_created_is_waited_for() -> None:
    body = '{"errorCode":"ContactWithKeyIsBeingCreated"}'
    waiting = Retry("contact_with_key_is_being_created", 10.0)
    assert read_create(reply(409, body), ()) == Taken(waiting)
    assert read_update(reply(409, body), ()) == waiting


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, '{"errors":[{"code":"InvalidEmailAddress"}]}', "invalid_email_address"),
        (400, '{"errors":[{"code":"InvalidContactType"}]}', "invalid_contact_type"),
        (422, '{"errors":[{"code":"ValidationError"}]}', "validation_error"),
        (409, '{"errors":[{"code":"MultipleMatches"}]}', "multiple_matches"),
        (409, '{"messageDetails":{"multipleMatchesFound":["a","b"]}}', "multiple_matches"),
        (400, "<html>blocked</html>", "bad_request"),
        (413, "", "bad_request"),
        (418, "{}", "bad_request"),
    ],
)
def test_what_is_refused_for_good(status: int, body: str, code: str) -> None:
    for outcome in (read_lookup(reply(status, body)), read_update(reply(status, body), ())):
        assert isinstance(outcome, Rejected)
        assert (outcome.code, outcome.status) == (code, status)


def test_a_409_to_a_look_up_is_always_ambiguity() -> None:
    outcome = read_lookup(reply(409, ""))
    assert isinstance(outcome, Rejected)
    assert outcome.code == "multiple_matches"


def test_the_fields_that_a_refusal_names_are_told_and_no_other_word_of_it() -> None:
    body = (
        '{"errors":[{"code":"ValidationError","message":"mobilePhone 0701-23 45 67 of Anna is wrong; retail.x too"}]}'
    )
    outcome = read_update(reply(422, body), ("mobilePhone", "firstName", "retail.x"))
    assert isinstance(outcome, Rejected)
    assert "mobilePhone, retail.x" in outcome.message
    assert "Anna" not in outcome.message
    assert "0701" not in outcome.message


def test_a_wrong_set_up_at_voyado_is_told_by_its_name() -> None:
    body = '{"errors":[{"code":"InvalidSystemConfiguration"}]}'
    assert read_lookup(reply(500, body)) == Retry("invalid_system_configuration")


@pytest.mark.parametrize("status", [401, 402, 403, 405, 415])
def test_what_a_person_must_mend(status: int) -> None:
    for outcome in (read_lookup(reply(status)), read_update(reply(status), ()), read_create(reply(status), ())):
        assert isinstance(outcome, Halt)


def test_probing() -> None:
    assert read_probe(reply(404, '"ContactNotFound"')) == DELIVERED
    assert read_probe(reply(200, f'"{GUID}"')) == DELIVERED
    assert read_probe(reply(409)) == DELIVERED
    assert isinstance(read_probe(reply(400, '"InvalidContactType"')), Halt)
    assert isinstance(read_probe(reply(200, "<html>")), Halt)
    assert read_probe(reply(429)) == Throttled("rate_limited")
    assert read_probe(reply(500)) == Retry("server_error")


def test_waits_grow_as_voyado_asks_until_something_succeeds_after_one() -> None:
    back_off = BackOff()
    now, waits = 0.0, []
    for _ in range(5):
        waits.append(back_off.throttled(now, None))
        now += waits[-1]
    assert waits == [10, 30, 60, 300, 300]
    back_off.accepted(now)
    assert back_off.throttled(now, None) == 10


def test_requests_that_were_under_way_together_count_once() -> None:
    back_off = BackOff()
    assert [back_off.throttled(now, None) for now in (0.0, 1.0, 4.0)] == [10, 9, 6]
    back_off.accepted(5.0)
    assert back_off.throttled(10.0, None) == 30


def test_a_wait_that_was_told_holds() -> None:
    assert BackOff().throttled(0.0, 3.0) == 3.0
