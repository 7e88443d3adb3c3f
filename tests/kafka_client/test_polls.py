"""A process that stood still does not know at once that its partitions are somebody else's now."""

from __future__ import annotations

from stream_sync.kafka.polls import SURE_SECONDS, Polls


def test_polls_without_a_gap_count_at_once() -> None:
    polls = Polls(0.0, 3.0)
    for now in (0.1, 2.9, 5.8):
        polls.note(now)
        assert polls.at == now


def test_after_a_gap_they_count_when_they_went_on_for_a_while() -> None:
    polls = Polls(0.0, 3.0)
    polls.note(60.0)
    polls.note(60.0 + SURE_SECONDS - 0.01)
    assert polls.at == 0.0
    polls.note(60.0 + SURE_SECONDS)
    assert polls.at == 60.0 + SURE_SECONDS


def test_a_second_gap_begins_the_while_anew() -> None:
    polls = Polls(0.0, 3.0)
    polls.note(60.0)
    polls.note(64.0)
    polls.note(64.5)
    assert polls.at == 0.0
    polls.note(65.0)
    assert polls.at == 65.0
