"""The simulated Braze by itself: as strict as the documents."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from stream_sync.sandbox import braze
from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.workspace import Answer, Workspace

HEADERS = {"Authorization": "Bearer k", "Content-Type": "application/json; charset=utf-8"}
TRACK, DELETE = "/users/track", "/users/delete"


def workspace(**options: Any) -> Workspace:
    return Workspace("braze", "w", braze.show, **options)


def ask(where: Workspace, path: str, body: Any, headers: dict[str, str] | None = None, method: str = "POST") -> Answer:
    """The answer, with what it says done."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    answer = braze.answer(where, method, path, HEADERS if headers is None else headers, raw)
    if answer.apply is not None:
        answer.apply()
    return answer


def track(where: Workspace, *rows: Any) -> tuple[int, dict[str, Any]]:
    answer = ask(where, TRACK, {"attributes": rows})
    return answer.status, msgspec.json.decode(answer.body)


def person(where: Workspace, external_id: str = "a") -> dict[str, Any]:
    return {name: value for name, value in where.people[external_id].items() if name not in ("braze_id", "external_id")}


@pytest.mark.parametrize(
    ("path", "headers", "body", "method", "status"),
    [
        (TRACK, {}, b"{}", "POST", 401),
        (TRACK, {"Authorization": "k"}, b"{}", "POST", 401),
        (TRACK, {"Authorization": "Bearer other"}, b"{}", "POST", 401),
        (TRACK + "/", HEADERS, b"{}", "POST", 403),
        ("/users/tracks", HEADERS, b"{}", "POST", 404),
        (TRACK, HEADERS, b"", "GET", 405),
        (TRACK, {"Authorization": "Bearer k"}, b"{}", "POST", 415),
        (TRACK, HEADERS, b" " * 4_000_001, "POST", 413),
        (TRACK, HEADERS, b'{"attributes":[],}', "POST", 400),
        (TRACK, HEADERS, b'{"attributes":["\xff"]}', "POST", 400),
        (TRACK, HEADERS, b"[]", "POST", 400),
        (TRACK, HEADERS, b'{"attributes":[]}', "POST", 400),
        (TRACK, HEADERS, b'{"attributes":{"external_id":"a"}}', "POST", 400),
        (DELETE, HEADERS, b"{}", "POST", 400),
        (DELETE, HEADERS, b'{"external_ids":["a"],"braze_ids":["b"]}', "POST", 400),
    ],
)
def test_a_request_that_braze_refuses(
    path: str, headers: dict[str, str], body: bytes, method: str, status: int
) -> None:
    where = workspace(key="k")
    assert ask(where, path, body, headers, method).status == status
    assert where.people == {}


def test_a_401_echoes_the_key_as_braze_did() -> None:
    assert b"Bearer" not in ask(workspace(key="k"), TRACK, b"", {"Authorization": "Bearer wrong"}).body
    assert b"wrong" in ask(workspace(key="k"), TRACK, b"", {"Authorization": "Bearer wrong"}).body


def test_75_objects_in_all_and_50_ids() -> None:
    where = workspace()
    rows = [{"external_id": str(number)} for number in range(75)]
    assert track(where, *rows)[0] == 201
    assert track(where, *rows, {"external_id": "75"}) == (400, {"message": "Max input length exceed"})
    assert ask(where, TRACK, {"attributes": rows, "events": [{}]}).status == 400
    assert ask(where, DELETE, {"external_ids": [str(number) for number in range(51)]}).status == 400
    assert len(where.people) == 75


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({}, "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"),
        ("text", "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"),
        ({"external_id": ""}, "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"),
        ({"external_id": "å" * 494}, "'external_id' must be fewer than 988 bytes"),
        ({"external_id": "a", "braze_id": "b"}, "only one of"),
        ({"external_id": "a", "email": ""}, "EMAIL_BAD_FORMAT"),
        ({"external_id": "a", "email": "a@b"}, "not a valid email"),
        ({"external_id": "a", "email": 5}, "not a valid email"),
        ({"external_id": "a", "email_subscribe": "yes"}, "BAD_EMAIL_SUBSCRIPTION_STATE"),
        ({"external_id": "a", "push_subscribe": None}, "BAD_PUSH_SUBSCRIPTION_STATE"),
        ({"external_id": "a", "email_subscription_info": {}}, "INVALID_ATTRIBUTE_EMAIL_SUBSCRIPTION_INFO"),
        ({"external_id": "a", "current_location": "59,18"}, "BAD_LOCATION_UPDATE"),
        ({"external_id": "a", "current_location": {"longitude": 1}}, "BAD_LOCATION_UPDATE"),
        ({"external_id": "a", "push_token_import": True}, "BAD_PUSH_TOKEN_IMPORT"),
        ({"external_id": "a", "subscription_groups": {}}, "BAD_SUBSCRIPTION_GROUP_ARRAY"),
    ],
)
def test_a_bad_object_is_an_error_by_index_among_good_ones_and_a_400_alone(row: Any, error: str) -> None:
    where = workspace()
    status, reply = track(where, {"external_id": "good"}, row)
    assert (status, reply["attributes_processed"], set(where.people)) == (201, 1, {"good"})
    assert (reply["errors"][0]["index"], reply["errors"][0]["input_array"]) == (1, "attributes")
    assert error in reply["errors"][0]["type"]
    status, reply = track(where, row)
    assert (status, reply["message"], reply["errors"][0]["index"]) == (400, braze.NO_DATA, 0)


def test_an_id_of_987_bytes_and_one_that_is_a_number_are_taken() -> None:
    where = workspace()
    assert track(where, {"external_id": "x" * 987}, {"external_id": 42, "n": 1})[0] == 201
    assert person(where, "42") == {"n": 1}


@pytest.mark.parametrize(
    ("row", "held"),
    [
        ({"n": None}, {}),
        ({"m": 2}, {"n": 1, "m": 2}),
        ({"n": []}, {"n": []}),
        ({"n": "x" * 300}, {"n": "x" * 255}),
        ({"first_name": "x" * 300}, {"n": 1, "first_name": "x" * 300}),
        ({"n": {"a": {"b": None}}}, {"n": 1}),
        ({"n": [{"a": None}]}, {"n": 1}),
        ({"n": {"a.b": 1}}, {"n": 1}),
        ({"n": {"at": {"$time": "2024-01-01T00:00:00Z"}}}, {"n": {"at": {"$time": "2024-01-01T00:00:00Z"}}}),
        ({"n": {"at": {"$time": "soon"}}}, {"n": 1}),
        ({"n": {"at": {"$time": None}}}, {"n": 1}),
        ({"n": {"inc": 2}}, {"n": 3}),
        ({"l": {"add": ["a"]}}, {"n": 1, "l": ["a"]}),
        ({"n": {"a": 1}, "_merge_objects": True}, {"n": {"a": 1}}),
        ({"n": 2, "_update_existing_only": True}, {"n": 2}),
    ],
)
def test_what_an_object_does_to_a_person(row: dict[str, Any], held: dict[str, Any]) -> None:
    where = workspace()
    track(where, {"external_id": "a", "n": 1})
    assert track(where, {"external_id": "a", **row})[0] == 201
    assert person(where) == held


def test_nested_objects_are_replaced_or_merged_when_asked() -> None:
    where = workspace()
    track(where, {"external_id": "a", "o": {"x": {"y": 1}, "z": 1}})
    track(where, {"external_id": "a", "o": {"x": {"w": 2}}, "_merge_objects": True})
    assert person(where) == {"o": {"x": {"y": 1, "w": 2}, "z": 1}}
    track(where, {"external_id": "a", "o": {"z": 3}})
    assert person(where) == {"o": {"z": 3}}


def test_nobody_is_created_by_update_only_or_braze_id_and_that_is_no_error() -> None:
    where = workspace()
    status, reply = track(where, {"external_id": "a", "_update_existing_only": True}, {"braze_id": "b"})
    assert (status, reply) == (201, {"attributes_processed": 2, "message": "success"})
    assert where.people == {}
    assert where.counts["unknown"] == 2


def test_a_delete_counts_what_was_asked_and_the_person_who_comes_back_is_another() -> None:
    where = workspace()
    track(where, {"external_id": "a", "n": 1})
    braze_id = where.people["a"]["braze_id"]
    answer = ask(where, DELETE, {"external_ids": ["a", "nobody"]})
    assert (answer.status, msgspec.json.decode(answer.body)) == (201, {"deleted": 2, "message": "success"})
    track(where, {"external_id": "a", "m": 1})
    assert person(where) == {"m": 1}
    assert where.people["a"]["braze_id"] != braze_id


def test_people_can_be_read_back_as_braze_exports_them() -> None:
    where = workspace()
    track(where, {"external_id": "a", "email": "a@b.se", "tier": "gold"})
    reply = msgspec.json.decode(ask(where, "/users/export/ids", {"external_ids": ["a", "b"]}).body)
    assert reply["invalid_user_ids"] == ["b"]
    assert reply["users"] == [where.shown("a")]
    assert where.shown("a")["custom_attributes"] == {"tier": "gold"}


def test_rows_are_refused_as_the_knobs_say() -> None:
    where = workspace()
    where.faults = Faults(reject=("b",), reject_where={"tier": "bad"}, reject_text="No.")
    status, reply = track(where, {"external_id": "a"}, {"external_id": "b"}, {"external_id": "c", "tier": "bad"})
    assert status == 201
    assert [(error["index"], error["type"]) for error in reply["errors"]] == [(1, "No."), (2, "No.")]
    assert set(where.people) == {"a"}
    where.faults = Faults(reject=("b",), reject_without_index=True, reject_text="No.")
    status, reply = track(where, {"external_id": "z"}, {"external_id": "b"})
    assert (status, reply["errors"], set(where.people)) == (400, ["No."], {"a"})
