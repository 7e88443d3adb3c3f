"""Who must be at the demo's Voyado and Crisp, worked out from the warehouse's rows alone; by e-mail, as there.

Invariant: says in plain Python what `demo_config` says in YAML and SQL, and shares no code with the service. What is
mapped there is never NULL: a NULL is left out there, so that what is held would depend on when it was sent.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from stream_sync.sandbox.debezium import Row
from stream_sync.sandbox.demo_people import People
from stream_sync.sandbox.warehouse import Warehouse

_MADE_AT_VOYADO = {"contactId", "contactType", "approved", "email"}
_MADE_AT_CRISP = {"people_id", "created_at", "updated_at", "email"}


def club(warehouse: Warehouse, unacceptable: Container[str]) -> People:
    """Whoever was platinum once, as they were when they were that for the last time."""
    members: dict[str, dict[str, Any]] = {}
    for row in warehouse.images:
        if row["loyalty_tier"] == "platinum" and row["customer_id"] not in unacceptable:
            members[row["email"].lower()] = {
                "lastName": row["last_name"],
                "country": row["country"],
                "lifetimeValue": float(row["lifetime_value"]),
                "loyaltyTier": row["loyalty_tier"],
            }
    return members


def supported(warehouse: Warehouse, unacceptable: Container[str]) -> People:
    """Whoever is platinum and subscribes now."""
    return {
        row["email"].lower(): {
            "person": {"nickname": row["first_name"] or row["last_name"], "geolocation": {"country": row["country"]}},
            "segments": [row["loyalty_tier"]],
            "data": {"ltv": float(row["lifetime_value"])},
        }
        for who, row in warehouse.rows.items()
        if row["loyalty_tier"] == "platinum" and row["is_subscriber"] is True and who not in unacceptable
    }


def at_voyado(people: Mapping[str, Mapping[str, Any]]) -> People:
    """The contacts of a simulated Voyado."""
    return {one["email"].lower(): _without(one, _MADE_AT_VOYADO) for one in people.values()}


def at_crisp(people: Mapping[str, Mapping[str, Any]]) -> People:
    """The people of a simulated Crisp."""
    return {email: _without(one, _MADE_AT_CRISP) for email, one in people.items()}


def _without(one: Row, names: Container[str]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name not in names}
