"""What a destination must hold in the end: the design's §5 and §6 once more, as one slow fold over a capture.

Written from the design alone and without the service's code, so that the two can be compared. Invariants:
- One change after the other, nothing merged, nothing waiting, no failures: the end the service must converge to.
- Exact for identifiers that no two rows share or swap, and for captures without unavailable values: it refuses others.
- Knows the wire only in JSON with schema; `people_of_rows` knows it not at all and starts from PostgreSQL's own rows.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

Row = Mapping[str, Any]
"""A row as Python values."""
Person = dict[str, Any]
"""Name at the destination to the value in the form sent; what is NULL is not there."""
People = dict[str, Person]
"""By identifier."""
RecordBytes = tuple[str, bytes | None, bytes | None, list[tuple[str, bytes | None]]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACEHOLDER = "__debezium_unavailable_value"
CUSTOM_TEXT_LIMIT = 255
"""Characters; Braze's limit for a custom attribute's text."""


@dataclass(frozen=True, slots=True)
class Activation:
    """What the config says, as far as the end depends on it. `fields` and `attributes`: name -> column."""

    mode: Literal["update", "upsert", "mirror"]
    identifier: str
    fields: Mapping[str, str]
    attributes: Mapping[str, str] = field(default_factory=dict)
    where: Callable[[Row], bool | None] = lambda _row: True
    """NULL as in SQL: None is not in the segment."""

    def identifier_of(self, row: Row) -> str | None:
        """None: without one, the row is nobody."""
        value = row[self.identifier]
        return (str(value).strip() or None) if value is not None else None

    def member(self, row: Row | None) -> str | None:
        """The identifier of a row that is in the segment, else None: `was` and `is` in one."""
        return self.identifier_of(row) if row is not None and self.where(row) is True else None

    def sent(self, row: Row) -> Person:
        """The whole mapped row in the form sent; None where NULL unsets."""
        fields = {name: form(row[column], custom=False) for name, column in self.fields.items()}
        return fields | {name: form(row[column], custom=True) for name, column in self.attributes.items()}


class _LeftOut:
    """A value that nothing can represent is not sent, and what was there stays."""


LEFT_OUT = _LeftOut()


def form(value: Any, *, custom: bool, nested: bool = False) -> Any:
    """§5's table, the column of Braze."""
    match value:
        case str() if custom and not nested:
            return value[:CUSTOM_TEXT_LIMIT]
        case None | bool() | int() | str() | Decimal():
            return value
        case float():
            return value if math.isfinite(value) else LEFT_OUT
        case datetime():
            text = value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
            return {"$time": text} if nested else text
        case date():
            return {"$time": value.isoformat()} if nested else value.isoformat()
        case list():
            return [form(item, custom=custom, nested=nested) for item in value if item is not None]
        case dict():
            return {name: form(item, custom=custom, nested=True) for name, item in value.items() if item is not None}
        case _:
            raise TypeError(f"the oracle has no form for {type(value).__name__}")


def people_of_rows(rows: Iterable[Row], activation: Activation) -> People:
    """The people whom a mirror of these rows holds."""
    people: People = {}
    for row in rows:
        if (identifier := activation.member(row)) is not None:
            assert identifier not in people, "two rows share an identifier: the end depends on the order"
            _write(people, identifier, activation.sent(row))
    return people


def people_after(records: Iterable[RecordBytes], activation: Activation, before: People | None = None) -> People:
    """Folds a capture (JSON with schema, REPLICA IDENTITY FULL) into the people there were `before`."""
    people: People = {identifier: dict(person) for identifier, person in (before or {}).items()}
    for _topic, _key, value, headers in records:
        # A tombstone follows its `d` here and means nothing more; so do the envelopes without a row.
        if value is None:
            continue
        envelope = json.loads(value)
        op, was_row, is_row = _change(envelope)
        new_key = next((json.loads(text or b"null") for name, text in headers if name == "__debezium.newkey"), None)
        _apply(people, activation, op, was_row, is_row, new_key)
    return people


def _apply(
    people: People, activation: Activation, op: str, before: Row | None, after: Row | None, new_key: Any
) -> None:
    was, now = (None if op in "rc" else activation.member(before)), activation.member(after)
    if op == "d":
        # A key change: the old person leaves only where the identifier is of the key and another for the new key.
        stays = new_key is not None and str(new_key.get(activation.identifier, was)).strip() == was
        if activation.mode == "mirror" and was is not None and not stays:
            people.pop(was, None)
        return
    if now is None:
        if activation.mode == "mirror" and was is not None:
            people.pop(was, None)
        return
    assert after is not None
    whole = activation.sent(after)
    if was == now:
        assert before is not None
        old = activation.sent(before)
        write = {name: value for name, value in whole.items() if not same(value, old[name])}
        if not write:
            return
    else:
        write = whole
        if activation.mode == "mirror" and was is not None:
            people.pop(was, None)
    if now in people:
        _write(people, now, write)
    elif activation.mode != "update":
        _write(people, now, whole)


def _write(people: People, identifier: str, values: Person) -> None:
    person = people.setdefault(identifier, {})
    for name, value in values.items():
        if value is None:
            person.pop(name, None)
        elif value is not LEFT_OUT:
            person[name] = value


def _change(envelope: Any) -> tuple[str, Row | None, Row | None]:
    images = {part["field"]: part for part in envelope["schema"]["fields"] if part["field"] in ("before", "after")}
    payload = envelope["payload"]
    assert _PLACEHOLDER not in json.dumps(payload), "the oracle does not know unavailable values"
    return payload["op"], _row(images["before"], payload["before"]), _row(images["after"], payload["after"])


def _row(schema: Any, image: Any) -> Row | None:
    if image is None:
        return None
    return {column["field"]: _value(column, image[column["field"]]) for column in schema["fields"]}


def _value(schema: Any, wire: Any) -> Any:
    if wire is None:
        return None
    match schema.get("name"):
        case "io.debezium.time.Date":
            return date(1970, 1, 1) + timedelta(days=wire)
        case "io.debezium.time.MicroTimestamp":
            return _EPOCH + timedelta(microseconds=wire)
        case "io.debezium.time.ZonedTimestamp":
            return datetime.fromisoformat(wire)
        case "org.apache.kafka.connect.data.Decimal":
            unscaled = int.from_bytes(base64.b64decode(wire), "big", signed=True)
            return Decimal(unscaled).scaleb(-int(schema["parameters"]["scale"]))
        case "io.debezium.data.Json":
            return json.loads(wire)
        case None | "io.debezium.data.Uuid":
            return [_value(schema["items"], item) for item in wire] if schema["type"] == "array" else wire
        case name:
            raise ValueError(f"the oracle does not know {name}")


def row_of_postgres(row: Row, types: Mapping[str, str]) -> Row:
    """A row of `row_to_json` as Python values, by the config's names of types."""
    return {column: _of_postgres(types[column], value) for column, value in row.items()}


def _of_postgres(type_: str, value: Any) -> Any:
    if value is None:
        return None
    match type_.partition("(")[0]:
        case "date":
            return date.fromisoformat(value)
        case "zoned_timestamp":
            return datetime.fromisoformat(value)
        case "micro_timestamp":
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        case "decimal":
            return Decimal(value)
        case "float":
            return float(value)
        case _:
            return value


def differences(expected: People, found: Mapping[str, Mapping[str, Any]], limit: int = 20) -> list[str]:
    """Where two sets of people differ, a line each, at most `limit`; empty = equal. Made-up people only."""
    lines = [f"{who}: is missing" for who in sorted(expected.keys() - found.keys())]
    lines += [f"{who}: should not be there" for who in sorted(found.keys() - expected.keys())]
    for who in sorted(expected.keys() & found.keys()):
        wanted, got = expected[who], found[who]
        lines += [
            f"{who}: has no {name}, expected {_short(wanted[name])}" for name in sorted(wanted.keys() - got.keys())
        ]
        lines += [
            f"{who}: {name} should not be set, is {_short(got[name])}" for name in sorted(got.keys() - wanted.keys())
        ]
        lines += [
            f"{who}: {name} is {_short(got[name])}, expected {_short(wanted[name])}"
            for name in sorted(wanted.keys() & got.keys())
            if not same(wanted[name], got[name])
        ]
    return lines if len(lines) <= limit else [*lines[:limit], f"… and {len(lines) - limit} more"]


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1, 1.0 and Decimal("1.00") are one number, True is none; `…:05.5Z` is `…:05.500000Z`."""
    return bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    match value:
        case bool() | None:
            return ("literal", value)
        case float():
            return ("number", Decimal(repr(value)))
        case int() | Decimal():
            return ("number", Decimal(value))
        case str():
            return ("text", re.sub(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d*?)0*Z$", r"\1\2Z", value))
        case list():
            return ("list", [_plain(item) for item in value])
        case Mapping():
            return ("object", {name: _plain(item) for name, item in value.items()})
        case _:
            return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
