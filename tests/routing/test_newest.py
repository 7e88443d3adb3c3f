"""A row folded from its changes: what it asks for as it is now, and whom it still owes a Delete."""

from __future__ import annotations

from typing import Any

import pytest

from stream_sync.formats.unavailable import PLACEHOLDER
from stream_sync.model import Mode, Undecodable
from stream_sync.routing.newest import Decided, Folding, Newest
from tests.routing.table import ANN, Activation, Read, created, deleted, tombstone, updated

GONE = {**ANN, "tier": "none"}


class Fold:
    """One row, and an activation that decides about it."""

    def __init__(self, mode: Mode = "mirror", **settings: Any) -> None:
        self.activation = Activation(mode, **settings)
        self.newest = Newest()
        before_full = settings.get("before", "full") == "full"
        self.folding = Folding(self.activation.plan, self.activation.router, mode, _unheard, before_full=before_full)

    def take(self, *reads: Read, counts: bool = True) -> Fold:
        for read in reads:
            self.folding.fold(self.newest, self.activation.decoder.decode(read), counts=counts)
        return self

    @property
    def decided(self) -> Decided:
        return self.folding.decide(self.newest)

    @property
    def deleted(self) -> list[str]:
        return sorted(intent.identifier for intent in self.decided.deletes)

    @property
    def written(self) -> dict[str, Any] | None:
        write = self.decided.write
        return None if write is None else dict(write.to_send)


def _unheard(_code: str, _name: str) -> None:
    """Nobody asks."""


def test_a_row_is_sent_whole_as_its_newest_change_tells_it() -> None:
    fold = Fold().take(created(ANN), updated(ANN, {**ANN, "name": "Anna"}))

    assert fold.decided.write is not None
    assert (fold.decided.write.kind, fold.decided.write.whole) == ("insert", True)
    assert fold.written is not None
    assert fold.written["name"] == "Anna"
    assert fold.deleted == []


def test_update_mode_never_creates() -> None:
    fold = Fold("update").take(created(ANN))

    assert fold.decided.write is not None
    assert fold.decided.write.kind == "update"


@pytest.mark.parametrize("before", [None, {**ANN, "name": PLACEHOLDER}])
def test_a_column_that_a_change_does_not_tell_keeps_the_older_value(before: dict[str, Any] | None) -> None:
    fold = Fold("upsert").take(created(ANN), updated(before, {**ANN, "name": PLACEHOLDER}))

    assert fold.written is not None
    assert fold.written["name"] == ANN["name"]


def test_a_value_of_before_is_newer_than_what_was_folded() -> None:
    fold = Fold("upsert").take(created(ANN), updated({**ANN, "name": "Anna"}, {**ANN, "name": PLACEHOLDER}))

    assert fold.written is not None
    assert fold.written["name"] == "Anna"


def test_a_value_that_no_change_tells_is_not_sent() -> None:
    fold = Fold("upsert").take(updated(None, {**ANN, "name": PLACEHOLDER}))

    assert fold.written is not None
    assert "name" not in fold.written


def test_a_row_that_left_the_segment_is_deleted_if_it_was_seen_there() -> None:
    assert Fold().take(created(ANN), updated(ANN, GONE)).deleted == ["1"]
    assert Fold().take(updated(ANN, GONE)).deleted == ["1"]
    assert Fold().take(created(GONE)).decided == Decided()
    assert Fold("upsert").take(updated(ANN, GONE)).decided == Decided()


def test_a_deleted_row_is_deleted_and_a_tombstone_changes_nothing() -> None:
    assert Fold().take(created(ANN), deleted(ANN)).deleted == ["1"]
    assert Fold().take(created(ANN), deleted(ANN), tombstone(ANN)).deleted == ["1"]
    assert Fold("upsert").take(created(ANN), deleted(ANN)).decided == Decided()


def test_a_row_that_is_there_again_is_sent() -> None:
    fold = Fold().take(deleted(ANN), tombstone(ANN), created(ANN))

    assert (fold.written is not None, fold.deleted) == (True, [])


def test_a_tombstone_alone_is_a_delete_where_the_key_says_who() -> None:
    assert Fold(where=None).take(tombstone(ANN)).deleted == ["1"]
    assert Fold().take(created(ANN), tombstone(ANN)).deleted == ["1"]


def test_a_person_who_was_the_row_before_is_deleted_too() -> None:
    fold = Fold(identifier="name").take(created(ANN), updated(ANN, {**ANN, "name": "Bea"}))

    assert fold.deleted == [ANN["name"]]
    assert fold.decided.write is not None
    assert fold.decided.write.identifier == "Bea"


def test_who_was_the_row_before_it_counts_is_not_deleted() -> None:
    fold = Fold(identifier="name").take(created(ANN), updated(ANN, {**ANN, "name": "Bea"}), counts=False)
    fold.take(updated({**ANN, "name": "Bea"}, {**ANN, "name": "Bea", "ltv": 5}))

    assert fold.deleted == []


def test_under_a_new_key_the_person_lives_on() -> None:
    moved = deleted(ANN, headers={"__debezium.newkey": b'{"id":2}'})

    assert Fold(identifier="name").take(created(ANN), moved).deleted == []
    assert Fold().take(created(ANN), moved).deleted == ["1"]


def test_after_a_change_that_cannot_be_read_nothing_older_counts() -> None:
    fold = Fold("upsert").take(created(ANN))
    fold.folding.fold(fold.newest, Undecodable("VALUE_CONVERTER", "invalid_json", "…"))

    assert fold.decided == Decided(unsettled="invalid_json")
    fold.take(updated(None, {**ANN, "name": PLACEHOLDER}))
    assert fold.written is not None
    assert "name" not in fold.written


def test_what_an_expression_refuses_stays_unsettled() -> None:
    fold = Fold(identifier="ltv > 1").take(created(ANN))

    assert fold.decided == Decided(unsettled="type_error")


def test_a_delete_whose_row_lacks_a_column_is_settled_by_what_was_told_of_the_row_before() -> None:
    lacking = deleted({name: value for name, value in ANN.items() if name != "tier"})

    assert Fold().take(lacking).decided == Decided(unsettled="column_missing")
    assert Fold().take(created(ANN), lacking).deleted == ["1"]
    moved = {"__debezium.newkey": b'{"id":2}'}
    lacking = deleted({name: value for name, value in ANN.items() if name != "tier"}, headers=moved)
    assert Fold().take(created(ANN), lacking).decided == Decided(unsettled="column_missing")
