"""Everybody is sent as they are now, in slices that fit into memory; what changes meanwhile is sent once more."""

from __future__ import annotations

from typing import Any

import pytest

from stream_sync.model import Rejected
from stream_sync.resync import resync as module
from stream_sync.resync.progress import END, Done, decode, place_of
from stream_sync.resync.resync import LEAST_CHUNK, MOST_CHUNK, next_size
from stream_sync.resync.wishes import Attributes, Exits
from tests.resync.source import Stage, row
from tests.routing.table import Activation, created, deleted, key_of, tombstone, updated

FRESH = {0: Done("this")}


def filled(count: int, mode: Any = "mirror", **settings: Any) -> Stage:
    stage = Stage(mode, **settings)
    stage.topic.write(*(created(row(number)) for number in range(count)))
    return stage


async def test_everybody_in_the_segment_is_sent_once_and_as_they_are_now() -> None:
    stage = filled(5)
    stage.topic.write(updated(row(1), row(1, name="Anna")), updated(row(2), row(2, tier="none")))
    stage.topic.write(deleted(row(3)), tombstone(row(3)))

    report = await stage.resync(FRESH).run()

    assert {who: person["name"] for who, person in stage.destination.people.items()} == {
        "0": "Ann", "1": "Anna", "4": "Ann",
    }  # fmt: skip
    assert len(stage.destination.sent) == 3
    assert all(intent.whole and intent.kind == "insert" for intent in stage.destination.sent)
    assert report.results == {("delivered", ""): 3, ("nothing", ""): 2}
    assert decode(stage.topic.committed[0]).before == END


async def test_more_rows_than_fit_are_sent_in_several_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 16)
    stage = filled(200)

    report = await stage.resync(FRESH).run()

    assert report.rows == 200
    assert len(stage.destination.people) == len(stage.destination.sent) == 200
    assert stage.topic.passes > 200 / 16


async def test_it_goes_on_where_it_was() -> None:
    stage = filled(100)
    middle = END // 2

    await stage.resync({0: Done("this", before=middle)}).run()

    left = {str(number) for number in range(100) if place_of(key_of(row(number))) >= middle}
    assert set(stage.destination.people) == left


async def test_what_changes_while_it_is_sent_is_sent_once_more() -> None:
    stage = filled(3)
    stage.destination.meanwhile.append(lambda: stage.topic.write(updated(row(1), row(1, name="Newer"))))

    await stage.resync(FRESH).run()

    assert stage.destination.people["1"]["name"] == "Newer"
    assert len(stage.destination.sent) == 4


async def test_who_leaves_a_mirror_while_they_are_sent_is_deleted_since_the_lane_s_delete_may_have_come_before() -> (
    None
):
    stage = filled(3)
    stage.destination.meanwhile.append(lambda: stage.topic.write(updated(row(1), row(1, tier="none"))))
    stage.destination.meanwhile.append(lambda: stage.topic.write(updated(row(1, tier="none"), row(1, tier="x"))))

    await stage.resync(FRESH).run()

    assert stage.destination.people.keys() == {"0", "2"}
    assert set(stage.withheld) == {1}


async def test_in_other_modes_nobody_is_deleted() -> None:
    stage = filled(3, "upsert")
    stage.destination.meanwhile.append(lambda: stage.topic.write(deleted(row(1))))

    await stage.resync(FRESH).run()

    assert stage.destination.people.keys() == {"0", "1", "2"}


async def test_a_row_that_changes_all_the_time_is_left_to_the_lane() -> None:
    stage = filled(1)

    def change() -> None:
        stage.topic.write(updated(row(0), row(0, name="Again")))
        stage.destination.meanwhile.append(change)

    stage.destination.meanwhile.append(change)

    report = await stage.resync(FRESH).run()

    assert report.results == {("unsettled", "still_changing"): 1}


async def test_some_attributes_are_sent_and_a_person_who_has_to_be_created_is_whole() -> None:
    stage = filled(2)

    await stage.resync(FRESH, Attributes(stage.folding, ["ltv"])).run()

    (first, _) = stage.destination.sent
    assert (first.kind, dict(first.to_send), first.whole) == ("update", {"ltv": 10}, False)
    assert dict(first.values) == {"name": "Ann", "ltv": 10}


async def test_what_is_refused_is_told() -> None:
    stage = filled(2)
    stage.destination.outcome = Rejected("invalid", "it is not valid")

    report = await stage.resync(FRESH).run()

    assert report.results == {("refused", "invalid"): 2}


async def test_a_dry_run_sends_and_notes_nothing() -> None:
    stage = filled(4)
    stage.topic.write(updated(row(1), row(1, tier="none")))

    report = await stage.resync(FRESH).count()

    assert report.results == {("delivered", ""): 3, ("nothing", ""): 1}
    assert (stage.destination.sent, stage.topic.committed) == ([], {})


@pytest.mark.parametrize(
    ("values", "deletes", "writes"),
    [
        ({"tier": "gold", "ltv": 20}, 0, True),
        ({"tier": "gold", "ltv": 5}, 1, False),
        ({"tier": "none", "ltv": 5}, 0, False),
        ({"tier": "none", "ltv": 20}, 0, False),
    ],
)
async def test_exits_are_of_who_is_in_the_old_segment_only(values: dict[str, Any], deletes: int, writes: bool) -> None:
    stage = Stage(where="tier = 'gold' and ltv > 10")
    old = Activation("mirror", where="tier = 'gold'")
    wish = Exits(stage.folding, stage.folded(old))
    stage.topic.write(created(row(1, **values)))

    rows = await stage.resync(FRESH, wish, old).slice(0, 0)

    (decided,) = [rows.decide(each) for each in rows.rows]

    assert len(decided.deletes) == deletes
    assert (decided.write is not None) == writes


def test_progress_is_of_one_resync_and_deletes_count_once() -> None:
    begun = Done().begin("a", 5).at(7).delete(3, 100.0)

    assert decode(begun.encode()) == begun
    assert begun.begin("a", None) == begun
    assert begun.deleted_within(110.0, 60.0) == 0
    other = begun.begin("b", None)
    assert (other.before, other.since_ms, other.deleted_within(110.0, 60.0)) == (0, None, 3)
    assert begun.end() == Done(deleted=((100, 3),))
    assert begun.end().deleted_within(200.0, 60.0) == 0
    assert decode("somebody else's") == Done()


@pytest.mark.parametrize(
    ("sent", "seconds", "found"),
    [(500, 20.0, 500), (500, 200.0, LEAST_CHUNK), (500, 1.0, 1000), (5000, 0.0, MOST_CHUNK), (1, 0.0, 100)],
)
def test_a_chunk_is_what_is_sent_in_a_while(sent: int, seconds: float, found: int) -> None:
    assert next_size(sent, seconds) == found
