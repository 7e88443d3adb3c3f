"""The oracle is worth believing: its fold over real records ends where PostgreSQL ended."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import pytest

from tests.e2e.oracle import Activation, Row, differences, people_after, people_of_rows, row_of_postgres, same
from tests.fixtures.warehouse.records import CUSTOMERS_TYPES, TYPES, Moment, Table, records, rows

ALL_CUSTOMERS = Activation(
    mode="mirror",
    identifier="customer_id",
    fields={"email": "email", "first_name": "first_name", "last_name": "last_name", "dob": "birth_date"},
    attributes={name: name for name in CUSTOMERS_TYPES},
)


def customers(moment: Moment) -> list[Row]:
    return [row_of_postgres(row, CUSTOMERS_TYPES) for row in rows("customers", moment)]


def gold(row: Row) -> bool | None:
    if row["loyalty_tier"] is None or row["churn_score"] is None:
        return None
    return row["loyalty_tier"] in ("gold", "platinum") and row["churn_score"] > 0.5


def with_(mode: Literal["update", "upsert", "mirror"], where: Any = None) -> Activation:
    everyone = ALL_CUSTOMERS
    return Activation(mode, everyone.identifier, everyone.fields, everyone.attributes, where or everyone.where)


@pytest.mark.parametrize("table", ["customers", "loyalty_members", "support_people"])
def test_a_mirror_of_everyone_ends_as_postgres_ended(table: Table) -> None:
    types = TYPES[table]
    everyone = Activation("mirror", next(iter(types)), fields={}, attributes={name: name for name in types})
    expected = people_of_rows([row_of_postgres(row, types) for row in rows(table, "final")], everyone)

    assert differences(expected, people_after(records(table, "json-schema"), everyone)) == []
    assert len(expected) == len(rows(table, "final"))


def test_a_mirror_of_a_segment_ends_with_the_rows_in_the_segment() -> None:
    segment = with_("mirror", gold)
    expected = people_of_rows(customers("final"), segment)

    assert differences(expected, people_after(records("customers", "json-schema"), segment)) == []
    assert 0 < len(expected) < len(customers("final"))


def test_replaying_from_the_start_onto_the_end_changes_nothing() -> None:
    once = people_after(records("customers", "json-schema"), ALL_CUSTOMERS)

    assert differences(once, people_after(records("customers", "json-schema"), ALL_CUSTOMERS, before=once)) == []


def test_update_creates_nobody_and_upsert_deletes_nobody() -> None:
    known = people_of_rows(customers("first")[:10], ALL_CUSTOMERS)

    updated = people_after(records("customers", "json-schema"), with_("update"), before=known)
    upserted = people_after(records("customers", "json-schema"), with_("upsert"), before={"someone": {}})

    assert updated.keys() == known.keys()
    assert upserted.keys() > people_of_rows(customers("final"), ALL_CUSTOMERS).keys() | {"someone"}


def test_differences_name_the_person_the_value_and_both_sides() -> None:
    expected = {"a": {"x": 1, "y": "text"}, "b": {}}
    found = {"a": {"x": 2, "z": True}, "c": {}}

    assert differences(expected, found) == [
        "b: is missing",
        "c: should not be there",
        "a: has no y, expected 'text'",
        "a: z should not be set, is True",
        "a: x is 2, expected 1",
    ]


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, Decimal("1.00"), True),
        (0.595437, Decimal("0.595437"), True),
        (1, True, False),
        ("1", 1, False),
        ("2025-01-07T14:07:55.5Z", "2025-01-07T14:07:55.500000Z", True),
        ("2025-01-07T14:07:55Z", "2025-01-07T14:07:56Z", False),
        ([1, "a"], ["a", 1], False),
        ({"n": 1.0}, {"n": 1}, True),
    ],
)
def test_values_are_compared_as_json_means_them(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other) is equal
