"""NULLs that came as the column's DEFAULT: told once a column, never where NULLs do arrive."""

from __future__ import annotations

from typing import Any

import pytest

from stream_sync.config.settings import Source
from stream_sync.formats.decoder import Decoder, open_decoder
from tests.fixtures.kinds.records import TYPES, Encoding, records
from tests.formats.reading import Held, wrapped

SUSPECTS = {("null_default_suspect", name) for name in ("n", "s", "b", "d", "t")}


def listening(needed: set[str], **settings: Any) -> tuple[Decoder, list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []
    source = Source(topic="wh.marts.people", **settings)
    return open_decoder(source, frozenset(needed), lambda code, name: told.append((code, name))), told


def fields(default: Any = "gold", **tier: Any) -> list[dict[str, Any]]:
    return [{"type": "int32", "field": "id"}, {"type": "string", "field": "tier", "default": default, **tier}]


@pytest.mark.parametrize("capture", ["json-schema", "fl_rwt-json-schema", "fl_default-json-schema"])
def test_a_real_row_of_nulls_is_suspected_once_a_column(capture: Encoding) -> None:
    source, told = listening(set(TYPES["defaults"]), format="flattened" if capture.startswith("fl_") else "debezium")
    for _ in range(2):
        for record in records(capture, "srv.shop.defaults"):
            source.decode(Held(record.value, record.key, record.headers))
    assert len(told) == len(SUSPECTS)
    assert set(told) == SUSPECTS


def test_only_needed_columns_are_watched() -> None:
    source, told = listening({"id", "s"})
    for record in records("json-schema", "srv.shop.defaults"):
        source.decode(Held(record.value, record.key, record.headers))
    assert told == [("null_default_suspect", "s")]


@pytest.mark.parametrize(
    ("columns", "tier", "suspected"),
    [
        (fields(optional=True), "gold", True),
        (fields(optional=True), "silver", False),
        (fields(optional=False), "gold", False),
        (fields(default=None, optional=True), None, False),
        (fields(), "gold", False),
    ],
)
def test_a_nullable_column_that_holds_its_default_is_suspected(
    columns: list[dict[str, Any]], tier: str | None, suspected: bool
) -> None:
    source, told = listening({"id", "tier"})
    source.decode(Held(wrapped(columns, {"id": 1, "tier": tier})))
    assert bool(told) == suspected


def test_a_null_where_a_default_stands_clears_the_schema() -> None:
    source, told = listening({"id", "tier"})
    for tier in (None, "gold"):
        source.decode(Held(wrapped(fields(optional=True), {"id": 1, "tier": tier})))
    assert told == []


def test_another_schema_does_not_tell_a_column_again() -> None:
    source, told = listening({"id", "tier"})
    for default in ("gold", "silver"):
        source.decode(Held(wrapped(fields(default, optional=True), {"id": 1, "tier": default})))
    assert told == [("null_default_suspect", "tier")]
