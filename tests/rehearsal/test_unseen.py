"""What a plan says of people of whom only the last-delivered state knows whether they were written."""

from __future__ import annotations

from stream_sync.commands.planned import _rows
from stream_sync.model import Nothing, Unseen
from stream_sync.rehearsal.tally import Tally


def test_whoever_only_the_state_knows_is_neither_a_delete_nor_nothing() -> None:
    tally = Tally(["name"], None)
    tally.take([], [Unseen("ann", "external_id"), Nothing("outside"), Unseen("ben", "external_id")])

    assert tally.nothing == {"unseen": 2, "outside": 1}
    assert not tally.kinds
    side = {
        "inserts": 0,
        "updates": 0,
        "deletes": 0,
        "unchanged": 0,
        "nothing": dict(tally.nothing),
        "updates_by_name": {},
        "dead_letters": {},
        "warnings": {},
    }
    told = dict(_rows(side, None))
    assert told["deletes, if the state knows them"] == (2,)
    assert told["others, nothing to do"] == (1,)
