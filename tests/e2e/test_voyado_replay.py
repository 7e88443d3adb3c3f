"""A real warehouse's loyalty members through real Kafka to Voyado: contacts end as the stream and the design say."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from stream_sync.sandbox.faults import Faults
from stream_sync.sandbox.server import Sandbox
from tests.e2e.oracle import People, differences, same
from tests.e2e.service import LONG_SESSION, Running, run
from tests.fixtures.warehouse.records import LOYALTY_MEMBERS_TYPES, Captured, Encoding, records, rows
from tests.rig.client import Kafka, Outgoing

TABLE: Literal["loyalty_members"] = "loyalty_members"
FIELDS = {
    "firstName": "first_name",
    "lastName": "last_name",
    "city": "city",
    "country": "country",
    "birthDay": "birth_day",
    "mobilePhone": "phone",
}
ATTRIBUTES = {"points": "points", "tier": "tier", "nextOfferScore": "next_offer_score"}
KNOWN_FIELDS = {
    **dict.fromkeys(("firstName", "lastName", "city", "country", "mobilePhone", "email"), "text"),
    "birthDay": "date",
    "points": "number",
    "tier": ["bronze", "silver", "gold", "platinum"],
    "nextOfferScore": "number",
}


# --- the end, worked out one change after the other ------------------------------------------------------------------


def sent(row: dict[str, Any] | None) -> dict[str, Any]:
    """The mapped row in the form sent; NULL, empty and blank are left out."""
    values = {name: (row or {}).get(column) for name, column in {**FIELDS, **ATTRIBUTES}.items()}
    return {name: value for name, value in values.items() if value is not None and str(value).strip()}


def identifier(row: dict[str, Any] | None, kind: str) -> str:
    text = str((row or {}).get("email" if kind == "email" else "contact_id") or "").strip()
    return text.lower() if kind == "email" else text


def fold(people: People, changes: Iterable[Captured], kind: str, *, creates: bool, whole: bool) -> None:
    """§6 for modes without deletes. `whole`: the base is in doubt, so every write carries the whole row."""
    for record in changes:
        if record.value is None:
            continue
        change = json.loads(record.value)
        before, after = decoded(change["before"]), decoded(change["after"])
        now = identifier(after, kind)
        if not now:
            continue
        values = sent(after)
        if now not in people:
            if creates:
                people[now] = values
        elif whole or change["op"] in "rc" or identifier(before, kind) != now:
            people[now] |= values
        else:
            old = sent(before)
            people[now] |= {name: one for name, one in values.items() if name not in old or not same(one, old[name])}


def decoded(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """A row of JSON without schemas as Python values."""
    if row is None:
        return None
    day, score = row["birth_day"], row["next_offer_score"]
    unscaled = None if score is None else int.from_bytes(base64.b64decode(score), "big", signed=True)
    return {
        **row,
        "birth_day": None if day is None else (date(1970, 1, 1) + timedelta(days=day)).isoformat(),
        "next_offer_score": None if unscaled is None else Decimal(unscaled).scaleb(-4),
    }


# --- the service -----------------------------------------------------------------------------------------------------


def config(kafka: Kafka, prefix: str, sandbox: Sandbox, encoding: Encoding, **activations: Any) -> dict[str, Any]:
    shared = {"source": "members", "destination": "voyado", "fields": FIELDS, "attributes": ATTRIBUTES}
    return {
        "name": prefix,
        "kafka": {"bootstrap.servers": kafka.bootstrap, **LONG_SESSION},
        "admin": False,
        "sources": {
            "members": {
                "topic": f"{prefix}.members",
                "before": "full",
                **({"types": LOYALTY_MEMBERS_TYPES} if encoding == "json" else {}),
            }
        },
        "destinations": {
            "voyado": {
                "type": "voyado",
                "url": sandbox.address("voyado", prefix),
                "api_key": "a-key",
                "known_fields": KNOWN_FIELDS,
                "required": ["email"],
                "rate_limit": "190/1s",
            }
        },
        "activations": {
            name: {**shared, "batch": {"max_wait": "20ms"}, **activation} for name, activation in activations.items()
        },
    }


UPSERT = {"mode": "upsert", "identifier": {"email": "email"}}
UPDATE = {"mode": "update", "identifier": {"contactId": "contact_id"}}


def produce(kafka: Kafka, topic: str, changes: Iterable[Captured]) -> None:
    kafka.produce(topic, [Outgoing(one.key, one.value, one.headers) for one in changes])


def seed(sandbox: Sandbox, prefix: str, ids: Iterable[str], emails: dict[str, str] | None = None) -> None:
    """Contacts who are at Voyado already."""
    people = sandbox.workspace("voyado", prefix).people
    for each in ids:
        address = {"email": emails[each]} if emails and emails.get(each) else {}
        people[each] = {"contactId": each, "contactType": "Member", "approved": True, **address}


def found(sandbox: Sandbox, prefix: str, by: Literal["email", "contactId"]) -> People:
    """The contacts in the sandbox; no two of them by one name."""
    own = ("contactId", "contactType", "approved", "email")
    contacts = list(sandbox.workspace("voyado", prefix).people.values())
    people = {one[by]: {name: value for name, value in one.items() if name not in own} for one in contacts}
    assert len(people) == len(contacts)
    return people


def assert_done(running: Running) -> None:
    assert running.process.returncode == 0, running.log


def assert_no_overlaps(sandbox: Sandbox, prefix: str) -> None:
    journal = sandbox.workspace("voyado", prefix).journal
    assert journal is not None
    assert journal.overlaps == []


@pytest.mark.parametrize("encoding", ["json", "json-schema"])
async def test_an_upsert_by_email_creates_everybody_and_changes_them_in_order(
    kafka: Kafka, prefix: str, tmp_path: Path, encoding: Encoding
) -> None:
    changes = records(TABLE, encoding)
    # One partition, since an address is no key of the table: two rows share one.
    topic = kafka.create_topic(f"{prefix}.members", 1)
    produce(kafka, topic, changes[:300])
    plain = records(TABLE, "json")
    expected: People = {}
    fold(expected, plain[:300], "email", creates=True, whole=True)
    async with Sandbox(journal=True) as sandbox:
        settings = config(kafka, prefix, sandbox, encoding, members=UPSERT)
        assert_done(await run(settings, tmp_path, "--until-caught-up"))
        assert differences(expected, found(sandbox, prefix, "email")) == []

        produce(kafka, topic, changes[300:])
        fold(expected, plain[300:], "email", creates=True, whole=False)
        assert_done(await run(settings, tmp_path, "--until-caught-up"))
        assert differences(expected, found(sandbox, prefix, "email")) == []
        assert len(expected) > 90
        assert_no_overlaps(sandbox, prefix)
        assert kafka.committed(f"{prefix}.members", topic) == kafka.end_offsets(topic)


async def test_an_update_by_contact_id_changes_who_is_there_and_creates_nobody(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    topic = kafka.create_topic(f"{prefix}.members", 4)
    produce(kafka, topic, records(TABLE, "json"))
    known = [row["contact_id"] for row in rows(TABLE, "first")][10:]
    expected: People = {contact_id: {} for contact_id in known}
    fold(expected, records(TABLE, "json"), "contactId", creates=False, whole=True)
    async with Sandbox(journal=True) as sandbox:
        seed(sandbox, prefix, known)
        running = await run(config(kafka, prefix, sandbox, "json", members=UPDATE), tmp_path, "--until-caught-up")
        assert_done(running)

        assert differences(expected, found(sandbox, prefix, "contactId")) == []
        assert_no_overlaps(sandbox, prefix)
        methods = {one.method for one in sandbox.workspace("voyado", prefix).log}
        assert methods == {"PATCH"}


async def test_two_lanes_that_know_a_contact_each_in_its_own_way_never_ask_for_it_at_once(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    topic = kafka.create_topic(f"{prefix}.members", 4)
    produce(kafka, topic, records(TABLE, "json"))
    first = rows(TABLE, "first")
    async with Sandbox(journal=True) as sandbox:
        seed(sandbox, prefix, (row["contact_id"] for row in first), {row["contact_id"]: row["email"] for row in first})
        by_email = {**UPSERT, "where": "email <> 'member18@example.com'"}
        settings = config(kafka, prefix, sandbox, "json", byid=UPDATE, byemail=by_email)
        assert_done(await run(settings, tmp_path, "--until-caught-up"))

        assert_no_overlaps(sandbox, prefix)
        found(sandbox, prefix, "contactId")
        assert f"{prefix}.byemail.dlq" not in kafka.topics()


async def test_a_network_that_loses_requests_and_answers_creates_nobody_twice(
    kafka: Kafka, prefix: str, tmp_path: Path
) -> None:
    changes = records(TABLE, "json")[:130]
    produce(kafka, kafka.create_topic(f"{prefix}.members", 1), changes)
    expected: People = {}
    fold(expected, changes, "email", creates=True, whole=True)
    async with Sandbox(journal=True, faults=Faults(reset=0.03, error=0.03, lose_answer=0.1, jitter=0.01)) as sandbox:
        settings = config(kafka, prefix, sandbox, "json", members=UPSERT)
        assert_done(await run(settings, tmp_path, "--until-caught-up"))

        assert differences(expected, found(sandbox, prefix, "email")) == []
        assert_no_overlaps(sandbox, prefix)
        counts = sandbox.workspace("voyado", prefix).counts
        assert counts["created"] == len(expected)
