"""Unchanged TOAST and its like, in every shape (Debezium 3.6.3)."""

from __future__ import annotations

from typing import Any

import pytest

from stream_sync.formats.unavailable import PLACEHOLDER
from stream_sync.model import Absent
from tests.fixtures.kinds.records import CUSTOMERS_TYPES, Encoding, records
from tests.formats.reading import Held, changed, decoder, envelope, value, values, wrapped

BASE64 = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="
UUID = "b68a35a7-17ad-35b3-af2a-ae46edb4545a"
CODES = [95, 95, 100, 101, 98, 101, 122, 105, 117, 109, 95, 117, 110, 97, 118, 97, 105, 108, 97, 98, 108, 101, 95,
         118, 97, 108, 117, 101]  # fmt: skip
HSTORE = f'{{"{PLACEHOLDER}":"{PLACEHOLDER}"}}'

SHAPES: list[tuple[str, Any]] = [
    ("text", PLACEHOLDER),
    ("text", BASE64),
    ("text", HSTORE),
    *(("json", wire) for wire in ([PLACEHOLDER], CODES, [UUID], [BASE64], BASE64)),
    ("json", PLACEHOLDER),
    ("json", HSTORE),
    ("json", {PLACEHOLDER: PLACEHOLDER}),
    ("bytes", BASE64),
    ("bytes", PLACEHOLDER),
    ("array(text)", [PLACEHOLDER]),
    ("array(json)", [PLACEHOLDER]),
    ("array(int)", CODES),
    ("array(date)", CODES),
    ("array(uuid)", [UUID]),
    ("array(bytes)", [BASE64]),
    ("decimal(2)", PLACEHOLDER),
]


@pytest.mark.parametrize(("kind", "wire"), SHAPES, ids=lambda v: str(v)[:30])
def test_a_whole_value_of_this_shape_is_unavailable(kind: str, wire: Any) -> None:
    source = decoder({"id": "int", "x": kind})
    # Without spaces, as JsonConverter writes: an array of codes is found by its bytes.
    change = changed(source, envelope({"id": 1, "x": wire}).replace(b", ", b","))
    assert change.incomplete
    assert change.columns.raw("x")(change.after) is Absent.UNAVAILABLE
    assert value(change.columns, change.after, "id") == 1


@pytest.mark.parametrize("wire", [PLACEHOLDER, HSTORE, BASE64, [PLACEHOLDER], CODES, [UUID]], ids=lambda v: str(v)[:30])
def test_a_column_shown_as_json_knows_every_shape(wire: Any) -> None:
    change = changed(decoder({"*": "json"}, ["x"]), envelope({"x": wire}).replace(b", ", b","))
    assert change.columns.raw("x")(change.after) is Absent.UNAVAILABLE


@pytest.mark.parametrize(
    ("kind", "wire"),
    [
        ("text", f"about {PLACEHOLDER}"),
        ("json", f'{{"a": "{PLACEHOLDER}"}}'),
        ("json", {"a": PLACEHOLDER}),
        ("array(text)", [PLACEHOLDER, "b"]),
        ("array(int)", CODES[:-1]),
    ],
    ids=lambda v: str(v)[:30],
)
def test_the_same_inside_a_longer_value_is_data(kind: str, wire: Any) -> None:
    change = changed(decoder({"x": kind}), envelope({"x": wire}).replace(b", ", b","))
    assert not change.incomplete
    assert change.columns.raw("x")(change.after) == wire


def test_a_placeholder_in_a_column_nobody_needs_changes_nothing() -> None:
    change = changed(decoder({"id": "int"}), envelope({"id": 1, "bio": PLACEHOLDER}))
    assert not change.incomplete


def test_before_can_hold_one_too() -> None:
    change = changed(decoder({"x": "text"}), envelope({"x": "new"}, before={"x": PLACEHOLDER}))
    assert change.incomplete
    assert change.columns.raw("x")(change.before) is Absent.UNAVAILABLE


def test_with_a_schema_it_is_found_as_well() -> None:
    fields = [{"type": "bytes", "field": "b"}, {"type": "string", "field": "t"}]
    change = changed(decoder({}, ["b", "t"]), wrapped(fields, {"b": BASE64, "t": HSTORE}))
    assert change.columns.raw("b")(change.after) is Absent.UNAVAILABLE
    assert change.columns.raw("t")(change.after) is Absent.UNAVAILABLE


@pytest.mark.parametrize("encoding", ["json", "json-schema"])
def test_every_shape_of_a_real_update_and_of_the_create_after_a_key_change(encoding: Encoding) -> None:
    source = decoder({} if encoding == "json-schema" else CUSTOMERS_TYPES, CUSTOMERS_TYPES)
    absent = []
    for record in records(encoding, "srv.shop.customers"):
        change: Any = source.decode(Held(record.value, record.key, record.headers))
        row = values(change.columns, change.after, CUSTOMERS_TYPES) if change.after is not None else {}
        unavailable = {name for name, found in row.items() if found is Absent.UNAVAILABLE}
        if unavailable:
            absent.append((change.op, unavailable))
        assert change.incomplete or not unavailable
    toasted = {"meta", "raw", "doc", "tags", "nums", "uids", "attrs", "bio", "blob"}
    assert absent == [("u", toasted), ("c", toasted)]


def test_before_stands_in_where_it_knows() -> None:
    change = changed(
        decoder({"a": "text", "b": "text", "c": "text", "d": "text"}),
        envelope(
            {"a": PLACEHOLDER, "b": PLACEHOLDER, "c": "new", "d": PLACEHOLDER},
            before={"a": "old", "b": None, "c": "old", "d": PLACEHOLDER},
        ),
    )
    change.columns.fill(change.after, change.before)
    assert values(change.columns, change.after, "abcd") == {"a": "old", "b": None, "c": "new", "d": Absent.UNAVAILABLE}
