"""The generated warehouse: its records tell its rows, in the form of real Debezium records."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

from stream_sync.model import Change
from stream_sync.sandbox.customers import TABLE, TYPES, Customers, Event
from stream_sync.sandbox.debezium import Row, Written, wire
from tests.fixtures.warehouse import records as real
from tests.formats.reading import Held, decoder, values

AT = 1_800_000_000.25
MANY = 1500


def happenings(customers: Customers) -> list[Event]:
    return [customers.happen(AT + number) for number in range(MANY)]


def replay(records: list[Written]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keys to the rows they hold, and to the last rows of those that hold none, in wire form."""
    rows: dict[str, Any] = {}
    gone: dict[str, Any] = {}
    for record in records:
        key = json.loads(record.key)["customer_id"]
        if record.value is None:
            assert key not in rows, "a tombstone follows its delete"
            continue
        envelope = json.loads(record.value)
        assert envelope["before"] == rows.get(key), "before is what the row was"
        if envelope["op"] == "d":
            gone[key] = rows.pop(key)
        else:
            rows[key] = envelope["after"]
            gone.pop(key, None)
    return rows, gone


def in_wire_form(rows: dict[str, Row]) -> dict[str, Any]:
    return {key: {name: wire(value) for name, value in row.items()} for key, row in rows.items()}


def test_a_replay_of_the_records_ends_with_the_rows() -> None:
    customers = Customers(3, 100, AT)
    records = list(customers.warehouse.snapshot(AT))
    for event in [*happenings(customers), customers.insert_unacceptable(AT)]:
        records += event.records
    rows, gone = replay(records)
    assert rows == in_wire_form(customers.warehouse.rows)
    assert gone == in_wire_form(customers.warehouse.gone)


def test_everything_happens() -> None:
    words = {event.words.split()[0] for event in happenings(Customers(3, 100, AT))}
    assert words == {"insert", "update", "delete", "reload", "rekey"}


def test_the_same_seed_gives_the_same_changes() -> None:
    assert happenings(Customers(5, 50, AT)) == happenings(Customers(5, 50, AT))
    assert happenings(Customers(5, 50, AT)) != happenings(Customers(6, 50, AT))


def test_a_row_that_braze_does_not_take_is_left_alone() -> None:
    customers = Customers(3, 60, AT)
    event = customers.insert_unacceptable(AT)
    (who,) = customers.unacceptable
    row = customers.warehouse.rows[who]
    assert who in event.words
    assert "@" not in row["email"]
    happenings(customers)
    assert customers.warehouse.rows[who] == row


def test_the_service_reads_the_values_that_the_table_holds() -> None:
    customers = Customers(3, 200, AT)
    reading = decoder(TYPES)
    for record in customers.warehouse.snapshot(AT):
        found = reading.decode(Held(record.value, record.key))
        assert isinstance(found, Change)
        row = values(found.columns, found.after, TYPES)
        assert row == {name: customers.warehouse.rows[row["customer_id"]][name] for name in TYPES}


def test_values_have_debeziums_forms() -> None:
    assert wire(dt.date(1970, 2, 1)) == 31
    assert wire(dt.date(1969, 12, 31)) == -1
    assert wire(Decimal("1234.56")) == "AeJA"
    assert wire(Decimal("-0.01")) == "/w=="
    assert wire(Decimal("1.28")) == "AIA="
    assert wire(dt.datetime(2026, 1, 29, 22, 1, 11, 123456, dt.UTC)) == "2026-01-29T22:01:11.123456Z"
    assert wire(dt.datetime(2026, 1, 29, 22, 1, 11, 0, dt.UTC)) == "2026-01-29T22:01:11Z"
    assert wire({"größe": None}) == '{"größe": null}'


def members(value: bytes | None, headers: Any) -> tuple[Any, ...]:
    envelope = json.loads(value or b"{}")
    said = [name for name, _ in headers if not name.startswith("__debezium.context.")]
    return envelope.get("op"), list(envelope), list(envelope.get("source", ())), said


def test_the_records_have_the_members_of_real_ones() -> None:
    customers = Customers(3, 100, AT)
    made = [*customers.warehouse.snapshot(AT), *(record for event in happenings(customers) for record in event.records)]
    shapes = [members(record.value, record.headers) for record in made]
    captured = [members(record.value, record.headers) for record in real.records("customers", "json")]
    assert {repr(shape) for shape in shapes} == {repr(shape) for shape in captured}


def test_the_topic_and_the_key_are_debeziums() -> None:
    captured = real.records("customers", "json")[0]
    assert captured.topic == TABLE.topic
    assert captured.key is not None
    assert captured.key.replace(b"cus_00001", b"cus_0001") == TABLE.key_of({"customer_id": "cus_0001"})
