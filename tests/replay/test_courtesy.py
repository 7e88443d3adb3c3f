"""Whoever can wait gives way to lanes when the destination throttles, and takes its share back when it does not."""

from __future__ import annotations

import pytest

from stream_sync.replay.courtesy import LEAST, Courtesy


def courtesy(share: float = 0.2) -> tuple[Courtesy, list[float]]:
    told: list[float] = []
    return Courtesy(share, told.append), told


def test_it_halves_at_each_throttled_answer_down_to_a_part_of_its_share() -> None:
    one, told = courtesy()

    for _ in range(20):
        one.answered(throttled=True)

    assert told[:3] == pytest.approx([0.2, 0.1, 0.05])
    assert told[-1] == pytest.approx(0.2 * LEAST)
    assert len(told) < 10


def test_it_comes_back_to_its_share_and_never_beyond() -> None:
    one, told = courtesy()
    one.answered(throttled=True)

    for _ in range(100):
        one.answered(throttled=False)

    assert told[-1] == 0.2
    assert max(told) == 0.2
    assert told == [0.2, *sorted(told[1:])]
