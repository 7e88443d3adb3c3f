"""What a plan counts: intents by what they carry, in a bounded place."""

from __future__ import annotations

import pytest

from stream_sync.config.settings import Deletes
from stream_sync.model import Change, Decision, Intent, Nothing, Refused
from stream_sync.rehearsal import tally as tallies
from stream_sync.rehearsal.tally import Tally
from stream_sync.routing.router import EXIT_UNKNOWN
from stream_sync.sinks.foreseen import Counted
from tests.routing.table import ANN, Activation, created

NAMES = ("name", "ltv")


def change(ts_ms: int = 0) -> Change:
    activation = Activation("mirror")
    found = activation.decoder.decode(created(ANN))
    assert isinstance(found, Change)
    found.ts_ms = ts_ms
    return found


def take(tally: Tally, *decisions: Decision) -> Tally:
    tally.take([change()] * len(decisions), decisions)
    return tally


def update(who: str, *names: str) -> Intent:
    return Intent("update", who, "external_id", dict.fromkeys(names, 1), whole=False)


def insert(who: str) -> Intent:
    return Intent("insert", who, "external_id", dict.fromkeys(NAMES, 1))


def delete(who: str) -> Intent:
    return Intent("delete", who, "external_id")


def test_it_counts_by_kind_and_by_what_an_update_carries() -> None:
    tally = take(
        Tally(NAMES, None),
        insert("a"),
        update("a", "ltv"),
        update("b", *NAMES),
        (insert("c"), delete("a")),
        delete("b"),
    )
    assert tally.kinds == {"insert": 2, "update": 2, "delete": 2}
    assert tally.updated == {"ltv": 2, "name": 1}
    assert Counted("update", "external_id", ("ltv",), 1) in tally.counted
    assert tally.people.size == 3


def test_it_counts_why_nothing_is_sent() -> None:
    tally = take(Tally(NAMES, None), Nothing("unchanged"), EXIT_UNKNOWN, Refused("TRANSFORMATION", "type_error", "…"))
    assert tally.nothing == {"unchanged": 1, "unknown": 1}
    assert tally.warnings == {"exit_unknown": 1}
    assert tally.letters == {"type_error": 1}


def test_who_is_deleted_and_comes_back_is_not_gone() -> None:
    deletes = Deletes(after=60, max=1, per=3600)
    tally = take(Tally(NAMES, deletes), delete("a"), delete("b"), delete("c"), update("b", "ltv"))
    assert len(tally.gone) == 2
    assert tally.deletes is not None
    assert tally.deletes.cancelled == 1
    assert tally.deletes.peak()[0] == 3


def test_too_many_kinds_of_updates_are_counted_as_whole_rows_and_by_name_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tallies, "MOST_SHAPES", 10)
    names = [f"n{number}" for number in range(30)]
    tally = Tally(names, None)
    for name in names:
        take(tally, update("a", name))
    assert tally.is_rounded
    assert tally.updated == dict.fromkeys(names, 1)
    assert sum(each.count for each in tally.counted) == tally.kinds["update"] == 30
    assert len(tally.counted) <= 11
