"""The bench's row changes: a seeded table of customers and what happens to it, as Debezium writes it.

Invariants:
- Pure: the same arguments give the same changes, byte for byte.
- People change in turn, in one shuffled order, so that two changes of one person are as far apart as they can be.
- An update's envelope (both rows, schemas off) is 670 to 775 bytes long, as a real table of this width has it.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from itertools import count as numbers
from typing import Literal, NamedTuple

COMMITTED_MS = 1_795_292_912_858
"""Of the first change; milliseconds since the epoch."""
NAMES = (
    "Anna",
    "Håkon",
    "Zoë",
    "Giulia",
    "Jean-Luc",
    "O'Neil",
    "Siobhán",
    "Mei",
    "Åsa",
    "Tom",
    "Fatima",
    "Pedro",
    None,
)
TIERS = ("platinum", "gold", "silver", "silver", "gold", "bronze")
UPDATES, INSERTS = 0.94, 0.03
"""Shares of the rows' changes; the others are deletes, each followed by its tombstone."""

TYPES = {
    "customer_id": "text",
    "email": "text",
    "first_name": "text",
    "birth_date": "date",
    "lifetime_value": "decimal(2)",
    "churn_score": "float",
    "loyalty_tier": "text",
    "orders_count": "int",
}
"""What schemaless JSON does not say of the columns that the bench's activation reads: the source's `types:`."""


class Customer(NamedTuple):
    """One row. `birth_date` in days since 1970, as Debezium counts it; `lifetime_value` in hundredths."""

    customer_id: str
    email: str
    first_name: str | None
    birth_date: int
    lifetime_value: int
    churn_score: float
    loyalty_tier: str
    orders_count: int
    is_subscriber: bool


class RowChange(NamedTuple):
    """What happened to one row, and which change it is, from 0. `tombstone` follows the row's `d`."""

    number: int
    op: Literal["c", "u", "d", "tombstone"]
    before: Customer | None
    after: Customer | None


def generate(count: int, people: int, seed: int) -> Iterator[RowChange]:
    """`count` changes, tombstones included, of a table that holds `people` rows at first."""
    chance = random.Random(seed)
    ids = numbers()
    rows = [_customer(next(ids), chance) for _ in range(people)]
    turns = list(range(people))
    chance.shuffle(turns)
    number = turn = 0
    while number < count:
        dice = chance.random()
        index = turns[turn % len(turns)]
        before = rows[index]
        turn += 1
        if dice < UPDATES:
            rows[index] = after = _changed(before, chance)
            yield RowChange(number, "u", before, after)
        elif dice < UPDATES + INSERTS:
            turns.append(len(rows))
            rows.append(_customer(next(ids), chance))
            yield RowChange(number, "c", None, rows[-1])
        else:
            # Its turn goes to somebody else: the table keeps its size.
            rows[index] = _customer(next(ids), chance)
            yield RowChange(number, "d", before, None)
            number += 1
            if number < count:
                yield RowChange(number, "tombstone", before, None)
        number += 1


def debezium_json(change: RowChange) -> tuple[bytes, bytes | None]:
    """The record's key and value, as JsonConverter writes them with schemas.enable=false."""
    row = change.after or change.before
    assert row is not None
    key = f'{{"customer_id":"{row.customer_id}"}}'.encode()
    if change.op == "tombstone":
        return key, None
    moment = COMMITTED_MS + change.number
    log_position = 28_694_008 + 312 * change.number
    return key, (
        f'{{"before":{image(change.before)},"after":{image(change.after)},"source":{{"version":"2.7.3.Final",'
        f'"connector":"postgresql","name":"wh","ts_ms":{moment},"snapshot":"false","db":"postgres",'
        f'"sequence":"[\\"{log_position - 312}\\",\\"{log_position}\\"]","schema":"marts","table":"customers",'
        f'"txId":{1570 + change.number},"lsn":{log_position},"xmin":null}},"transaction":null,"op":"{change.op}",'
        f'"ts_ms":{moment + 155}}}'
    ).encode()


def image(row: Customer | None) -> str:
    """The row in JSON."""
    if row is None:
        return "null"
    name = "null" if row.first_name is None else f'"{row.first_name}"'
    return (
        f'{{"customer_id":"{row.customer_id}","email":"{row.email}","first_name":{name},'
        f'"birth_date":{row.birth_date},"lifetime_value":"{_base64(row.lifetime_value)}",'
        f'"churn_score":{row.churn_score},"loyalty_tier":"{row.loyalty_tier}","orders_count":{row.orders_count},'
        f'"is_subscriber":{"true" if row.is_subscriber else "false"}}}'
    )


def unscaled_bytes(unscaled: int) -> bytes:
    """In big-endian two's complement, as Connect's Decimal has it; the scale is not on the wire."""
    return unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True)


def _base64(unscaled: int) -> str:
    return base64.b64encode(unscaled_bytes(unscaled)).decode()


def _customer(number: int, chance: random.Random) -> Customer:
    return Customer(
        customer_id=f"cus_{number:07d}",
        email=f"Customer{number}@Example.com",
        first_name=chance.choice(NAMES),
        birth_date=chance.randrange(-8000, 14000),
        lifetime_value=chance.randrange(9_999_999),
        churn_score=chance.randrange(1_000_000) / 1_000_000,
        loyalty_tier=chance.choice(TIERS),
        orders_count=chance.randrange(60),
        is_subscriber=chance.random() < 0.5,
    )


def _changed(row: Customer, chance: random.Random) -> Customer:
    """The row with one or two of its mapped columns changed, as a shop changes them."""
    dice = chance.random()
    if dice < 0.5:
        spent = chance.randrange(1, 50_000)
        return row._replace(lifetime_value=row.lifetime_value + spent, orders_count=row.orders_count + 1)
    if dice < 0.7:
        return row._replace(lifetime_value=row.lifetime_value - chance.randrange(1, 5_000))
    if dice < 0.8:
        return row._replace(loyalty_tier=chance.choice(TIERS), churn_score=chance.randrange(1_000_000) / 1_000_000)
    if dice < 0.9:
        name, _, host = row.email.partition("@")
        return row._replace(email=f"{name}+{chance.randrange(9)}@{host}")
    return row._replace(first_name=chance.choice(NAMES))
