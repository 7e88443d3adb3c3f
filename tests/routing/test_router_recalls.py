"""What a mirror of a segment asks the last-delivered state, where the source does not show the row before."""

from __future__ import annotations

from typing import Any

import pytest

from stream_sync.errors import HaltError
from tests.routing.table import (
    ANN,
    Activation,
    Read,
    created,
    deleted,
    flattened,
    record,
    tombstone,
    updated,
)

OUT = {**ANN, "tier": "none"}
KEYS: dict[str, Any] = {"before": "key", "recalls": True}
ASKED = f"delete if known: {ANN['id']}"


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        ([created(ANN)], "insert"),
        ([created(OUT)], ASKED),
        ([record("r", None, OUT)], ASKED),
        ([updated(ANN, OUT)], ASKED),
        ([updated(OUT, OUT)], ASKED),
        ([updated(OUT, ANN)], "insert"),
        ([deleted(ANN)], ASKED),
        ([deleted(ANN), tombstone(ANN)], "nothing"),
        ([tombstone(ANN)], ASKED),
    ],
)
def test_whoever_is_outside_may_have_been_inside(reads: list[Read], said: str) -> None:
    assert Activation("mirror", **KEYS).say(*reads) == said


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        ([flattened(ANN)], "insert"),
        ([flattened(OUT)], ASKED),
        ([flattened(OUT, __op="u")], ASKED),
        ([flattened(OUT, __op="c")], ASKED),
        ([flattened(ANN, __deleted="true")], ASKED),
        ([flattened(ANN, __deleted="true"), tombstone(ANN)], "nothing"),
        ([tombstone(ANN)], ASKED),
    ],
)
def test_so_in_flattened_records(reads: list[Read], said: str) -> None:
    assert Activation("mirror", format="flattened", **KEYS).say(*reads) == said


@pytest.mark.parametrize("mode", ["update", "upsert"])
def test_no_other_mode_asks(mode: Any) -> None:
    activation = Activation(mode, **KEYS)
    assert [activation.say(read) for read in (updated(ANN, OUT), deleted(ANN), tombstone(ANN))] == ["nothing"] * 3


def test_a_mirror_that_sees_the_row_before_and_one_of_everybody_need_not_ask() -> None:
    assert Activation("mirror", recalls=True).say(updated(ANN, OUT)) == "delete"
    assert Activation("mirror", recalls=True).say(tombstone(ANN)) == "nothing: exit_unknown"
    assert Activation("mirror", where=None, **KEYS).say(deleted(ANN)) == "delete"


def test_the_identifier_must_be_of_the_key_all_the_same() -> None:
    with pytest.raises(HaltError, match="a `state` knows"):
        Activation("mirror", identifier="name", **KEYS)
    with pytest.raises(HaltError):
        Activation("mirror", before="key")


def test_by_a_part_of_the_key_a_person_may_have_another_row_that_is_in_the_segment() -> None:
    with pytest.raises(HaltError, match="By all key columns"):
        Activation("mirror", key=("id", "org"), **KEYS)


def test_what_cannot_be_decided_asks_nobody() -> None:
    toast = {**ANN, "tier": "__debezium_unavailable_value"}
    assert Activation("mirror", **KEYS).say(updated(ANN, toast)).startswith("nothing: membership_unknown")
