"""What the destination must hold after the service's run: the design's upsert once more, as one slow fold.

Written from the design alone, without the service's code. Invariants:
- A person is right if they hold at least the values that changes carried and at most the values of their newest row in
  the segment: whether an update carries what changed or the whole row depends on how the lane started; both end right.
- Only rows in the segment count; who leaves it, or is deleted, stays as last sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import msgspec

from tests.bench.changes import Customer, RowChange

EPOCH = date(1970, 1, 1)

Values = dict[str, Any]
"""Name at the destination to the value in the form sent; None: the person must not have it."""

WHERE = "loyalty_tier in ('gold', 'platinum', 'silver') and churn_score > 0.1"
FIELDS = {"first_name": "first_name", "email": "lower(email)", "dob": "birth_date"}
ATTRIBUTES = {"ltv": "lifetime_value", "tier": "loyalty_tier", "orders": "orders_count"}


class Person(msgspec.Struct):
    """`least`: what changes carried; nothing: the person may be missing. `most`: the newest row in the segment."""

    least: Values
    most: Values


People = dict[str, Person]
"""By external_id."""


def fold(changes: Iterable[RowChange]) -> People:
    """The people after these changes, from an empty destination."""
    people: People = {}
    for change in changes:
        row = change.after
        if row is None or not is_member(row):
            continue
        most = mapped(row)
        if change.op == "u" and change.before is not None and is_member(change.before):
            was = mapped(change.before)
            least = {name: value for name, value in most.items() if value != was[name]}
        else:
            least = most
        known = people.get(row.customer_id)
        people[row.customer_id] = Person(least if known is None else {**known.least, **least}, most)
    return people


def is_member(row: Customer) -> bool:
    """WHERE, by hand."""
    return row.loyalty_tier in ("gold", "platinum", "silver") and row.churn_score > 0.1


def mapped(row: Customer) -> Values:
    """FIELDS and ATTRIBUTES, by hand, in the form sent."""
    return {
        "first_name": row.first_name,
        "email": row.email.lower(),
        "dob": (EPOCH + timedelta(days=row.birth_date)).isoformat(),
        "ltv": row.lifetime_value / 100,
        "tier": row.loyalty_tier,
        "orders": row.orders_count,
    }


def differences(expected: People, found: Mapping[str, Values], limit: int = 10) -> list[str]:
    """What is wrong with what was found, in words; empty = all is right."""
    wrong = [f"{identifier} should not be there" for identifier in found.keys() - expected.keys()]
    for identifier, person in expected.items():
        if len(wrong) >= limit:
            break
        values = found.get(identifier)
        if values is None:
            if person.least:
                wrong.append(f"{identifier} is missing")
            continue
        wrong += [
            f"{identifier}: {name} is {values.get(name)!r} instead of {value!r}"
            for name, value in person.most.items()
            if values.get(name) != value and (name in values or name in person.least)
        ]
        wrong += [f"{identifier}: {name} is nobody's" for name in values.keys() - person.most.keys()]
    return wrong[:limit]
