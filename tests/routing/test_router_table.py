"""What every change means: one test a row of the table in the docs, for each of the three modes."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from stream_sync.errors import HaltError
from stream_sync.model import Change, Intent, Refused
from stream_sync.routing.plan import Target
from tests.routing.table import (
    ANN,
    BASIC,
    MODES,
    TRUNCATED,
    UNAVAILABLE,
    Activation,
    Read,
    created,
    deleted,
    flattened,
    json_bytes,
    key_of,
    record,
    skip_null,
    tombstone,
    updated,
)

EMAIL: dict[str, Any] = {"identifier": "email", "where": None}
ALL: dict[str, Any] = {"where": None}
KEY_ONLY: dict[str, Any] = {"where": None, "before": "key"}
FLAT: dict[str, Any] = {"where": None, "before": "key", "format": "flattened"}
NEW_KEY = "__debezium.newkey"

MOVED = {**ANN, "email": "ann@new.example.com"}
NAMELESS = {**ANN, "email": " "}
NO_EMAIL = {**ANN, "email": None}
BETTER = {**ANN, "ltv": 20}
RENUMBERED = {**ANN, "id": 2}
UNSEEN = {**ANN, "tier": UNAVAILABLE}
WITHOUT_TIER = {name: value for name, value in ANN.items() if name != "tier"}


def row(what: str, setting: dict[str, Any], records: list[Read], *meant: str) -> Any:
    """What happens, to which activation, in which records; what the last of them means for update, upsert and mirror,
    or for all of them."""
    return pytest.param(setting, records, meant if len(meant) == len(MODES) else meant * len(MODES), id=what)


ROWS = [
    row("r, is", {}, [record("r", None, ANN)], "update whole", "insert", "insert"),
    row("c, is", {}, [created(ANN)], "update whole", "insert", "insert"),
    row("c, is not", {}, [created(BASIC)], "nothing", "nothing", "nothing"),
    row("c of somebody who may be in it", {}, [created(UNSEEN)], "nothing: membership_unknown"),
    row("u, was and is", {}, [updated(ANN, BETTER)], "update ltv"),
    row("u, was and is, two values", {}, [updated(ANN, {**BETTER, "name": None})], "update ltv name"),
    row("u, was and is, nothing mapped changed", {}, [updated(ANN, {**ANN, "org": 8})], "unchanged"),
    row("u, nothing changed at all", {}, [updated(ANN, ANN)], "unchanged"),
    row("u, enters", {}, [updated(BASIC, ANN)], "update whole", "insert", "insert"),
    row("u, leaves", {}, [updated(ANN, BASIC)], "nothing", "nothing", "delete"),
    row("u, was ?, is", {}, [updated(UNSEEN, ANN)], "update whole", "insert", "insert"),
    row("u, was ?, is not", {}, [updated(UNSEEN, BASIC)], "nothing", "nothing", "nothing: exit_unknown"),
    row("u, is ?", {}, [updated(UNSEEN, UNSEEN)], "nothing: membership_unknown"),
    row("u, neither was nor is", {}, [updated(BASIC, {**BASIC, "ltv": 9})], "nothing", "nothing", "nothing"),
    row("u without before, no where, key identifies", ALL, [updated(None, ANN)], "update whole"),
    row(
        "u without before, no where, another identifier",
        EMAIL,
        [updated(None, ANN)],
        "update whole",
        "insert",
        "insert",
    ),
    row(
        "u without before, key identifies nobody",
        {**ALL, "identifier": "org", "key": ["org"]},
        [updated(None, {**ANN, "org": None}, key=key_of({"org": None}, ["org"]))],
        "nothing: identifier_missing",
    ),
    row("u under before: key", KEY_ONLY, [updated(ANN, BETTER)], "update whole"),
    row("d, was", {}, [deleted(ANN)], "nothing", "nothing", "delete"),
    row("d, was not", {}, [deleted(BASIC)], "nothing", "nothing", "nothing"),
    row("d, was nobody", EMAIL, [deleted(NAMELESS)], "nothing", "nothing", "nothing"),
    row("d, was ?, key identifies, no where", ALL, [deleted(None, key=key_of(ANN))], "nothing", "nothing", "delete"),
    row("d, was ?, key identifies nobody", ALL, [deleted(None, key=key_of({}))], "nothing", "nothing", "nothing"),
    row("d, was ?, key identifies, where", {}, [deleted(UNSEEN)], "nothing", "nothing", "nothing: exit_unknown"),
    row(
        "d, was ?, another identifier",
        EMAIL,
        [deleted(None, key=key_of(ANN))],
        "nothing",
        "nothing",
        "nothing: exit_unknown",
    ),
    row("d under before: key", KEY_ONLY, [deleted({**dict.fromkeys(ANN), "id": 1})], "nothing", "nothing", "delete"),
    row("t", {}, [TRUNCATED], "nothing: truncate_ignored"),
    row("t of everybody", ALL, [TRUNCATED], "nothing: truncate_ignored"),
    row("tombstone after its d", ALL, [deleted(ANN), tombstone(ANN)], "nothing", "nothing", "nothing"),
    row(
        "tombstone after the d of another key",
        ALL,
        [deleted(RENUMBERED), tombstone(ANN)],
        "nothing",
        "nothing",
        "delete",
    ),
    row("tombstone alone", ALL, [tombstone(ANN)], "nothing", "nothing", "delete"),
    row("tombstone alone, before: key", KEY_ONLY, [tombstone(ANN)], "nothing", "nothing", "delete"),
    row("tombstone alone, where", {}, [tombstone(ANN)], "nothing", "nothing", "nothing: exit_unknown"),
    row("tombstone alone, another identifier", EMAIL, [tombstone(ANN)], "nothing", "nothing", "nothing: exit_unknown"),
    row(
        "the second tombstone of a key",
        ALL,
        [deleted(ANN), tombstone(ANN), tombstone(ANN)],
        "nothing",
        "nothing",
        "delete",
    ),
    row(
        "tombstone of a row that came back after its d",
        ALL,
        [deleted(ANN), created(ANN), tombstone(ANN)],
        "nothing",
        "nothing",
        "delete",
    ),
    # identifiers
    row("c without identifier", EMAIL, [created(NO_EMAIL)], "nothing: identifier_missing"),
    row("c with a blank identifier", EMAIL, [created(NAMELESS)], "nothing: identifier_missing"),
    row(
        "c without identifier, outside",
        {**EMAIL, "where": "tier = 'gold'"},
        [created({**NO_EMAIL, "tier": "basic"})],
        "nothing",
        "nothing",
        "nothing",
    ),
    row("u, gets an identifier", EMAIL, [updated(NO_EMAIL, ANN)], "update whole", "insert", "insert"),
    row(
        "u, loses its identifier",
        EMAIL,
        [updated(ANN, NO_EMAIL)],
        "nothing: identifier_missing",
        "nothing: identifier_missing",
        "delete (identifier_missing)",
    ),
    row(
        "u, was ?, without identifier",
        EMAIL,
        [updated({**ANN, "email": UNAVAILABLE}, NAMELESS)],
        "nothing: identifier_missing",
        "nothing: identifier_missing",
        "nothing: exit_unknown (identifier_missing)",
    ),
    row(
        "u, another identifier",
        EMAIL,
        [updated(ANN, MOVED)],
        "update whole",
        "insert",
        "insert ann@new.example.com, delete ann@example.com after it",
    ),
    row(
        "u, another identifier, leaves",
        {**EMAIL, "where": "tier = 'gold'"},
        [updated(ANN, {**MOVED, "tier": "basic"})],
        "nothing",
        "nothing",
        "delete",
    ),
    row(
        "u, the same identifier written otherwise",
        EMAIL,
        [updated(ANN, {**ANN, "email": " Ann@Example.com "})],
        "unchanged",
    ),
    row(
        "u, the identifier is unavailable on both sides",
        EMAIL,
        [updated({**ANN, "email": UNAVAILABLE}, {**BETTER, "email": UNAVAILABLE})],
        "nothing: membership_unknown",
    ),
    # key changes
    row(
        "c of a key change",
        ALL,
        [created(RENUMBERED, headers={"__debezium.oldkey": key_of(ANN)})],
        "update whole",
        "insert",
        "insert",
    ),
    row(
        "d of a key change", ALL, [deleted(ANN, headers={NEW_KEY: key_of(RENUMBERED)})], "nothing", "nothing", "delete"
    ),
    row(
        "d of a key change, before: key",
        KEY_ONLY,
        [deleted(None, key=key_of(ANN), headers={NEW_KEY: key_of(RENUMBERED)})],
        "nothing",
        "nothing",
        "delete",
    ),
    row("d of a key change, outside", {}, [deleted(BASIC, headers={NEW_KEY: key_of(RENUMBERED)})], "nothing"),
    row(
        "d of a key change that leaves the identifier",
        {**ALL, "identifier": "org", "key": ["org", "id"]},
        [deleted(ANN, key=key_of(ANN, ["org", "id"]), headers={NEW_KEY: key_of(RENUMBERED, ["org", "id"])})],
        "nothing",
    ),
    row(
        "d of a key change, another identifier", EMAIL, [deleted(ANN, headers={NEW_KEY: key_of(RENUMBERED)})], "nothing"
    ),
    row(
        "d of a key change that cannot be read",
        ALL,
        [deleted(ANN, headers={NEW_KEY: b"Struct{id=2}"})],
        "nothing",
        "nothing",
        "delete",
    ),
    row(
        "d of a key change that cannot be read, part of the key identifies",
        {**ALL, "identifier": "org", "key": ["org", "id"]},
        [deleted(ANN, key=key_of(ANN, ["org", "id"]), headers={NEW_KEY: b"Struct{org=7,id=2}"})],
        "nothing",
        "nothing",
        "nothing: exit_unknown",
    ),
    row(
        "tombstone of a key change",
        ALL,
        [deleted(ANN, headers={NEW_KEY: key_of(RENUMBERED)}), Read(None, key_of(ANN), {NEW_KEY: key_of(RENUMBERED)})],
        "nothing",
        "nothing",
        "nothing",
    ),
    row(
        "tombstone of a key change alone",
        ALL,
        [Read(None, key_of(ANN), {NEW_KEY: key_of(RENUMBERED)})],
        "nothing",
        "nothing",
        "delete",
    ),
    # flattened
    row("flattened row", FLAT, [flattened(ANN)], "update whole", "insert", "insert"),
    row("flattened row, changed", FLAT, [flattened(BETTER, __op="u", __deleted="false")], "update whole"),
    row("flattened null", FLAT, [tombstone(ANN)], "nothing", "nothing", "delete"),
    row("flattened __deleted", FLAT, [flattened(ANN, __deleted="true")], "nothing", "nothing", "delete"),
    row("flattened null after its __deleted", FLAT, [flattened(ANN, __deleted="true"), tombstone(ANN)], "nothing"),
    row(
        "flattened null after another row of its key",
        FLAT,
        [flattened(ANN, __deleted="true"), flattened(ANN), tombstone(ANN)],
        "nothing",
        "nothing",
        "delete",
    ),
    # a null key
    row("c without key", ALL, [created(ANN, key=None)], "update whole", "insert", "letter: KEY_CONVERTER no_key"),
    row("d without key", ALL, [deleted(ANN, key=None)], "nothing", "nothing", "letter: KEY_CONVERTER no_key"),
    row("tombstone without key", ALL, [Read(None, None)], "nothing", "nothing", "letter: KEY_CONVERTER no_key"),
    # columns that are gone, values that cannot be had, expressions that fail
    row("where's column is gone", {}, [created(WITHOUT_TIER)], "letter: TRANSFORMATION column_missing"),
    row(
        "where's column is gone on the before side",
        {},
        [updated(WITHOUT_TIER, ANN)],
        "update whole",
        "insert",
        "insert",
    ),
    row(
        "the identifier's column is gone",
        {**EMAIL, "identifier": "coalesce(email, name)"},
        [created({"id": 1, "name": "Ann", "ltv": 1})],
        "letter: TRANSFORMATION column_missing",
    ),
    row(
        "a mapped column is gone",
        {"fields": {"tier": "tier", "ltv": "ltv"}, "where": None},
        [created(WITHOUT_TIER)],
        "update whole (column_missing)",
        "insert (column_missing)",
        "insert (column_missing)",
    ),
    row("where fails", {"where": "10 / ltv > 1"}, [created({**ANN, "ltv": 0})], "letter: TRANSFORMATION type_error"),
    row(
        "where fails on the before side, is",
        {"where": "10 / ltv > 1"},
        [updated({**ANN, "ltv": 0}, {**ANN, "ltv": 2})],
        "update whole",
        "insert",
        "insert",
    ),
    row(
        "where fails on the before side, is not",
        {"where": "10 / ltv > 1"},
        [updated({**ANN, "ltv": 0}, {**ANN, "ltv": 10})],
        "nothing",
        "nothing",
        "nothing: exit_unknown",
    ),
    row(
        "where fails in a d",
        {"where": "10 / ltv > 1"},
        [deleted({**ANN, "ltv": 0})],
        "nothing",
        "nothing",
        "nothing: exit_unknown",
    ),
    row(
        "where's column is gone in a d",
        {},
        [deleted(WITHOUT_TIER)],
        "nothing",
        "nothing",
        "letter: TRANSFORMATION column_missing",
    ),
    row(
        "where's column is gone in a d of a changed key, another person",
        {},
        [deleted(WITHOUT_TIER, headers={NEW_KEY: b'{"id":2}'})],
        "nothing",
        "nothing",
        "letter: TRANSFORMATION column_missing",
    ),
    row(
        "where's column is gone in a d of a changed key, the same person",
        {"key": ["id", "org"]},
        [deleted(WITHOUT_TIER, key=json_bytes({"id": 1, "org": 7}), headers={NEW_KEY: b'{"id":1,"org":8}'})],
        "nothing",
    ),
    row(
        "an identifier's column is gone in a d of a changed key that does not identify",
        EMAIL,
        [deleted({"id": 1, "name": "Ann"}, headers={NEW_KEY: b'{"id":2}'})],
        "nothing",
    ),
    row(
        "an identifier's column is gone in a d whose key has it",
        ALL,
        [deleted({"name": "Ann"}, key=key_of(ANN))],
        "nothing",
        "nothing",
        "delete",
    ),
    row(
        "a mapped expression fails",
        {"fields": {"part": "10 / ltv"}},
        [created({**ANN, "ltv": 0})],
        "letter: TRANSFORMATION type_error",
    ),
    row(
        "a mapped expression failed before",
        {"fields": {"part": "10 / ltv"}},
        [updated({**ANN, "ltv": 0}, {**ANN, "ltv": 2})],
        "update part",
    ),
    row("where is NULL", {"where": "ltv > 5"}, [created({**ANN, "ltv": None})], "nothing", "nothing", "nothing"),
    row("before stands in for an unavailable where", {}, [updated(ANN, {**UNSEEN, "ltv": 11})], "update ltv"),
    row("before stands in for an unavailable value", {}, [updated(ANN, {**BETTER, "name": UNAVAILABLE})], "update ltv"),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("setting", "records", "meant"), ROWS)
def test_what_a_change_means(mode: Any, setting: dict[str, Any], records: list[Read], meant: tuple[str, ...]) -> None:
    assert Activation(mode, **setting).say(*records) == meant[MODES.index(mode)]
    warm = Activation(mode, **setting)
    warm.warm_up()
    assert warm.say(*records) == meant[MODES.index(mode)]


def intent(activation: Activation, *reads: Read, doubt: bool = False) -> Intent:
    activation.warm_up()
    decision = [activation.decide(read, doubt=doubt) for read in reads][-1]
    assert isinstance(decision, Intent), decision
    return decision


def test_an_insert_is_the_mapped_row() -> None:
    found = intent(Activation("upsert", fields={"name": "upper(name)", "ltv": "ltv"}), created(ANN))
    assert (found.identified_by, found.identifier) == ("external_id", "1")
    assert found.to_send == found.values == {"name": "ANN", "ltv": 10}


def test_an_update_carries_the_whole_row_and_sends_what_changed() -> None:
    found = intent(Activation("update"), updated(ANN, BETTER))
    assert found.to_send == {"ltv": 20}
    assert found.values == {"ltv": 20, "name": "Ann"}
    assert found.as_whole().to_send == {"ltv": 20, "name": "Ann"}


def test_a_null_is_a_change() -> None:
    assert intent(Activation("update"), updated(ANN, {**ANN, "name": None})).to_send == {"name": None}


def test_an_expression_of_several_columns_is_compared_by_its_value() -> None:
    activation = Activation("update", fields={"sum": "ltv + org", "name": "name"})
    assert activation.say(updated(ANN, {**ANN, "ltv": 11, "org": 6})) == "unchanged"
    assert intent(activation, updated(ANN, {**ANN, "ltv": 11})).to_send == {"sum": 18}


@pytest.mark.parametrize(
    ("was", "now", "changed"),
    [
        ("1", "true", True),
        ("0", "false", True),
        ("1", "1.0", False),
        ("[1]", "[true]", True),
        ('{"a":0}', '{"a":false}', True),
    ],
)
def test_a_number_and_a_truth_value_are_not_equal(was: str, now: str, changed: bool) -> None:
    activation = Activation("update", fields={"flag": "profile->'flag'"})
    activation.warm_up()
    change = updated({**ANN, "profile": f'{{"flag":{was}}}'}, {**ANN, "profile": f'{{"flag":{now}}}'})
    assert activation.say(change) == ("update flag" if changed else "unchanged")


def test_an_unavailable_value_is_not_sent() -> None:
    created_by_key_change = created({**ANN, "name": UNAVAILABLE})
    assert intent(Activation("upsert"), created_by_key_change).values == {"ltv": 10}
    both = updated({**ANN, "name": UNAVAILABLE}, {**BETTER, "name": UNAVAILABLE})
    assert intent(Activation("upsert"), both).values == {"ltv": 20}


def test_a_value_that_the_row_before_did_not_tell_may_have_changed() -> None:
    found = intent(Activation("update"), updated({**ANN, "name": UNAVAILABLE}, ANN))
    assert found.to_send == {"name": "Ann"}


def test_the_value_before_is_the_whole_rows_where_the_new_one_is_unavailable() -> None:
    found = intent(Activation("update"), updated(ANN, {**BETTER, "name": UNAVAILABLE}))
    assert found.values == {"ltv": 20, "name": "Ann"}


def test_a_missing_column_is_told_by_its_name_and_left_out() -> None:
    activation = Activation("upsert", fields={"level": "tier", "ltv": "ltv"}, where=None)
    assert intent(activation, created(WITHOUT_TIER)).values == {"ltv": 10}
    assert activation.notices == [("column_missing", "level")]


def test_an_infinite_time_is_told_and_left_out() -> None:
    activation = Activation("upsert", fields={"seen": "seen_at", "ltv": "ltv"})
    assert intent(activation, created({**ANN, "seen_at": 9223372036825200000})).values == {"ltv": 10}
    assert ("value_unrepresentable", "seen") in activation.notices


# --- whole or changed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_send_whole(mode: Any) -> None:
    activation = Activation(mode, whole=True)
    assert intent(activation, updated(ANN, BETTER)).to_send == {"ltv": 20, "name": "Ann"}
    assert activation.say(updated(ANN, ANN)) == "unchanged"


@pytest.mark.parametrize("mode", MODES)
def test_a_value_that_is_null_now_and_so_not_sent_is_a_change_of_the_whole_row(mode: Any) -> None:
    changed, whole = Activation(mode), Activation(mode, whole=True)
    for activation in (changed, whole):
        targets = tuple(
            Target(target.name, target.expression, skip_null, skip_null) for target in activation.plan.targets
        )
        activation.router = activation.router_of(msgspec.structs.replace(activation.plan, targets=targets))
    nameless = {**ANN, "name": None}
    assert changed.say(updated(ANN, nameless)).startswith("unchanged")
    assert intent(whole, updated(ANN, nameless)).to_send == {"ltv": 10}
    assert whole.say(updated(nameless, nameless)).startswith("unchanged")


@pytest.mark.parametrize("mode", MODES)
def test_in_doubt_the_whole_row_is_sent_even_where_nothing_changed(mode: Any) -> None:
    activation = Activation(mode)
    assert activation.say(updated(ANN, BETTER), doubt=True) == "update whole"
    assert activation.say(updated(ANN, ANN), doubt=True) == "update whole"
    assert activation.say(updated(BASIC, BASIC), doubt=True) == "nothing"


# --- what halts -----------------------------------------------------------------------------------------------------


def test_a_mirror_with_where_halts_at_an_update_without_before() -> None:
    with pytest.raises(HaltError, match="REPLICA IDENTITY FULL") as error:
        Activation("mirror").decide(updated(None, ANN))
    assert error.value.reason == "before_missing"
    assert Activation("update").say(updated(None, ANN)) == "update whole"
    assert Activation("upsert").say(updated(None, ANN)) == "insert"


@pytest.mark.parametrize(
    ("setting", "halts"),
    [
        ({"where": None}, False),
        ({"where": "tier = 'gold'"}, True),
        ({"where": None, "identifier": "email"}, True),
        ({"where": None, "identifier": "id || '-' || org"}, True),
        ({"where": None, "identifier": "id || '-' || org", "key": ["org", "id"]}, False),
        ({"where": None, "key": None}, True),
        ({"where": None, "identifier": "'everybody'"}, True),
    ],
)
def test_a_mirror_needs_before_images_unless_the_key_identifies_everybody(setting: Any, halts: bool) -> None:
    befores: tuple[Literal["key", "full"], ...] = ("key", "full")
    for before in befores:
        if halts and before == "key":
            with pytest.raises(HaltError, match="before: full") as error:
                Activation("mirror", before="key", **setting)
            assert error.value.reason == "before_not_full"
        else:
            Activation("mirror", before=before, **setting)
    Activation("upsert", before="key", **setting)


# --- tombstones -----------------------------------------------------------------------------------------------------


def test_a_tombstone_awaited_on_one_partition_is_another_one_elsewhere() -> None:
    activation = Activation("mirror", where=None)
    activation.decide(deleted(ANN))
    assert activation.say(Read(None, key_of(ANN), partition=1)) == "delete"


def test_the_delete_of_a_key_names_the_person_as_the_write_did() -> None:
    activation = Activation("mirror", where=None, identifier="id || '/' || org", key=["id", "org"], before="key")
    key = json_bytes({"id": 1, "org": 7})
    inserted = intent(activation, created(ANN, key=key))
    gone = intent(activation, Read(None, key))
    assert gone.identifier == inserted.identifier == "1/7"


def test_documents_that_differ_too_deep_down_are_taken_for_changed() -> None:
    def deep(leaf: str) -> str:
        return '{"a":' * 400 + leaf + "}" * 400

    activation = Activation("update", fields={"profile": "profile"})
    activation.warm_up()
    found = intent(activation, updated({**ANN, "profile": deep("1")}, {**ANN, "profile": deep("true")}))
    assert list(found.to_send) == ["profile"]


@pytest.mark.parametrize("read", [created(ANN), updated(ANN, BETTER)])
def test_a_defect_of_ours_is_the_row_s_dead_letter_and_tells_no_value(read: Any) -> None:
    def fail(value: Any) -> Any:
        raise LookupError(value)

    activation = Activation("upsert")
    targets = tuple(msgspec.structs.replace(target, form=fail) for target in activation.plan.targets)
    broken = activation.router_of(msgspec.structs.replace(activation.plan, targets=targets))
    change = activation.decoder.decode(read)
    assert isinstance(change, Change)
    assert broken.route(change) == Refused("TRANSFORMATION", "type_error", "the row cannot be mapped (LookupError)")
