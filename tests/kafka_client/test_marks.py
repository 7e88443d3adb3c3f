"""Which letters are done with: exact while it fits into a commit's metadata, and on the safe side beyond."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream_sync.kafka.marks import MOST_BYTES, Marks, decode, marked

END = 60


@given(st.sets(st.integers(0, END - 1)))
def test_all_but_the_open_ones_are_done_with(still_open: set[int]) -> None:
    marks = marked(sorted(still_open), END)
    kept = decode(marks.before, marks.encode())

    assert {offset for offset in range(END) if not kept.has(offset)} == still_open
    assert not kept.has(END) or not still_open


def test_what_does_not_fit_is_open_again() -> None:
    marks = marked(range(0, 10_000, 2), 10_000)
    kept = decode(marks.before, marks.encode())

    assert len(marks.encode()) <= MOST_BYTES
    assert kept.has(1)
    assert not kept.has(0)
    assert not kept.has(9_999)


def test_nothing_and_somebody_else_s_metadata_read_as_no_ranges() -> None:
    assert decode(-1001, None) == Marks()
    assert decode(7, "somebody else's") == Marks(7)
    assert decode(7, '{"w":1}') == Marks(7)


@given(st.sets(st.integers(0, END - 1)), st.integers(0, END), st.integers(0, END))
def test_the_open_ones_are_counted_within_what_the_topic_still_has(still_open: set[int], low: int, high: int) -> None:
    marks = marked(sorted(still_open), END)

    assert marks.open_between(low, high) == sum(low <= offset < high for offset in still_open)
