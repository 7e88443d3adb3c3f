"""How the intents of one person merge, wait and queue."""

from __future__ import annotations

import pytest

from stream_sync.delivery.coalesce import FEW, SPLIT_AFTER
from stream_sync.delivery.pending import merge_intents
from stream_sync.model import Intent
from tests.delivery.parts import Ack, Lane, changed, intent

ROW = {"ltv": 1, "tier": "gold"}
LATER = {"ltv": 2, "tier": "gold", "city": "Umeå"}
WHOLE = intent("insert", "ann", ROW)
WHOLE_LATER = intent("update", "ann", LATER)
LTV = changed("ann", {**ROW, "ltv": 5}, "ltv")
TIER = changed("ann", {**ROW, "tier": "basic"}, "tier")
GONE = intent("delete", "ann")


@pytest.mark.parametrize(
    ("older", "newer", "kind", "sent", "whole"),
    [
        (WHOLE, WHOLE_LATER, "insert", LATER, True),
        (WHOLE, LTV, "insert", {"ltv": 5, "tier": "gold"}, True),
        (LTV, WHOLE, "insert", ROW, True),
        (WHOLE_LATER, TIER, "update", {"ltv": 2, "tier": "basic", "city": "Umeå"}, True),
        (LTV, TIER, "update", {"ltv": 5, "tier": "basic"}, False),
        (WHOLE, GONE, "delete", {}, True),
        (LTV, GONE, "delete", {}, True),
        (GONE, GONE, "delete", {}, True),
        (GONE, WHOLE, "insert", ROW, True),
        (GONE, WHOLE_LATER, "insert", LATER, True),
        (GONE, LTV, "insert", {"ltv": 5, "tier": "gold"}, True),
    ],
)
def test_two_intents_of_one_person(older: Intent, newer: Intent, kind: str, sent: object, whole: bool) -> None:
    merged = merge_intents(older, newer)
    assert (merged.kind, merged.to_send, merged.whole) == (kind, sent, whole)


def test_the_whole_row_of_merged_changes_is_the_newest_row_with_what_only_an_older_one_knew() -> None:
    older = changed("ann", {"ltv": 1, "bio": "long"}, "ltv", "bio")
    newer = changed("ann", {"ltv": 1, "tier": "gold"}, "tier")
    assert merge_intents(older, newer).as_whole().to_send == {"ltv": 1, "bio": "long", "tier": "gold"}


def test_what_waits_for_one_person_is_one_intent_with_all_offsets_and_the_newest_record() -> None:
    lane, ack = Lane(), Ack()
    lane.add(WHOLE, ack, ts_ms=100)
    lane.add(LTV, ack, ts_ms=200)
    [pending] = lane.take()
    assert pending.offsets == [1, 2]
    assert pending.record.offset() == 2
    assert pending.ts_ms == 100


def test_a_person_with_many_changes_keeps_their_place() -> None:
    lane, ack = Lane(), Ack()
    lane.add(intent("insert", "ann"), ack)
    lane.add(intent("insert", "bob"), ack)
    lane.add(intent("update", "ann"), ack)
    assert [pending.intent.identifier for pending in lane.take()] == ["ann", "bob"]


def test_a_person_in_flight_holds_back_nobody_else() -> None:
    lane, ack = Lane(), Ack()
    lane.add(intent("insert", "ann"), ack)
    sent = lane.take()
    lane.add(intent("update", "ann"), ack)
    lane.add(intent("insert", "bob"), ack)
    assert [pending.intent.identifier for pending in lane.take()] == ["bob"]
    lane.free(sent)
    assert [pending.intent.identifier for pending in lane.take()] == ["ann"]


def test_a_person_whom_another_lane_sends_is_left_alone() -> None:
    lane, ack = Lane(), Ack()
    lane.add(WHOLE, ack)
    lane.people.occupy(["ann"])
    assert lane.take() == []
    lane.people.release(["ann"])
    assert len(lane.take()) == 1


def test_an_attempt_that_failed_merges_with_what_came_meanwhile() -> None:
    lane, ack = Lane(), Ack()
    lane.add(WHOLE, ack)
    [sent] = lane.take()
    lane.add(LTV, ack)
    lane.backlog.put_back(sent, lane.now)
    assert lane.take() == []
    lane.free([sent])
    [again] = lane.take()
    assert again.offsets == [1, 2]
    assert again.intent.to_send == {"ltv": 5, "tier": "gold"}


def test_somebody_who_failed_often_is_sent_alone() -> None:
    lane, ack = Lane(), Ack()
    for person in ("ann", "bob", "cid"):
        lane.add(intent("insert", person), ack).attempts = SPLIT_AFTER if person == "bob" else 0
    sizes = [[pending.intent.identifier for pending in lane.backlog.take("writes", 75)] for _ in range(3)]
    assert sizes == [["ann"], ["bob"], ["cid"]]


# --- Deletes ------------------------------------------------------------------------------------------------------


def test_a_delete_waits() -> None:
    lane, ack = Lane(after=60), Ack()
    lane.add(GONE, ack)
    assert lane.backlog.next_due() == 60
    lane.now = 59.9
    assert lane.take() == []
    lane.now = 60
    assert [pending.intent.kind for pending in lane.take()] == ["delete"]


def test_a_write_meanwhile_cancels_it_and_is_an_insert_of_the_whole_row() -> None:
    lane, ack = Lane(), Ack()
    lane.add(GONE, ack)
    lane.now = 30
    lane.add(LTV, ack)
    [pending] = lane.take()
    assert (pending.intent.kind, pending.intent.to_send) == ("insert", {"ltv": 5, "tier": "gold"})
    lane.now = 100
    assert lane.take() == []


def test_it_waits_from_when_it_is_the_persons_only_intent() -> None:
    lane, ack = Lane(after=60), Ack()
    lane.add(WHOLE, ack)
    sent = lane.take()
    lane.add(GONE, ack)
    lane.now = 50
    lane.free(sent)
    lane.now = 100
    assert lane.take() == []
    lane.now = 110
    assert len(lane.take()) == 1


def test_a_delete_that_failed_does_not_wait_again() -> None:
    lane, ack = Lane(after=60), Ack()
    lane.add(GONE, ack)
    lane.now = 60
    [sent] = lane.take()
    lane.backlog.put_back(sent, lane.now)
    lane.free([sent])
    assert lane.take() == [sent]


def test_the_delete_of_an_old_identifier_waits_from_when_the_new_one_was_delivered() -> None:
    lane, ack = Lane(after=60), Ack()
    insert = lane.add(intent("insert", "new"), ack)
    lane.backlog.follow(lane.add(intent("delete", "old"), ack), insert)
    lane.now = 1000
    assert lane.take() == [insert]
    lane.backlog.start_following(insert, lane.now)
    lane.now = 1059
    assert lane.take() == []
    lane.now = 1060
    assert [pending.intent.identifier for pending in lane.take()] == ["old"]


def test_and_is_not_sent_where_the_new_one_was_refused() -> None:
    lane, ack = Lane(), Ack()
    insert = lane.add(intent("insert", "new"), ack)
    delete = lane.add(intent("delete", "old"), ack)
    lane.backlog.follow(delete, insert)
    lane.take()
    assert lane.backlog.drop_following(insert, lane.now) == [delete]
    assert len(lane.backlog) == 0


def test_a_whole_row_of_old_identifiers_goes_the_same_way() -> None:
    """one → two → three, and three is refused: two was never there, so that one stays."""
    lane, ack = Lane(), Ack()
    two = lane.add(intent("insert", "two"), ack)
    lane.backlog.follow(lane.add(intent("delete", "one"), ack), two)
    three = lane.add(intent("insert", "three"), ack)
    lane.backlog.follow(lane.add(intent("delete", "two"), ack), three)
    assert lane.take() == [three]
    dropped = lane.backlog.drop_following(three, lane.now)
    assert sorted(pending.intent.identifier for pending in dropped) == ["one", "two"]
    assert len(lane.backlog) == 0


def test_a_later_change_of_identifier_is_waited_for_too() -> None:
    """old → new, back, and old → other: that new was delivered says nothing of other."""
    lane, ack = Lane(after=60), Ack()
    new = lane.add(intent("insert", "new"), ack)
    lane.backlog.follow(lane.add(intent("delete", "old"), ack), new)
    lane.add(intent("insert", "old"), ack)
    other = lane.add(intent("insert", "other"), ack)
    lane.backlog.follow(lane.add(intent("delete", "old"), ack), other)
    assert lane.take() == [new, other]
    lane.backlog.start_following(new, lane.now)
    lane.now = 1000
    assert lane.take() == []
    lane.backlog.start_following(other, lane.now)
    lane.now = 1060
    assert len(lane.take()) == 1


def test_a_refused_insert_takes_with_it_only_the_deletes_that_follow_it() -> None:
    lane, ack = Lane(after=60), Ack()
    new = lane.add(intent("insert", "new"), ack)
    lane.backlog.follow(lane.add(intent("delete", "old"), ack), new)
    lane.add(intent("insert", "old"), ack)
    lane.backlog.defer(lane.add(intent("delete", "old"), ack), "first pass")
    lane.take()
    lane.backlog.drop_following(new, lane.now)
    lane.backlog.start_deferred(["old"], "first pass", lane.now)
    lane.now = 60
    assert [pending.intent.identifier for pending in lane.take()] == ["old"]


def test_a_deferred_delete_waits_for_the_end_of_all_that_it_was_deferred_for() -> None:
    lane, ack = Lane(after=60), Ack()
    lane.backlog.defer(lane.add(GONE, ack), "first pass")
    lane.backlog.defer(lane.add(GONE, ack), "first pass")
    lane.now = 100
    assert lane.take() == []
    lane.backlog.start_deferred(["ann"], "first pass", lane.now)
    lane.now = 160
    assert [pending.offsets for pending in lane.take()] == [[1, 2]]


# --- partitions ---------------------------------------------------------------------------------------------------


def test_intents_of_two_partitions_do_not_merge_and_leave_one_after_the_other() -> None:
    lane, one, two = Lane(), Ack(0), Ack(1)
    lane.add(WHOLE, one)
    lane.add(LTV, two)
    [first] = lane.take()
    assert (first.acknowledgement, first.offsets) == (one, [1])
    lane.free([first])
    [second] = lane.take()
    assert (second.acknowledgement, second.offsets) == (two, [2])


def test_many_rows_of_two_partitions_that_share_a_person_are_two_requests() -> None:
    lane, one, two = Lane(), Ack(0), Ack(1)
    for number in range(100):
        lane.add(changed("ann", {"ltv": number}, "ltv"), two if number % 2 else one)
    [first] = lane.take()
    lane.free([first])
    [second] = lane.take()
    assert (first.intent.to_send, second.intent.to_send) == ({"ltv": 98}, {"ltv": 99})
    assert len(lane.backlog) == 0


@pytest.mark.parametrize(("written_at", "kinds"), [(101, ["insert"]), (100, ["insert"]), (99, ["delete", "insert"])])
def test_a_write_of_another_partition_cancels_a_delete_unless_it_is_older(written_at: int, kinds: list[str]) -> None:
    lane, one, two = Lane(after=60), Ack(0), Ack(1)
    lane.add(WHOLE, one, ts_ms=1)
    lane.add(GONE, one, ts_ms=100)
    lane.add(LTV, two, ts_ms=written_at)
    sent = []
    for _ in range(2):
        lane.now += 60
        batch = lane.take()
        sent += [pending.intent.kind for pending in batch]
        lane.free(batch)
    assert sent == kinds
    assert len(lane.superseded) == 2 - len(kinds)


def test_a_delete_that_is_older_than_a_waiting_write_of_another_partition_is_not_sent() -> None:
    lane, one, two = Lane(after=60), Ack(0), Ack(1)
    lane.add(WHOLE, one, ts_ms=1)
    lane.add(LTV, one, ts_ms=100)
    lane.add(GONE, two, ts_ms=50)
    assert len(two.owed) == 0
    assert [pending.intent.kind for pending in lane.take()] == ["insert"]
    assert len(lane.backlog) == 0


def test_commit_times_that_are_not_known_cancel_nothing() -> None:
    lane, one, two = Lane(), Ack(0), Ack(1)
    lane.add(GONE, one)
    lane.add(LTV, two, ts_ms=100)
    assert lane.superseded == []
    assert len(list(lane.backlog)) == 2


def test_a_delete_that_followed_a_cancelled_one_is_sent_all_the_same() -> None:
    lane, one, two = Lane(after=60), Ack(0), Ack(1)
    new = lane.add(intent("insert", "new"), one, ts_ms=1)
    lane.backlog.follow(lane.add(intent("delete", "old"), one, ts_ms=1), new)
    lane.add(intent("delete", "new"), one, ts_ms=2)
    lane.add(intent("insert", "new"), two, ts_ms=3)
    lane.now = 60
    assert [(pending.intent.kind, pending.intent.identifier) for pending in lane.take()] == [
        ("delete", "old"),
        ("insert", "new"),
    ]


def test_what_belongs_to_a_revoked_partition_is_forgotten_and_the_next_in_line_goes_on() -> None:
    lane, one, two = Lane(), Ack(0), Ack(1)
    lane.add(WHOLE, one)
    lane.add(LTV, two)
    lane.add(intent("insert", "bob"), one)
    one.revoked = True
    lane.backlog.forget_revoked(lane.now)
    assert [pending.acknowledgement for pending in lane.take()] == [two]
    assert sum(one.owed.values()) == 2


# --- bounds -------------------------------------------------------------------------------------------------------


def test_somebody_who_comes_and_goes_for_ever_takes_a_bounded_place() -> None:
    lane, ack = Lane(after=60), Ack()
    for _ in range(20 * FEW):
        lane.now += 0.001
        lane.add(GONE, ack)
        lane.add(WHOLE, ack)
    assert lane.backlog.ready("writes") <= FEW + 10
    assert len(lane.backlog._waiting) <= FEW + 10
    assert len(lane.take()) == 1
    assert lane.take() == []


def test_partitions_that_come_and_go_for_ever_leave_nothing_behind() -> None:
    lane = Lane()
    for _ in range(50):
        ack = Ack()
        for number in range(100):
            lane.add(intent("insert", f"person {number}"), ack)
            lane.add(intent("delete", f"leaver {number}"), ack)
        ack.revoked = True
        lane.backlog.forget_revoked(lane.now)
        assert len(lane.backlog) == lane.backlog.ready("writes") == len(lane.backlog._waiting) == 0


def test_people_who_come_and_go_while_nothing_is_sent_leave_nothing_behind() -> None:
    lane, ack = Lane(), Ack()
    for number in range(500):
        lane.add(intent("insert", f"person {number % 10}"), ack)
        lane.add(intent("delete", f"person {number % 10}"), ack)
        if number % 10 == 9:
            assert len(lane.backlog.take_deletes(lane.now)) == 10
    assert len(lane.backlog) == lane.backlog.ready("writes") == 0


def test_the_age_of_the_oldest_ready_one_is_of_one_that_can_be_taken() -> None:
    lane, ack = Lane(after=60), Ack()
    lane.add(WHOLE, ack)
    lane.add(GONE, ack)
    lane.now = 60
    lane.backlog.wake_deletes(lane.now)
    assert lane.backlog.oldest_ready("writes") is None
    assert lane.backlog.oldest_ready("deletes") == 0
