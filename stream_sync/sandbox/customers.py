"""Made-up customers and what happens to them: the demo's warehouse.

Invariants:
- The same seed gives the same customers and the same changes, times apart.
- Nobody here exists; addresses are at example.com.
"""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any, NamedTuple

from stream_sync.sandbox.debezium import Table
from stream_sync.sandbox.warehouse import Records, Warehouse

TABLE = Table("wh", "marts", "customers", ("customer_id",))
TYPES = {
    "customer_id": "text",
    "email": "text",
    "first_name": "text",
    "last_name": "text",
    "country": "text",
    "birth_date": "date",
    "lifetime_value": "decimal(2)",
    "churn_score": "float",
    "loyalty_tier": "text",
    "is_subscriber": "bool",
    "favorite_tags": "array(text)",
    "profile": "json",
    "last_order_at": "zoned_timestamp",
}
"""The columns in the config's words for types, but for `scored_at`, which nobody maps."""

_FIRST = ("Zoë", "Łukasz", "Åsa", "José", "Ψυχή", "Nguyễn", "Amélie", "Björn", "İpek", "Oluwaseun", "美咲", "Mary")
_LAST = ("Lindqvist", "O'Brien", "Müller", "Smith-Jones", "Ivanova", "de la Cruz", "Πλάτων", "Kowalczyk", "Çelik")
_COUNTRIES = ("SE", "DE", "FR", "PL", "GR", "GB", "JP", "TR", "BR")
_TIERS = ("bronze", "silver", "gold", "platinum")
_TAGS = ("sale", "kids", "outdoor", "são paulo", "malmö", "🎾 tennis", "vinyl", "kraków")
_CHANNELS = ("app", "web", "store")
_SIZES = ("S", "M", "L", None)
_NULLABLE = ("first_name", "birth_date", "churn_score", "favorite_tags", "profile", "last_order_at", "is_subscriber")
_TOGETHER = (
    ("churn_score",),
    ("loyalty_tier",),
    ("is_subscriber",),
    ("lifetime_value", "last_order_at"),
    ("email",),
    ("first_name", "last_name"),
    ("favorite_tags",),
    ("profile",),
)
"""Columns that change together."""
_FEWEST = 50
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Event(NamedTuple):
    """Something that happened in the table: in words, and the records that tell of it."""

    words: str
    records: Records


class Customers:
    """The table, and chance. `at`: now, in seconds since the epoch."""

    def __init__(self, seed: int, size: int, at: float) -> None:
        self._random = random.Random(seed)
        self._born = 0
        self._at = at
        self.unacceptable: set[str] = set()
        """The rows of `insert_unacceptable`."""
        self.warehouse = Warehouse(TABLE, [self._customer() for _ in range(size)])
        self._events = {
            self._update: 70,
            self._clear: 8,
            self._touch: 8,
            self._insert: 6,
            self._delete: 5,
            self._reload: 2,
            self._rename: 1,
        }

    def happen(self, at: float) -> Event:
        """One more thing happens."""
        self._at = at
        (event,) = self._random.choices(list(self._events), list(self._events.values()))
        return event()

    def insert_unacceptable(self, at: float) -> Event:
        """A platinum customer whose email is none: the warehouse takes it, no destination does. The row never changes
        again."""
        self._at = at
        customer = {**self._customer(), "loyalty_tier": "platinum", "is_subscriber": True}
        customer["email"] = customer["email"].replace("@", "(at)")
        self.unacceptable.add(customer["customer_id"])
        return self._inserted(customer, f"with the email {customer['email']}")

    def _update(self) -> Event:
        who = self._anybody()
        row = self.warehouse.rows[who]
        columns = self._random.choice(_TOGETHER)
        values = {column: self._value(column, who) for column in columns}
        words = [f"{name} {shown(row[name])} → {shown(new)}" for name, new in values.items() if new != row[name]]
        return self._updated(who, values, ", ".join(words) or f"the same {columns[0]} again")

    def _clear(self) -> Event:
        who = self._anybody()
        row = self.warehouse.rows[who]
        column = self._random.choice([name for name in _NULLABLE if row[name] is not None] or _NULLABLE)
        return self._updated(who, {column: None}, f"{column} {shown(row[column])} → NULL")

    def _touch(self) -> Event:
        return self._updated(self._anybody(), {}, "scored again, same score")

    def _insert(self) -> Event:
        customer = self._customer()
        return self._inserted(customer, f"{customer['first_name']} from {customer['country']}")

    def _delete(self) -> Event:
        if len(self.warehouse.rows) <= _FEWEST:
            return self._insert()
        who = self._anybody()
        return Event(f"delete {who}", self.warehouse.delete(who, self._at))

    def _reload(self) -> Event:
        """As a full refresh of a model does it."""
        who = self._anybody()
        row = self.warehouse.rows[who]
        records = (*self.warehouse.delete(who, self._at), *self.warehouse.insert(row, self._at))
        return Event(f"reload {who}  deleted and inserted again", records)

    def _rename(self) -> Event:
        who, name = self._anybody(), self._name()
        return Event(f"rekey  {who}  is now {name}", self.warehouse.rename(who, name, self._at))

    def _inserted(self, customer: dict[str, Any], words: str) -> Event:
        who = customer["customer_id"]
        return Event(f"insert {who}  {customer['loyalty_tier']}, {words}", self.warehouse.insert(customer, self._at))

    def _updated(self, who: str, values: dict[str, Any], words: str) -> Event:
        records = self.warehouse.update(who, {**values, "scored_at": self._moment(0)}, self._at)
        return Event(f"update {who}  {words}", records)

    def _anybody(self) -> str:
        return self._random.choice([who for who in self.warehouse.rows if who not in self.unacceptable])

    def _name(self) -> str:
        self._born += 1
        return f"cus_{self._born:04}"

    def _customer(self) -> dict[str, Any]:
        who = self._name()
        values = {column: self._value(column, who) for column in list(TYPES)[1:]}
        return {"customer_id": who, **values, "scored_at": self._moment(0)}

    def _value(self, column: str, who: str) -> Any:
        chance = self._random
        match column:
            case "email":
                return f"Customer{who[4:]}+{chance.randrange(100)}@example.com"
            case "first_name":
                return chance.choice(_FIRST)
            case "last_name":
                return chance.choice(_LAST)
            case "country":
                return chance.choice(_COUNTRIES)
            case "birth_date":
                return dt.date(1945, 1, 1) + dt.timedelta(days=chance.randrange(365 * 62))
            case "lifetime_value":
                return Decimal(chance.randrange(-2_000, 900_000)).scaleb(-2)
            case "churn_score":
                return round(chance.random(), 4)
            case "loyalty_tier":
                return chance.choice(_TIERS)
            case "is_subscriber":
                return chance.random() < 0.7
            case "favorite_tags":
                return chance.sample(_TAGS, chance.randrange(4))
            case "profile":
                size = {"size": chance.choice(_SIZES), "visits": chance.randrange(200)}
                return {"channel": chance.choice(_CHANNELS), "shoes": size}
            case "last_order_at":
                return self._moment(chance.randrange(400 * 86_400_000_000))
        raise KeyError(column)

    def _moment(self, micros_ago: int) -> dt.datetime:
        return _EPOCH + dt.timedelta(microseconds=int(self._at * 1_000_000) - micros_ago)


def shown(value: Any) -> str:
    """A value, short, as a person reads it."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case dt.datetime():
            return value.strftime("%Y-%m-%d")
        case dict():
            return f"{{{value['channel']}, …}}"
        case list():
            return f"[{', '.join(value)}]"
        case _:
            return str(value)
