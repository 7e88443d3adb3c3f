"""The bench measures what it says: its changes are Debezium's, and a wrong run is noticed."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO

import msgspec
from fastavro import parse_schema, schemaless_reader

from tests.bench.changes import TYPES, Customer, RowChange, debezium_json, generate
from tests.bench.encodings import SCHEMAS, VALUE_ID, confluent_avro, connect_json
from tests.bench.people import differences, fold
from tests.bench.profile import hottest

ANNA = Customer("c1", "Anna@Example.com", "Anna", 7306, 123_456, 0.5, "gold", 3, True)
IN_SEGMENT = {
    "first_name": "Anna",
    "email": "anna@example.com",
    "dob": "1990-01-02",
    "ltv": 1234.56,
    "tier": "gold",
    "orders": 3,
}


def test_the_same_seed_gives_the_same_changes() -> None:
    assert [*generate(500, 100, 7)] == [*generate(500, 100, 7)]
    assert [*generate(500, 100, 7)] != [*generate(500, 100, 8)]


def test_there_are_as_many_changes_as_asked_for() -> None:
    assert [change.number for change in generate(500, 100, 7)] == [*range(500)]


def test_updates_have_the_length_that_the_goals_were_set_for() -> None:
    lengths = [len(debezium_json(change)[1] or b"") for change in generate(5000, 2500, 1) if change.op == "u"]
    assert min(lengths) >= 670
    assert max(lengths) <= 775


def test_a_change_is_a_debezium_envelope_without_schema() -> None:
    key, value = debezium_json(RowChange(0, "u", ANNA, ANNA._replace(first_name=None, lifetime_value=-1)))
    envelope = msgspec.json.decode(value or b"")
    assert msgspec.json.decode(key) == {"customer_id": "c1"}
    assert envelope["before"]["lifetime_value"] == "AeJA"
    assert envelope["after"]["lifetime_value"] == "/w=="
    assert envelope["after"]["birth_date"] == 7306
    assert envelope["op"] == "u"
    assert envelope["before"].keys() == envelope["after"].keys() == {*TYPES, "is_subscriber"}


def test_with_its_schema_an_update_has_the_length_of_real_ones() -> None:
    updates = [change for change in generate(500, 250, 1) if change.op == "u"]
    lengths = [len(connect_json(change)[1] or b"") for change in updates]
    assert min(lengths) >= 4000
    assert max(lengths) <= 5000


def test_every_encoding_says_the_same() -> None:
    change = RowChange(0, "u", ANNA, ANNA._replace(first_name=None, lifetime_value=-1))
    plain = msgspec.json.decode(debezium_json(change)[1] or b"")
    wrapped = msgspec.json.decode(connect_json(change)[1] or b"")
    framed = confluent_avro(change)[1] or b""
    avro = schemaless_reader(BytesIO(framed[5:]), parse_schema(SCHEMAS[VALUE_ID]), None)
    assert framed[:5] == b"\0" + VALUE_ID.to_bytes(4)
    assert isinstance(avro, dict)
    payload = wrapped["payload"]
    assert payload == {**avro, "before": payload["before"], "after": payload["after"]}
    for image, spent in (("before", ANNA.lifetime_value), ("after", -1)):
        assert payload[image] == plain[image]
        assert avro[image] == {**plain[image], "lifetime_value": Decimal(spent) / 100}
    described = {part["field"]: part for part in wrapped["schema"]["fields"]}
    assert described.keys() == payload.keys()
    for part in ("before", "after", "source"):
        assert [field["field"] for field in described[part]["fields"]] == [*payload[part]]


def test_a_tombstone_has_a_key_and_no_value() -> None:
    change = RowChange(0, "tombstone", ANNA, None)
    key, value = connect_json(change)
    assert (msgspec.json.decode(key)["payload"], value) == ({"customer_id": "c1"}, None)
    assert confluent_avro(change) == (b"\0\0\0\0\3\4c1", None)


def test_a_deleted_row_never_comes_back_under_its_id() -> None:
    gone: set[str] = set()
    for change in generate(5000, 200, 3):
        if change.op == "d" and change.before:
            gone.add(change.before.customer_id)
        assert change.after is None or change.after.customer_id not in gone


def test_the_fold_keeps_the_newest_row_in_the_segment() -> None:
    left = ANNA._replace(loyalty_tier="bronze", orders_count=4)
    people = fold([RowChange(0, "c", None, ANNA), RowChange(1, "u", ANNA, left), RowChange(2, "d", left, None)])
    assert people["c1"].most == IN_SEGMENT
    assert people["c1"].least == IN_SEGMENT


def test_an_update_may_carry_what_changed_or_the_whole_row() -> None:
    people = fold([RowChange(0, "u", ANNA, ANNA._replace(orders_count=4))])
    whole = {**IN_SEGMENT, "orders": 4}
    assert differences(people, {"c1": {"orders": 4}}) == []
    assert differences(people, {"c1": whole}) == []
    assert differences(people, {"c1": {**whole, "tier": "silver"}}) == ["c1: tier is 'silver' instead of 'gold'"]
    assert differences(people, {"c1": {"tier": "gold"}}) == ["c1: orders is None instead of 4"]


def test_a_person_too_few_or_too_many_is_noticed() -> None:
    people = fold([RowChange(0, "c", None, ANNA)])
    assert differences(people, {}) == ["c1 is missing"]
    assert differences(people, {"c1": IN_SEGMENT, "c2": IN_SEGMENT}) == ["c2 should not be there"]


def test_a_person_of_whom_nothing_changed_may_be_there_or_not() -> None:
    people = fold([RowChange(0, "u", ANNA, ANNA._replace(is_subscriber=False))])
    assert differences(people, {}) == []
    assert differences(people, {"c1": IN_SEGMENT}) == []


def test_a_profile_is_summed_up_by_function() -> None:
    stacks = "main (app.py:1);take (intake.py:5);decode (envelope.py:9) 6\nmain (app.py:1);take (intake.py:6) 2\n"
    assert hottest(stacks) == [(6, 6, "decode (envelope.py)"), (2, 8, "take (intake.py)"), (0, 8, "main (app.py)")]
