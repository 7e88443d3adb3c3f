"""A process that stood still, or whose coordinator is silent, does not know whether its partitions are its own."""

from __future__ import annotations

from stream_sync.kafka.sureness import AGAIN_SECONDS, Sureness

NEVER = float("-inf")


def test_polls_without_a_gap_are_enough_where_nothing_is_asked() -> None:
    sureness = Sureness(0.0, 3.0)
    for now in (0.1, 2.9, 5.8):
        sureness.polled(now)
        assert sureness.sure_at == now
        assert not sureness.needs_proof(now)


def test_after_a_gap_only_a_commit_that_was_taken_proves_it() -> None:
    sureness = Sureness(0.0, 3.0)
    sureness.polled(60.0)
    assert sureness.sure_at == NEVER
    assert sureness.needs_proof(60.0)
    sureness.asked(60.0)
    for now in (60.1, 61.0, 62.0):
        sureness.polled(now)
    assert sureness.sure_at == NEVER
    assert not sureness.needs_proof(62.0), "one question at a time"
    sureness.answered(is_taken=True)
    assert sureness.sure_at == 62.0


def test_a_refusal_proves_nothing_and_it_is_asked_again() -> None:
    sureness = Sureness(0.0, 3.0)
    sureness.polled(60.0)
    sureness.asked(60.0)
    sureness.answered(is_taken=False)
    assert sureness.sure_at == NEVER
    assert not sureness.needs_proof(60.1)
    assert sureness.needs_proof(60.0 + AGAIN_SECONDS)


def test_a_doubt_never_stays_without_a_question() -> None:
    """The second of two equal commits is refused: there is nothing new to commit, and still one is sent."""
    sureness = Sureness(0.0, 3.0)
    sureness.asked(1.0)
    sureness.asked(2.0)
    sureness.answered(is_taken=True)
    sureness.answered(is_taken=False)
    sureness.polled(2.9)
    assert sureness.needs_proof(2.0 + AGAIN_SECONDS)
    sureness.asked(3.0)
    sureness.answered(is_taken=True)
    sureness.polled(5.0)
    assert sureness.sure_at == 5.0


def test_who_is_told_to_be_no_member_is_not_sure_at_once() -> None:
    sureness = Sureness(0.0, 3.0)
    sureness.asked(1.0)
    sureness.answered(is_taken=False, is_member=False)
    assert sureness.sure_at == NEVER


def test_an_answer_from_before_the_gap_proves_nothing() -> None:
    sureness = Sureness(0.0, 3.0)
    sureness.asked(0.5)
    sureness.polled(60.0)
    assert sureness.needs_proof(60.0), "that is no question of now"
    sureness.asked(60.0)
    sureness.answered(is_taken=True)
    assert sureness.sure_at == NEVER
    sureness.answered(is_taken=True)
    assert sureness.sure_at == 60.0


def test_a_second_gap_begins_anew() -> None:
    sureness = Sureness(0.0, 3.0)
    sureness.polled(60.0)
    sureness.asked(60.0)
    sureness.polled(64.0)
    sureness.answered(is_taken=True)
    assert sureness.sure_at == NEVER


def test_without_a_good_answer_it_is_sure_for_a_while() -> None:
    sureness = Sureness(0.0, 3.0)
    sureness.asked(1.0)
    for now in (2.0, 4.0, 6.0):
        sureness.polled(now)
    assert sureness.sure_at == 4.0
    sureness.asked(6.0)
    sureness.answered(is_taken=False)
    assert sureness.sure_at == 4.0
    sureness.answered(is_taken=True)
    assert sureness.sure_at == 6.0


def test_what_was_sent_after_a_good_answer_is_waited_for_from_then_on() -> None:
    sureness = Sureness(0.0, 3.0)
    sureness.asked(0.5)
    sureness.asked(1.0)
    sureness.answered(is_taken=True)
    for now in (2.0, 4.0, 6.0, 8.0):
        sureness.polled(now)
    assert sureness.sure_at == 4.0


def test_who_owns_nothing_is_sure() -> None:
    sureness = Sureness(0.0, 3.0)
    sureness.polled(60.0)
    sureness.owns_nothing()
    assert sureness.sure_at == 60.0
