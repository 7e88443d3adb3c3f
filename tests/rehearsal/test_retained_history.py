"""One pass through a history: every activation is counted as its lane would decide, and stops where it would halt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from stream_sync.errors import WaitError
from stream_sync.formats.decoder import Decoder
from stream_sync.model import Decoded, Record
from stream_sync.rehearsal.comparison import Comparison
from stream_sync.rehearsal.deciders import Activated, KeyLearner, Notices, decoder_of
from stream_sync.rehearsal.history import Decider, History, Images
from tests.rehearsal.rehearsed import rehearsed
from tests.routing.table import (
    ANN,
    BASIC,
    TRUNCATED,
    Read,
    created,
    deleted,
    flattened,
    json_bytes,
    key_of,
    tombstone,
    updated,
)

BEN = {**ANN, "id": 2}


class Pass:
    """A history of its own, taken in at once."""

    def __init__(self, *found: Activated, compacted: bool = False) -> None:
        self.deciders = []
        for each in found:
            notices = Notices()
            self.deciders.append(Decider(each, each.plan(notices), notices))
        compare = [Comparison(*self.deciders)] if len(found) == 2 else []
        self.history = History(found[0].source, self.deciders, compare)
        self.history.compacted = compacted
        self.decoder = decoder_of(
            found[0].source, [decider.plan for decider in self.deciders], None, self.history.notices
        )
        self.keys = KeyLearner(found[0].source.key, self.decoder)
        for decider in self.deciders:
            decider.open(self.decoder)

    def take(self, *reads: Read) -> Pass:
        assert self.history._take(list(reads), self.decoder, self.keys) is None
        return self

    @property
    def counts(self) -> tuple[int, int, int]:
        """Inserts, updates, deletes."""
        kinds = self.deciders[0].tally.kinds
        return kinds["insert"], kinds["update"], kinds["delete"]


def test_every_kind_of_record_is_counted_once(tmp_path: Path) -> None:
    told = Pass(rehearsed(tmp_path)).take(
        created(ANN),
        updated(ANN, {**ANN, "ltv": 11}),
        updated(ANN, ANN),
        updated(BEN, {**BEN, "tier": "basic"}),
        deleted(ANN),
        tombstone(ANN),
        TRUNCATED,
        Read(json_bytes({"ts_ms": 1}), json_bytes({"serverName": "wh"})),
        Read(b"{", b"k"),
    )
    (decider,) = told.deciders
    assert told.counts == (1, 1, 2)
    assert decider.tally.updated == {"ltv": 1}
    assert decider.tally.nothing["unchanged"] == 1
    assert sum(decider.tally.letters.values()) == 1
    assert decider.tally.warnings == {"truncate_ignored": 1}
    assert told.history.records == 9
    assert told.history.ops == {"c": 1, "u": 3, "d": 1, "tombstone": 1, "t": 1}
    assert sum(told.history.others.values()) == 1


def test_after_a_dead_letter_the_next_update_is_whole(tmp_path: Path) -> None:
    told = Pass(rehearsed(tmp_path)).take(
        Read(b"{", key_of(ANN)), updated(ANN, {**ANN, "ltv": 11}), updated(ANN, {**ANN, "ltv": 12})
    )
    assert told.deciders[0].tally.updated == {"name": 1, "ltv": 2}


def test_on_a_compacted_topic_every_update_is_whole(tmp_path: Path) -> None:
    told = Pass(rehearsed(tmp_path), compacted=True).take(updated(ANN, {**ANN, "ltv": 11}))
    assert told.deciders[0].tally.updated == {"name": 1, "ltv": 1}


def test_where_a_lane_would_halt_the_numbers_are_those_until_then(tmp_path: Path) -> None:
    told = Pass(rehearsed(tmp_path), rehearsed(tmp_path, mode="upsert")).take(
        created(ANN), updated(None, ANN), created(BEN)
    )
    mirror, upsert = told.deciders
    assert mirror.halted is not None
    assert mirror.halted.startswith("at 0/0 the lane would halt (before_missing)")
    assert mirror.tally.kinds["insert"] == 1
    assert upsert.halted is None
    assert upsert.tally.kinds["insert"] == 3


def test_columns_without_types_halt_every_lane(tmp_path: Path) -> None:
    told = Pass(rehearsed(tmp_path, source={"types": {"id": "int"}})).take(created(ANN))
    assert told.deciders[0].halted is not None
    assert "types_missing" in told.deciders[0].halted


@pytest.mark.parametrize(
    ("read", "images"),
    [
        (updated(ANN, ANN), Images(changes=1)),
        (updated(None, ANN), Images(changes=1, without=1)),
        (deleted({**dict.fromkeys(ANN), "id": 1}), Images(changes=1, key_only=1)),
        (deleted(ANN), Images(changes=1)),
        (created(ANN), Images()),
    ],
)
def test_how_full_before_images_are(tmp_path: Path, read: Read, images: Images) -> None:
    assert Pass(rehearsed(tmp_path, mode="upsert")).take(read).history.images == images


@pytest.mark.parametrize("mode", ["upsert", "mirror"])
def test_a_flattened_row_that_is_deleted_shows_what_it_was(tmp_path: Path, mode: str) -> None:
    found = rehearsed(tmp_path, mode=mode, where=None, source={"format": "flattened", "before": "key"})
    gone = flattened({**dict.fromkeys(ANN), "id": 1}, __deleted="true")
    told = Pass(found).take(flattened(ANN, __deleted="false"), gone, flattened(ANN, __deleted="true"))
    assert (told.history.images.changes, told.deciders[0].halted) == (2, None)
    assert told.counts == (1, 0, 2 if mode == "mirror" else 0)


def test_a_row_without_a_column_that_is_read_counts_as_partial(tmp_path: Path) -> None:
    before = {name: value for name, value in ANN.items() if name != "ltv"}
    told = Pass(rehearsed(tmp_path, mode="upsert")).take(updated(before, ANN))
    assert told.history.images == Images(changes=1, partial=1)


def test_who_leaves_and_who_enters_by_an_edit_is_told_by_the_newest_rows(tmp_path: Path) -> None:
    new, old = rehearsed(tmp_path, where="ltv > 10"), rehearsed(tmp_path)
    rich = {**BASIC, "id": 3, "ltv": 99}
    both = {**ANN, "id": 4, "ltv": 99}
    told = Pass(new, old).take(created(ANN), created(BEN), created(rich), created(both), deleted(BEN))
    (comparison,) = told.history.comparisons
    assert (len(comparison.leave), len(comparison.enter)) == (1, 1)
    told.take(updated(ANN, {**ANN, "ltv": 11}), updated(both, {**both, "tier": None}), updated(rich, BASIC | {"id": 3}))
    assert (len(comparison.leave), len(comparison.enter)) == (0, 1)


async def test_a_schema_that_has_to_be_fetched_loses_no_record_and_counts_none_twice(tmp_path: Path) -> None:
    told = Pass(rehearsed(tmp_path))
    waiting = Waiting(told.decoder, [1, 3])
    records: Sequence[Record] = [created({**ANN, "id": number}) for number in range(5)]
    while (found := told.history._take(list(records), waiting, told.keys)) is not None:
        place, needed = found
        await needed.ready()
        records = records[place:]
    assert told.counts == (5, 0, 0)
    assert told.history.records == 5


class Waiting:
    """A decoder that waits at some records, once each."""

    def __init__(self, decoder: Decoder, places: Sequence[int]) -> None:
        self._decoder, self._places, self._at = decoder, list(places), 0

    def decode(self, record: Record) -> Decoded:
        if self._at in self._places:
            self._places.remove(self._at)
            raise WaitError("a schema", self._ready)
        self._at += 1
        return self._decoder.decode(record)

    def key_names(self, record: Record) -> tuple[str, ...] | None:
        return self._decoder.key_names(record)

    def key_values(self, record: Record) -> Mapping[str, Any] | None:
        return self._decoder.key_values(record)

    async def _ready(self) -> None:
        pass
