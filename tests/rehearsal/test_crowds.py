"""Counting more than can be kept."""

from __future__ import annotations

import pytest

from stream_sync.rehearsal import crowds
from stream_sync.rehearsal.crowds import Crowd, Group


@pytest.mark.parametrize("people", [0, 1, 500, 200_000])
def test_a_crowd_is_about_as_many_as_it_is(people: int) -> None:
    crowd = Crowd()
    for _ in range(2):
        crowd.add(f"p{number}" for number in range(people))
    assert crowd.size == pytest.approx(people, rel=0.005, abs=2)


def test_a_group_is_who_is_in_it_now() -> None:
    group = Group()
    for one in ("a", "b", "a"):
        group.enter(one)
    group.leave("b")
    group.leave("c")
    assert (len(group), group.is_cut) == (1, False)


def test_a_group_says_that_there_are_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "MOST_ROWS", 2)
    group = Group()
    for one in ("a", "b", "a"):
        group.enter(one)
    assert (len(group), group.is_cut) == (2, False)
    group.enter("c")
    assert (len(group), group.is_cut) == (2, True)
