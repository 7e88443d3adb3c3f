"""Who must be in the demo's workspaces at Braze, worked out from the warehouse's rows alone; and how people differ.

Invariants:
- Says in plain Python what `demo_config` says in YAML and SQL, and shares no code with the service: a check that asks
  the service whether it is right is none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Mapping
from decimal import Decimal
from typing import Any

from stream_sync.sandbox.debezium import Row
from stream_sync.sandbox.warehouse import Warehouse

People = Mapping[str, Mapping[str, Any]]
"""By identifier: what a vendor holds of a person, under its own names."""


def mirrored(warehouse: Warehouse, unacceptable: Container[str]) -> People:
    """The people of the mirror: those whose row is in the segment, but for those whom Braze cannot take."""
    return {
        who: _person(_gold_member(row))
        for who, row in warehouse.rows.items()
        if _is_gold_member(row) and who not in unacceptable
    }


def updated(warehouse: Warehouse, known: People) -> People:
    """The people of the update: those who were `known` from the start, with the scores that their row had last."""
    rows = {**warehouse.gone, **warehouse.rows}
    return {who: _person({**person, **_scores(rows[who])}) if who in rows else person for who, person in known.items()}


def at_braze(people: People) -> People:
    """The people of a simulated Braze."""
    own = ("braze_id", "external_id")
    return {who: {name: each for name, each in person.items() if name not in own} for who, person in people.items()}


def differences(expected: People, found: People) -> list[str]:
    """Every difference, a line each."""
    lines = [f"{who} is missing" for who in sorted(expected.keys() - found.keys())]
    lines += [f"{who} should not be there" for who in sorted(found.keys() - expected.keys())]
    for who in sorted(expected.keys() & found.keys()):
        wanted, person = expected[who], found[who]
        for name in sorted(wanted.keys() | person.keys()):
            if name not in person:
                lines.append(f"{who}: {name} is not set, should be {wanted[name]!r}")
            elif name not in wanted:
                lines.append(f"{who}: {name} is {person[name]!r}, should not be set")
            elif type(person[name]) is not type(wanted[name]) or person[name] != wanted[name]:
                lines.append(f"{who}: {name} is {person[name]!r}, should be {wanted[name]!r}")
    return lines


def _is_gold_member(row: Row) -> bool:
    return row["loyalty_tier"] in ("gold", "platinum") and row["is_subscriber"] is True


def _gold_member(row: Row) -> Row:
    return {
        "first_name": row["first_name"],
        "last_name": row["last_name"],
        "country": row["country"],
        "email": row["email"].lower(),
        "dob": row["birth_date"],
        "tier": row["loyalty_tier"],
        "ltv": row["lifetime_value"],
        "tags": row["favorite_tags"],
        "last_order": row["last_order_at"],
        "channel": row["profile"] and row["profile"]["channel"],
        "profile": row["profile"],
    }


def _scores(row: Row) -> Row:
    score = row["churn_score"]
    risk = None if score is None else "high" if score > 0.7 else "medium" if score > 0.4 else "low"
    return {"churn_score": score, "churn_risk": risk, "ltv": row["lifetime_value"]}


def _person(values: Row) -> dict[str, Any]:
    """What is left at Braze: NULL unsets."""
    return {name: _held(value) for name, value in values.items() if value is not None}


def _held(value: Any) -> Any:
    """A value as Braze holds it, read back from its JSON."""
    match value:
        case Decimal():
            return float(value)
        case dt.datetime():
            return value.isoformat().replace("+00:00", "Z")
        case dt.date():
            return value.isoformat()
        case dict():
            return {name: _held(inner) for name, inner in value.items() if inner is not None}
        case _:
            return value
