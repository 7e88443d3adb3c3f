"""Schemaless JSON whose types nobody declared: the halt, and what it proposes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream_sync.errors import HaltError
from stream_sync.formats.types_missing import TypesMissingError, propose
from stream_sync.model import Absent, Change, NotAChange, Undecodable
from tests.formats.reading import Held, changed, decoder, envelope, wrapped

PROPOSALS: list[tuple[Any, str]] = [
    (None, "only NULL: ask the table's definition"),
    (Absent.MISSING, "not in the records: ask the table's definition"),
    (True, "bool"),
    (1, "int or bool"),
    (5172, "int or date"),
    (47655123, "int or milli_time"),
    (47655123456, "int or micro_time"),
    (1704164645123, "timestamp or int"),
    (1704164645123456, "micro_timestamp or int"),
    (1704164645123456000, "nano_timestamp or int"),
    (0.348787, "float or decimal(6)"),
    (1e300, "float or decimal(2)"),
    ("AeJA", "decimal(2) or bytes or text"),
    ("/w==", "decimal(2) or bytes or text"),
    ("gold", "text or decimal(2) or bytes"),
    ("1234.56", "decimal(2) or text"),
    ("12345", "text"),
    ("+46701234567", "text"),
    ("Ann Ünï", "text"),
    ("", "text or bytes"),
    ("QUJD" * 20, "text or bytes"),
    ("q83vASNFZ4k" * 4, "bytes or text"),
    ("2024-01-02T01:04:05.123456Z", "zoned_timestamp"),
    ("1984-02-29Z", "date"),
    ("11:14:15.123456Z", "time"),
    ("P1Y2M3DT4H5M6.789S", "duration"),
    ("11111111-2222-3333-4444-555555555555", "uuid"),
    ('{"a": 1}', "json"),
    ({"a": 1}, "json"),
    ({"scale": 9, "value": "AbabS6zQXxU="}, "decimal(9)"),
    (["a", "b"], "array(text)"),
    ([1], "array(int) or array(bool)"),
    ([], "array(text)"),
]


@pytest.mark.parametrize(("wire", "expected"), PROPOSALS, ids=lambda v: str(v)[:30])
def test_a_proposal_names_every_type_that_fits(wire: Any, expected: str) -> None:
    assert str(propose(wire)) == expected


@pytest.mark.parametrize(("op", "code"), [("c", "unknown_shape"), ("x", "unknown_op")])
def test_a_record_without_a_row_says_nothing_of_types(op: str, code: str) -> None:
    source = decoder({"id": "int"}, ["id", "ltv"])
    found = source.decode(Held(json.dumps({"before": None, "after": None, "op": op, "source": {}}).encode()))
    assert isinstance(found, Undecodable)
    assert found.code == code


@pytest.mark.parametrize(("op", "after"), [("d", None), ("c", {}), ("u", {"id": 1})])
def test_what_may_be_of_a_row_halts(op: str, after: dict[str, Any] | None) -> None:
    source = decoder({"id": "int"}, ["id", "ltv"])
    with pytest.raises(TypesMissingError):
        source.decode(Held(json.dumps({"before": None, "after": after, "op": op, "source": {}}).encode(), b'{"id":1}'))


def test_a_row_halts_naming_all_columns_at_once() -> None:
    source = decoder({"id": "int"}, ["id", "ltv", "born", "gone"])
    with pytest.raises(TypesMissingError) as caught:
        source.decode(Held(envelope({"id": 1, "ltv": "AeJA", "born": 5172})))
    assert isinstance(caught.value, HaltError)
    assert caught.value.reason == "types_missing"
    assert {name: str(proposal) for name, proposal in caught.value.proposals.items()} == {
        "born": "date or int",
        "gone": "not in the records: ask the table's definition",
        "ltv": "decimal(2) or bytes or text",
    }
    assert "AeJA" not in str(caught.value)
    assert "`types:`" in str(caught.value)


def test_a_delete_is_guessed_from_its_before() -> None:
    with pytest.raises(TypesMissingError, match="ltv: decimal"):
        decoder({}, ["ltv"]).decode(Held(envelope(None, "d", {"ltv": "AeJA"}), b'{"id":1}'))


def test_control_records_do_not_halt() -> None:
    assert decoder({}, ["ltv"]).decode(Held(b'{"ts_ms":1}')) == NotAChange("heartbeat")


def test_with_a_schema_nothing_is_missing() -> None:
    data = wrapped([{"type": "string", "field": "ltv"}], {"ltv": "AeJA"})
    assert isinstance(decoder({}, ["ltv"]).decode(Held(data)), Change)


def test_any_other_column_as_json_is_enough() -> None:
    assert changed(decoder({"*": "json"}, ["ltv"]), envelope({"ltv": "AeJA"})).op == "u"
