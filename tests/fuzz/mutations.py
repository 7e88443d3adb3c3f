"""What can go wrong with a record on its way: bits, cuts, wrong types, depth, size.

Invariants: pure; the same generator of random numbers gives the same record.
"""

from __future__ import annotations

import json
import random
from typing import Any

from tests.fixtures.kinds.records import Captured

PIECES = (b"9" * 30, b"[", b"{", b'"', b"null", b"-", b"\\u0000", b"\xff", b"1e400", b":", b"\0" * 9, b"\x80" * 11)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, "", "x", [], {}, [[]], {"a": 1}, 10**20, -(10**40), 1e300, float("nan")),
    *("NaN", "infinity", "AeJA", "2024-01-02", "99999999999-01-01", "P1Y", "true", "null", "\ud800", "\u0000"),
    *("__debezium_unavailable_value", ["__debezium_unavailable_value"], 2**63, -(2**63), 86_400_000_000_001),
    *({"scale": 10**9, "value": "AA=="}, {"schema": None, "payload": None}, "u", "d", "m"),
)
MEGABYTE = 1_000_000


def mutated(record: Captured, rng: random.Random) -> Captured:
    """The record with something wrong with it; now and then with nothing."""
    value, key = record.value, record.key
    if value is not None and rng.random() < 0.85:
        value = huge(value, rng) if rng.random() < 0.0005 else spoilt(value, rng)
    elif rng.random() < 0.1:
        value = rng.choice([None, b"", b"null", b"{}", b"[]", b"\0", b"\0\0\0\0\1"])
    if key is not None and rng.random() < 0.25:
        key = rng.choice([None, b"", spoilt(key, rng), spoilt(key, rng)])
    headers = record.headers
    if rng.random() < 0.2:
        headers = [(name, text and spoilt(text, rng)) for name, text in headers if rng.random() < 0.9]
        headers.append(rng.choice(HEADERS))
    return Captured(record.topic, key, value, headers)


HEADERS: tuple[tuple[str, bytes | None], ...] = (
    ("__debezium.newkey", b'{"id":11}'),
    ("__debezium.newkey", None),
    ("__debezium.newkey", b"Struct{id=11}"),
    ("__op", b'"d"'),
    ("__op", b"\xff"),
    ("__source_ts_ms", b"9" * 30),
    ("__value_schema_id", b"\x01" + b"\x07" * 16),
    ("__key_schema_id", b"\0\0\0\0\1"),
    ("apicurio.value.globalId", b"\0\0\0\0\0\0\0\1"),
    ("apicurio.value.contentId", b"\0"),
)


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """Damaged in its bytes or, where it is JSON, in its structure."""
    if data[:1] == b"{" and len(data) < 100_000 and rng.random() < 0.5:
        try:
            return misshapen(data, rng)
        except (ValueError, RecursionError):  # not JSON, or text that no bytes can be
            pass
    return damaged(data, rng)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A few bits, bytes or pieces changed."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed) or 1)
        match rng.randrange(5):
            case 0 if changed:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                del changed[at : at + rng.randint(1, 40)]
            case 2:
                changed[at:at] = rng.choice(PIECES)
            case 3:
                changed[at:at] = changed[: rng.randint(1, 60)]
            case _:
                del changed[at:]
    return bytes(changed)


def misshapen(data: bytes, rng: random.Random) -> bytes:
    """JSON with a member of another type, without one, with one too many, or nested deep. Raises ValueError."""
    tree: Any = json.loads(data)
    node: Any = tree
    for _ in range(rng.randint(0, 6)):
        inner = [
            child for child in (node.values() if isinstance(node, dict) else node) if isinstance(child, dict | list)
        ]
        if not inner:
            break
        node = rng.choice(inner)
    places: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
    place = rng.choice(places) if places else None
    match rng.randrange(6):
        case 0 if place is not None:
            del node[place]
        case 1 if isinstance(node, dict):
            node[rng.choice(("op", "source", "id", "schema", "payload", "__deleted", "x"))] = rng.choice(ODD)
        case 2 if place is not None:
            node[place] = [node[place]] * rng.randint(1, 5)
        case 3 if place is not None:
            deep: Any = node[place]
            for _ in range(rng.choice((3, 60, 500))):
                deep = {"a": deep} if rng.random() < 0.5 else [deep]
            node[place] = deep
        case _ if place is not None:
            node[place] = rng.choice(ODD)
    separators = (",", ":") if rng.random() < 0.8 else (", ", ": ")
    return json.dumps(tree, ensure_ascii=rng.random() < 0.5, separators=separators).encode()


def huge(data: bytes, rng: random.Random) -> bytes:
    """About a megabyte: one piece of it, or one of what is hard to read, again and again at one place."""
    at = rng.randrange(len(data))
    piece = rng.choice((*PIECES, b'[[{"a":', b"1,", b'"a",', b"AeJA", data[at : at + rng.randint(1, 50)] or b" "))
    return data[:at] + piece * (MEGABYTE // len(piece)) + data[at:]
