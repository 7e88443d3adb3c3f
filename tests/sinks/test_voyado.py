"""The Voyado sink against the sandbox, over real sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from stream_sync.contract.virtual_time import in_virtual_time
from stream_sync.model import DELIVERED, Halt, Ignored, Intent, Mode, Outcome, Rejected, Retry, Throttled
from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import Sandbox
from stream_sync.sandbox.workspace import Journal, Workspace
from stream_sync.sinks.base import Limits
from stream_sync.sinks.http import Observe
from stream_sync.sinks.voyado import Voyado
from stream_sync.sinks.voyado_settings import Settings
from tests.e2e.service import until
from tests.sinks.rude_server import Behaviour, answering, response, rude_server

KEY = "canary-77ab"
UNKNOWN = Ignored("unknown_person")
KNOWN_FIELDS = {
    "firstName": "text",
    "city": "text",
    "points": "number",
    "churnScore": "number",
    "gender": ["Male", "Female", "Other"],
    "birthDay": "date",
    "mobilePhone": "text",
    "createdInStore": "any",
    "nps.own": "any",
}


@asynccontextmanager
async def sink_at(url: str, observe: Observe = lambda *_: None, **settings: Any) -> AsyncIterator[Voyado]:
    given = {"known_fields": KNOWN_FIELDS, "rate_limit": "200/1s", **settings}
    made = Settings.model_validate({"type": "voyado", "url": url, "api_key": KEY, **given})
    http = Voyado.connect(made, observe)
    try:
        yield Voyado(made, http)
    finally:
        await http.close()


@asynccontextmanager
async def voyado(observe: Observe = lambda *_: None, **settings: Any) -> AsyncIterator[tuple[Voyado, Workspace]]:
    async with (
        Sandbox(keys={"main": KEY}, journal=True) as sandbox,
        sink_at(sandbox.address("voyado", "main"), observe, **settings) as sink,
    ):
        yield sink, sandbox.workspace("voyado", "main")


def row(person: str, /, **values: Any) -> Intent:
    return Intent("insert", person, "email", values)


def delta(email: str, changed: dict[str, Any], whole: dict[str, Any]) -> Intent:
    """An update of which only a part changed."""
    return Intent("update", email, "email", changed, whole=False, older=whole)


def by_id(contact_id: str, **values: Any) -> Intent:
    return Intent("update", contact_id, "contactId", values, whole=False)


def seed(workspace: Workspace, contact_id: str, **attributes: Any) -> str:
    workspace.people[contact_id] = {
        "contactId": contact_id,
        "contactType": "Member",
        "approved": True,
        **attributes,
    }
    return contact_id


def attributes(workspace: Workspace, contact_id: str) -> dict[str, Any]:
    own = ("contactId", "contactType", "approved")
    return {name: value for name, value in workspace.people[contact_id].items() if name not in own}


def asked(workspace: Workspace) -> list[str]:
    """The methods of the requests so far."""
    return [one.method for one in workspace.log]


def journal(workspace: Workspace) -> Journal:
    assert workspace.journal is not None
    return workspace.journal


async def send(sink: Voyado, intent: Intent, mode: Mode = "upsert") -> Outcome:
    (outcome,) = await sink.send([intent], mode)
    return outcome


def once(change: Callable[[], None], when: str) -> Observe:
    """Changes something at Voyado right after the first request to that endpoint."""
    done: list[str] = []

    def observe(endpoint: str, result: str, seconds: float) -> None:
        if endpoint == when and not done:
            done.append(endpoint)
            change()

    return observe


# --- who is written --------------------------------------------------------------------------------------------------


async def test_an_unknown_person_is_created_from_the_whole_row_with_type_source_and_approval() -> None:
    async with voyado(source="warehouse", store_external_id="shop 1", create_as_unapproved=True) as (sink, workspace):
        whole = {"firstName": "Ana", "points": Decimal("1.50")}
        assert await send(sink, delta("a+b@x.se", {"points": Decimal("1.50")}, whole)) == DELIVERED
        (contact,) = workspace.people.values()
        assert attributes(workspace, contact["contactId"]) == {"email": "a+b@x.se", "firstName": "Ana", "points": 1.5}
        assert (contact["contactType"], contact["approved"]) == ("Member", False)
        assert journal(workspace).entries[-1].rows[0]["?"] == {
            "source": "warehouse",
            "storeExternalId": "shop 1",
            "createAsUnapproved": "true",
        }
        assert asked(workspace) == ["GET", "POST"]


async def test_a_known_person_is_patched_with_what_changed_only() -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1", email="Anna@X.se", firstName="Anna", city="Lund")
        assert await send(sink, delta("anna@x.se", {"city": "Malmö"}, {"firstName": "?", "city": "Malmö"})) == DELIVERED
        assert attributes(workspace, "c1") == {"email": "Anna@X.se", "firstName": "Anna", "city": "Malmö"}
        assert journal(workspace).entries[-1].rows == [{"city": "Malmö"}]


@pytest.mark.parametrize(
    ("intent", "mode"),
    [
        (row("nobody@x.se", firstName="A"), "update"),
        (by_id("c-unknown", firstName="A"), "update"),
        (by_id("c-unknown", firstName="A"), "upsert"),
    ],
)
async def test_an_unknown_person_who_may_not_be_created_is_ignored(intent: Intent, mode: Mode) -> None:
    async with voyado() as (sink, workspace):
        assert await send(sink, intent, mode) == UNKNOWN
        assert workspace.people == {}


async def test_a_person_known_by_contact_id_is_patched_without_a_look_up() -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1")
        assert await send(sink, by_id("c1", firstName="Bo")) == DELIVERED
        assert attributes(workspace, "c1") == {"firstName": "Bo"}
        assert asked(workspace) == ["PATCH"]


async def test_where_there_is_nothing_to_say_nothing_is_patched() -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1", email="a@x.se", createdInStore="1")
        assert await send(sink, row("a@x.se")) == DELIVERED
        assert await send(sink, row("a@x.se", createdInStore="2")) == DELIVERED
        assert asked(workspace) == ["GET"]


async def test_several_matches_are_rejected_and_none_is_written() -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1", email="a@x.se")
        seed(workspace, "c2", email="a@x.se")
        outcome = await send(sink, row("a@x.se", firstName="A"))
        assert isinstance(outcome, Rejected)
        assert (outcome.code, outcome.status) == ("multiple_matches", 409)
        assert asked(workspace) == ["GET"]


# --- the cache of ids ------------------------------------------------------------------------------------------------


async def test_an_id_is_looked_up_once_also_after_a_creation() -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1", email="a@x.se")
        for number in range(3):
            assert await send(sink, row("a@x.se", points=number)) == DELIVERED
            assert await send(sink, row("new@x.se", points=number)) == DELIVERED
        assert asked(workspace).count("GET") == 2


async def test_a_stale_id_is_looked_up_again_once_and_the_other_contact_gets_the_whole_row() -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1", email="a@x.se")
        await send(sink, row("a@x.se", points=1))
        del workspace.people["c1"]
        seed(workspace, "c2", email="a@x.se")
        whole = {"firstName": "A", "points": 2}
        assert await send(sink, delta("a@x.se", {"points": 2}, whole)) == DELIVERED
        assert attributes(workspace, "c2") == {"email": "a@x.se", **whole}
        assert asked(workspace) == ["GET", "PATCH", "PATCH", "GET", "PATCH"]


@pytest.mark.parametrize(("mode", "outcome"), [("update", UNKNOWN), ("upsert", DELIVERED)])
async def test_a_contact_who_was_deleted_is_ignored_in_update_and_created_anew_in_upsert(
    mode: Mode, outcome: Outcome
) -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1", email="a@x.se")
        await send(sink, row("a@x.se", points=1))
        workspace.people.clear()
        assert await send(sink, delta("a@x.se", {"points": 2}, {"points": 2, "city": "Lund"}), mode) == outcome
        assert [person["city"] for person in workspace.people.values()] == (["Lund"] if mode == "upsert" else [])


async def test_a_contact_who_vanishes_between_look_up_and_change_is_tried_again_and_not_created_blindly() -> None:
    def vanish() -> None:
        workspace.people.clear()

    async with voyado(once(vanish, "contacts_id")) as (sink, workspace):
        seed(workspace, "c1", email="a@x.se")
        assert await send(sink, row("a@x.se", points=1)) == Retry("contact_vanished")
        assert await send(sink, row("a@x.se", points=1)) == DELIVERED


async def test_an_id_is_dropped_with_a_4xx() -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1", email="a@x.se")
        await send(sink, row("a@x.se", points=1))
        workspace.faults = Faults(reject=("c1",))
        assert isinstance(await send(sink, row("a@x.se", points=2)), Rejected)
        workspace.faults = Faults()
        await send(sink, row("a@x.se", points=3))
        assert asked(workspace) == ["GET", "PATCH", "PATCH", "GET", "PATCH"]


async def test_ids_are_dropped_with_our_own_change_of_an_address() -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1", email="old@x.se")
        seed(workspace, "c2", email="new@x.se")
        await send(sink, row("old@x.se", points=1))
        await send(sink, row("new@x.se", points=1))
        del workspace.people["c2"]
        assert await send(sink, by_id("C1", email="New@x.se")) == DELIVERED
        assert await send(sink, row("new@x.se", points=2)) == DELIVERED
        assert attributes(workspace, "c1")["points"] == 2
        assert await send(sink, row("old@x.se", points=3), "update") == UNKNOWN


async def test_sending_the_address_that_a_contact_has_keeps_its_id() -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1", email="a@x.se")
        for number in range(2):
            await send(sink, row("a@x.se", email="A@x.se", points=number))
        assert asked(workspace) == ["GET", "PATCH", "PATCH"]


# --- creation in doubt -----------------------------------------------------------------------------------------------


async def test_a_post_that_took_effect_without_an_answer_creates_nobody_twice() -> None:
    def observe(endpoint: str, result: str, seconds: float) -> None:
        workspace.faults = Faults(lose_answer=1 if len(workspace.log) == 1 else 0)

    async with voyado(observe) as (sink, workspace):
        assert await send(sink, row("a@x.se", points=1)) == DELIVERED
        assert len(workspace.people) == 1
        assert asked(workspace) == ["GET", "POST", "GET", "PATCH"]


@in_virtual_time
async def test_a_post_that_took_effect_after_its_time_was_over_creates_nobody_twice() -> None:
    def observe(endpoint: str, result: str, seconds: float) -> None:
        told.append((endpoint, result))
        workspace.faults = Faults(latency=30 if len(workspace.log) == 1 else 0)

    told: list[tuple[str, str]] = []
    async with voyado(observe, timeout="300ms") as (sink, workspace):
        assert await send(sink, row("a@x.se", points=1)) == DELIVERED
        assert told[1] == ("contacts_create", "timeout")
        assert workspace.counts["created"] == 1


async def test_a_post_that_took_no_effect_is_repeated_after_another_look_up() -> None:
    def observe(endpoint: str, result: str, seconds: float) -> None:
        workspace.faults = Faults(reset=1 if len(workspace.log) == 1 else 0)

    async with voyado(observe) as (sink, workspace):
        assert await send(sink, row("a@x.se", points=1)) == Retry("reset")
        assert asked(workspace) == ["GET", "POST", "GET"]
        assert await send(sink, row("a@x.se", points=1)) == DELIVERED
        assert len(workspace.people) == 1


@pytest.mark.parametrize(
    "code", ["ApprovedContactWithKeyExists", "ContactWithKeyIsBeingCreated", "DuplicateDiscoveryKey"]
)
async def test_a_conflict_is_looked_up_and_who_is_found_gets_the_whole_row(code: str) -> None:
    def appear() -> None:
        seed(workspace, "c1", email="a@x.se")
        workspace.faults = Faults(reject=("a@x.se",), reject_text=code)

    def observe(endpoint: str, result: str, seconds: float) -> None:
        if endpoint == "contacts_id" and len(workspace.log) == 1:
            appear()
        elif endpoint == "contacts_create":
            workspace.faults = Faults()

    async with voyado(observe) as (sink, workspace):
        whole = {"points": 1, "city": "Lund"}
        assert await send(sink, delta("a@x.se", {"points": 1}, whole)) == DELIVERED
        assert asked(workspace) == ["GET", "POST", "GET", "PATCH"]
        assert attributes(workspace, "c1") == {"email": "a@x.se", **whole}


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("ApprovedContactWithKeyExists", "approved_contact_with_key_exists"),
        ("DuplicateDiscoveryKey", "duplicate_discovery_key"),
        ("ContactWithKeyIsBeingCreated", Retry("contact_with_key_is_being_created", 10.0)),
    ],
)
async def test_a_conflict_with_somebody_who_is_not_found(code: str, outcome: Any) -> None:
    async with voyado() as (sink, workspace):
        workspace.faults = Faults(reject=("a@x.se",), reject_text=code)
        result = await send(sink, row("a@x.se", points=1))
        assert (result.code if isinstance(result, Rejected) else result) == outcome
        assert asked(workspace) == ["GET", "POST", "GET"]


# --- what is sent ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"churnScore": "high"}, "churnScore"),
        ({"points": True}, "points"),
        ({"gender": "Unknown"}, "gender"),
        ({"birthDay": "2024-13-01"}, "birthDay"),
        ({"firstName": 5}, "firstName"),
        ({"bogus": 1}, "bogus"),
    ],
)
async def test_a_value_that_known_fields_does_not_allow_rejects_the_row_with_the_field_s_name(
    values: dict[str, Any], name: str
) -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1", email="a@x.se")
        for intent in (row("a@x.se", **values), by_id("c1", **values)):
            outcome = await send(sink, intent)
            assert isinstance(outcome, Rejected)
            assert outcome.code == "invalid_field"
            assert name in outcome.message
            assert str(next(iter(values.values()))) not in outcome.message.replace(name, "")
        assert asked(workspace) == []


async def test_a_new_contact_without_a_required_value_is_rejected_and_a_known_one_is_not() -> None:
    async with voyado(required=["email", "firstName"]) as (sink, workspace):
        outcome = await send(sink, row("a@x.se", points=1, firstName=None))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "required_missing"
        assert "firstName" in outcome.message
        seed(workspace, "c1", email="a@x.se")
        assert await send(sink, row("a@x.se", points=1)) == DELIVERED


async def test_text_that_is_no_unicode_and_a_person_too_large_are_rejected() -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1")
        for intent, code in (
            (row("\ud83d@x.se", points=1), "unencodable"),
            (by_id("c1", firstName="\ud83d"), "unencodable"),
            (by_id("c1", firstName="x" * 1_000_001), "too_large"),
        ):
            outcome = await send(sink, intent)
            assert isinstance(outcome, Rejected)
            assert outcome.code == code
        assert asked(workspace) == []


async def test_what_voyado_refuses_is_rejected_with_its_code_and_the_fields_it_names() -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1", email="a@x.se")
        outcome = await send(sink, row("a@x.se", mobilePhone="call me", points=1))
        assert isinstance(outcome, Rejected)
        assert (outcome.code, outcome.status) == ("validation_error", 422)
        assert "mobilePhone" in outcome.message
        assert "call me" not in outcome.message
        outcome = await send(sink, row("no address", points=1))
        assert isinstance(outcome, Rejected)
        assert (outcome.code, outcome.status) == ("invalid_email_address", 400)


async def test_a_value_that_voyado_does_not_know_is_lost_without_a_word() -> None:
    async with voyado(known_fields={"bogus": "number"}) as (sink, workspace):
        seed(workspace, "c1")
        assert await send(sink, by_id("c1", bogus=1)) == DELIVERED
        assert attributes(workspace, "c1") == {}


async def test_every_request_has_key_agent_and_content_type_and_values_encoded() -> None:
    heads: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head)
        body = b'{"errors":[{"code":"ContactNotFound","message":"x"}]}' if head.startswith(b"GET") else b""
        status = "404 Not Found" if body else "201 Created"
        writer.write(response(status, body, "Connection: close"))
        await writer.drain()
        await reader.read()

    async with rude_server(behave) as url, sink_at(url, auth_header="x-api-key") as sink:
        assert await send(sink, row("å+b&c@x.se", points=1)) == DELIVERED
        assert await send(sink, by_id("a/../b", points=1)) == DELIVERED
    assert [head.split()[0] for head in heads] == [b"GET", b"POST", b"PATCH"]
    assert heads[0].split()[1] == b"/api/v3/contacts/id?email=%C3%A5%2Bb%26c%40x.se&contactType=Member"
    assert heads[1].split()[1] == b"/api/v3/contacts?source=stream-sync&createAsUnapproved=false"
    assert heads[2].split()[1] == b"/api/v3/contacts/a%2F..%2Fb"
    for head in heads:
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:] if line)
        assert fields[b"x-api-key"] == KEY.encode()
        assert fields[b"content-type"] == b"application/json"
        assert fields[b"user-agent"].startswith(b"stream-sync/")


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        (Faults(error=1), Retry("server_error")),
        (Faults(status=408), Retry("request_timeout")),
        (Faults(reset=1), Retry("reset")),
        (Faults(junk=1), Retry("unexpected_reply")),
        (Faults(throttle=1), Throttled("rate_limited", 10.0)),
        (Faults(throttle=1, throttle_headers="junk"), Throttled("rate_limited", 10.0)),
        (Faults(throttle=1, throttle_headers="retry_after", throttle_wait=7), Throttled("rate_limited", 7.0)),
    ],
)
@pytest.mark.parametrize("by_email", [True, False])
async def test_what_is_not_yet_done_is_said_and_nothing_was_written(
    faults: Faults, outcome: Outcome, by_email: bool
) -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1", email="a@x.se")
        workspace.faults = faults
        assert await send(sink, row("a@x.se", points=1) if by_email else by_id("c1", points=1)) == outcome
        assert attributes(workspace, "c1") == {"email": "a@x.se"}


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 415])
async def test_what_a_person_must_mend_halts(status: int) -> None:
    async with voyado() as (sink, workspace):
        workspace.faults = Faults(status=status)
        assert isinstance(await send(sink, row("a@x.se", points=1)), Halt)
        assert isinstance(await send(sink, by_id("c1", points=1)), Halt)
        assert isinstance(await sink.probe(), Halt)


async def test_a_redirect_halts_and_is_not_followed() -> None:
    async with voyado() as (sink, workspace):
        workspace.faults = Faults(redirect=1)
        assert isinstance(await send(sink, by_id("c1", points=1)), Halt)
        assert workspace.counts["requests"] == 1


@pytest.mark.parametrize(
    ("on_lookup", "outcome"),
    [
        (response("404 Not Found", b'{"errors":[{"code":"ContactNotFound"}]}', "Connection: close"), UNKNOWN),
        (response("404 Not Found", b"", "Connection: close"), Halt),
        (response("401 Unauthorized", b"", "Connection: close"), Halt),
    ],
)
async def test_an_empty_404_to_a_contact_id_counts_where_a_look_up_proves_that_voyado_answers(
    on_lookup: bytes, outcome: Any
) -> None:
    gone = response("404 Not Found", b"", "Connection: close")
    async with rude_server(by_method(GET=on_lookup, PATCH=gone)) as url, sink_at(url) as sink:
        result = await send(sink, by_id("c1", points=1))
        assert result == outcome or type(result) is outcome


async def test_an_empty_404_to_a_contact_whom_the_look_up_finds_halts() -> None:
    found = response("200 OK", b'"3f2c7f7e-8f8e-4a7b-9b65-0c7f1d3f0001"', "Connection: close")
    gone = response("404 Not Found", b"", "Connection: close")
    async with rude_server(by_method(GET=found, PATCH=gone)) as url, sink_at(url) as sink:
        assert isinstance(await send(sink, row("a@x.se", points=1)), Halt)


def by_method(**raw: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method = (await reader.readuntil(b"\r\n\r\n")).split()[0].decode()
        writer.write(raw[method])
        await writer.drain()
        await reader.read()

    return behave


async def test_waits_hold_for_everybody() -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1")
        workspace.faults = Faults(throttle=1)
        await send(sink, by_id("c1", points=1))
        workspace.faults = Faults()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await send(sink, by_id("c2", points=1))
        assert asked(workspace) == ["PATCH"]


async def test_more_than_200_a_second_is_what_voyado_refuses() -> None:
    async with Sandbox() as sandbox:
        limit = sandbox.workspace("voyado", "main").window
        assert limit is not None
        assert str(limit.rate) == "200/1s"


# --- one at a time ---------------------------------------------------------------------------------------------------


async def test_a_contact_known_by_id_and_by_address_is_in_one_request_at_a_time() -> None:
    async with voyado() as (sink, workspace):
        for number in range(6):
            seed(workspace, f"c{number}", email=f"p{number}@x.se")
        workspace.faults = Faults(latency=0.01, jitter=0.03)
        people = [intent for n in range(6) for intent in (by_id(f"C{n}", points=n), row(f"p{n}@x.se", city="Lund"))]
        moves = [by_id(f"c{n}", email=f"q{n}@x.se") for n in range(3)]
        more = [row(f"q{n}@x.se", city="Ystad") for n in range(3)]
        rounds = [*people, *moves, *people, *more, *people]
        outcomes = await asyncio.gather(*(send(sink, intent, "update") for intent in rounds))
        assert {type(outcome).__name__ for outcome in outcomes} <= {"Delivered", "Ignored"}
        assert journal(workspace).overlaps == []
        assert len(sink._turns) == 0


@in_virtual_time
async def test_people_of_their_own_go_side_by_side() -> None:
    async with voyado() as (sink, workspace):
        workspace.faults = Faults(latency=0.2)
        async with asyncio.timeout(1.5):  # one after the other they would take 3.2 s
            await asyncio.gather(*(send(sink, row(f"p{n}@x.se", points=n)) for n in range(8)))
        assert len(workspace.people) == 8


async def test_a_cancelled_request_leaves_no_turn_behind() -> None:
    async with voyado() as (sink, workspace):
        seed(workspace, "c1", email="a@x.se")
        workspace.faults = Faults(latency=30)
        tasks = [asyncio.create_task(send(sink, by_id("c1", points=n))) for n in range(2)]
        tasks += [asyncio.create_task(send(sink, row("a@x.se", points=n))) for n in range(2)]
        await until(lambda: bool(workspace.log), "a request arrived")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        workspace.faults = Faults()
        assert await send(sink, row("a@x.se", points=5)) == DELIVERED
        assert await send(sink, by_id("c1", points=6)) == DELIVERED
        assert len(sink._turns) == 0


# --- the account -----------------------------------------------------------------------------------------------------


async def test_probing_writes_nothing_and_knows_what_is_wrong() -> None:
    async with voyado() as (sink, workspace):
        assert await sink.probe() == DELIVERED
        assert workspace.people == {}
        for faults in (Faults(refuse_key=True), Faults(junk=1), Faults(redirect=1), Faults(status=404)):
            workspace.faults = faults
            assert isinstance(await sink.probe(), Halt)
        workspace.faults = Faults(error=1)
        assert await sink.probe() == Retry("server_error")
        assert sink.unproven()
    async with voyado(contact_type="Guest") as (sink, _):
        outcome = await sink.probe()
        assert isinstance(outcome, Halt)
        assert "contact_type" in outcome.reason


async def test_a_key_that_changed_is_used_from_the_next_request() -> None:
    async with Sandbox(keys={"main": "new"}) as sandbox, sink_at(sandbox.address("voyado", "main")) as sink:
        assert isinstance(await send(sink, row("a@x.se", points=1)), Halt)
        sink._settings.api_key._text = "new"
        assert await send(sink, row("a@x.se", points=1)) == DELIVERED


def test_limits_and_their_settings() -> None:
    made = Settings.model_validate({"type": "voyado", "url": "https://acme.voyado.com", "api_key": KEY})
    assert Voyado(made, Voyado.connect(made, lambda *_: None)).limits == Limits(1, 1, 8, 0.0)
    assert str(made.rate_limit) == "25/1s"


@pytest.mark.parametrize("status", ["401 Unauthorized", "400 Bad Request", "409 Conflict", "500 Oops", "200 OK"])
async def test_key_and_person_appear_nowhere(status: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f'{{"errors":[{{"code":"{KEY}","message":"person-canary@x.se {KEY}"}}]}}'.encode()
    async with rude_server(answering(response(status, echo, "Connection: close"))) as url, sink_at(url) as sink:
        outcomes = [
            await send(sink, row("person-canary@x.se", firstName="person-canary")),
            await send(sink, by_id("person-canary", firstName="person-canary")),
            await sink.probe(),
        ]
        said = " ".join((caplog.text, repr(outcomes), repr(sink.__dict__), repr(sink._settings)))
    assert KEY not in said
    assert "person-canary" not in caplog.text + repr(outcomes)
