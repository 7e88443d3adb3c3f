"""The simulated Voyado by itself: as strict as the documents."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from stream_sync.sandbox import voyado
from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.workspace import Answer, Workspace

HEADERS = {"apikey": "k", "Content-Type": "application/json", "User-Agent": "acme/1.0"}
CONTACTS = "/api/v3/contacts"
ANNA = f"{CONTACTS}/id?email=anna%40x.se"


def workspace(**options: Any) -> Workspace:
    return Workspace("voyado", "w", voyado.show, **options)


def ask(where: Workspace, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
    """The answer, with what it says done."""
    raw = b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
    answer = voyado.answer(where, method, path, HEADERS if headers is None else headers, raw)
    if answer.apply is not None:
        answer.apply()
    return answer


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, msgspec.json.decode(answer.body)["errors"][0]["code"]


def create(where: Workspace, query: str = "", **values: Any) -> str:
    """The id of a new contact."""
    answer = ask(where, "POST", CONTACTS + query, values)
    assert answer.status == 201, answer.body
    return str(msgspec.json.decode(answer.body)["id"])


def held(where: Workspace, contact_id: str) -> dict[str, Any]:
    return {name: value for name, value in where.people[contact_id].items() if name not in ("contactId", "contactType")}


@pytest.mark.parametrize("missing", HEADERS)
def test_every_header_is_a_must(missing: str) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != missing}
    expected = {"apikey": 401, "Content-Type": 500, "User-Agent": 400}
    assert ask(workspace(key="k"), "GET", ANNA, headers=headers).status == expected[missing]


def test_a_wrong_key_is_echoed_and_refused() -> None:
    answer = ask(workspace(key="other"), "GET", ANNA)
    assert answer.status == 401
    where = workspace()
    where.faults = Faults(refuse_key=True)
    assert ask(where, "GET", ANNA).status == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v2/contacts/id?email=a%40x.se", 404),
        ("GET", "/api/v3/contacts/count", 404),
        ("POST", "/api/v3/contacts/c1", 405),
        ("DELETE", "/api/v3/contacts/c1", 405),
        ("GET", "/", 404),
        ("GET", "/api/v3/contacts/", 404),
    ],
)
def test_an_address_that_voyado_does_not_have(method: str, path: str, status: int) -> None:
    assert ask(workspace(), method, path, {"firstName": "A"}).status == status


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("email=nobody%40x.se", 404, "ContactNotFound"),
        ("email=nonsense", 400, "InvalidEmailAddress"),
        ("email=anna@x.se", 400, "InvalidSearchQuery"),
        ("email=an+na%40x.se", 400, "InvalidSearchQuery"),
        ("email=a%40x.se&any=1", 400, "InvalidSearchQuery"),
        ("", 400, "InvalidSearchQuery"),
        ("externalId=1", 400, "InvalidSearchQuery"),
        ("email=anna%40x.se&contactType=Guest", 400, "InvalidContactType"),
        ("email=anna%40x.se&contactType=Contact", 404, "ContactNotFound"),
    ],
)
def test_a_look_up_that_finds_nobody(query: str, status: int, reason: str) -> None:
    where = workspace()
    create(where, email="anna@x.se")
    assert code(ask(where, "GET", f"{CONTACTS}/id?{query}")) == (status, reason)


def test_a_look_up_gives_the_bare_id_whatever_the_case() -> None:
    where = workspace()
    contact_id = create(where, email="Anna+1@X.se", mobilePhone="+46701234567")
    for query in ("email=anna%2B1%40x.SE", "email=Anna%2B1%40X.se&contactType=member", "mobilePhone=%2B46701234567"):
        assert msgspec.json.decode(ask(where, "GET", f"{CONTACTS}/id?{query}").body) == contact_id


def test_addresses_are_not_unique_by_force_and_two_matches_are_told() -> None:
    where = workspace()
    first = create(where, email="anna@x.se")
    second = create(where, email="other@x.se")
    assert ask(where, "PATCH", f"{CONTACTS}/{second}", {"email": "anna@x.se"}).status == 200
    answer = ask(where, "GET", ANNA)
    assert code(answer) == (409, "MultipleMatches")
    assert set(msgspec.json.decode(answer.body)["messageDetails"]["multipleMatchesFound"]) == {first, second}


def test_a_new_contact_has_its_type_and_approval_and_only_known_values() -> None:
    where = workspace()
    where.faults = Faults(attributes=("shoeSize",))
    values = {"email": "a@x.se", "contactType": "contact", "points": 5, "shoeSize": 42, "bogus": 1, "contactId": "own"}
    contact_id = create(where, "?source=test&createAsUnapproved=true", **values)
    assert where.people[contact_id]["contactType"] == "Contact"
    assert held(where, contact_id) == {"approved": False, "email": "a@x.se", "points": 5, "shoeSize": 42}
    shown = msgspec.json.decode(ask(where, "GET", f"{CONTACTS}/{contact_id}").body)
    assert (shown["id"], shown["attributes"]["points"], shown["meta"]) == (contact_id, 5, {"isApproved": False})


@pytest.mark.parametrize(
    ("body", "query", "status", "reason"),
    [
        (b"", "", 400, "NoData"),
        (b"[]", "", 400, "NoData"),
        ({}, "", 400, "NoData"),
        ({"email": "a@x.se", "contactType": "Guest"}, "", 400, "InvalidContactType"),
        ({"firstName": "A"}, "", 422, "ValidationError"),
        ({"email": "nonsense"}, "", 422, "ValidationError"),
        ({"email": "a@x.se", "mobilePhone": "call me"}, "", 422, "ValidationError"),
        ({"email": "a@x.se", "birthDay": "29/02/2024"}, "", 422, "ValidationError"),
        ({"email": "a@x.se", "gender": "F"}, "", 422, "ValidationError"),
        ({"email": "a@x.se", "firstName": 5}, "", 422, "ValidationError"),
        ({"email": "a@x.se", "points": [1]}, "", 422, "ValidationError"),
        ({"email": "a@x.se"}, "?createAsUnapproved=1", 400, "ValidationError"),
        ({"email": "TAKEN@x.se"}, "", 409, "ApprovedContactWithKeyExists"),
    ],
)
def test_a_contact_that_is_not_created(body: Any, query: str, status: int, reason: str) -> None:
    where = workspace()
    create(where, email="taken@x.se")
    assert code(ask(where, "POST", CONTACTS + query, body)) == (status, reason)
    assert len(where.people) == 1


def test_an_unapproved_contact_does_not_keep_its_address_from_others() -> None:
    where = workspace()
    create(where, "?createAsUnapproved=true", email="a@x.se")
    create(where, email="a@x.se")
    assert len(where.people) == 2


def test_a_change_overwrites_what_it_names_also_with_null_and_nothing_else() -> None:
    where = workspace()
    contact_id = create(where, email="a@x.se", firstName="A", city="Lund", createdInStore="1")
    change = {"firstName": None, "createdInStore": "2", "contactType": "Contact", "rfm": 1, "zipCode": ""}
    assert ask(where, "PATCH", f"{CONTACTS}/{contact_id.upper()}", change).status == 200
    assert held(where, contact_id) == {
        "approved": True,
        "email": "a@x.se",
        "firstName": None,
        "city": "Lund",
        "createdInStore": "1",
        "zipCode": "",
    }
    assert where.people[contact_id]["contactType"] == "Member"


def test_a_change_that_is_refused_changes_nothing() -> None:
    where = workspace()
    contact_id = create(where, email="a@x.se")
    path = f"{CONTACTS}/{contact_id}"
    assert code(ask(where, "PATCH", path, {"city": "Lund", "email": "x"})) == (422, "ValidationError")
    assert code(ask(where, "PATCH", path, b"{")) == (400, "NoData")
    assert code(ask(where, "PATCH", f"{CONTACTS}/nobody", {"city": "Lund"})) == (404, "ContactNotFound")
    assert held(where, contact_id) == {"approved": True, "email": "a@x.se"}


@pytest.mark.parametrize(
    ("faults", "status", "reason"),
    [
        (Faults(reject=("a@x.se",)), 422, "ValidationError"),
        (Faults(reject=("a@x.se",), reject_text="DuplicateDiscoveryKey"), 409, "DuplicateDiscoveryKey"),
        (Faults(reject_where={"points": 5}), 422, "ValidationError"),
    ],
)
def test_the_knobs_refuse_contacts(faults: Faults, status: int, reason: str) -> None:
    where = workspace()
    contact_id = create(where, email="a@x.se")
    where.faults = faults
    assert code(ask(where, "PATCH", f"{CONTACTS}/{contact_id}", {"points": 5})) == (status, reason)
    assert code(ask(where, "POST", CONTACTS, {"points": 5, "email": "a@x.se"})) == (status, reason)


def test_the_journal_knows_a_contact_by_id_and_address() -> None:
    where = workspace()
    contact_id = create(where, email="Anna@x.se")
    assert set(ask(where, "GET", ANNA).people) == {contact_id, "anna@x.se"}
    changed = ask(where, "PATCH", f"{CONTACTS}/{contact_id}", {"email": "new@x.se"})
    assert set(changed.people) == {contact_id, "anna@x.se", "new@x.se"}


def test_a_contact_that_is_being_created_is_not_created_twice() -> None:
    where = workspace()
    where.coming.update(["anna@x.se"])
    assert code(ask(where, "POST", CONTACTS, {"email": "Anna@x.se"})) == (409, "ContactWithKeyIsBeingCreated")
    where.coming.clear()
    create(where, email="Anna@x.se")
