"""Deletes against their budget, at the pace of the source."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream_sync.config.settings import Deletes
from stream_sync.rehearsal import budget as budgets
from stream_sync.rehearsal.budget import DeleteWatch

DELETES = Deletes(after=10, max=5, per=60)


def test_a_burst_counts_at_once_and_a_trickle_does_not() -> None:
    burst, trickle = DeleteWatch(DELETES), DeleteWatch(DELETES)
    for number in range(20):
        burst.delete(0, f"p{number}", 1000.0)
        trickle.delete(0, f"p{number}", 1000.0 + 100 * number)
    assert burst.peak() == (20, 1000.0)
    assert trickle.peak()[0] == 1


def test_a_rebuild_counts_while_it_waits_and_deletes_nobody() -> None:
    watch = DeleteWatch(DELETES)
    for number in range(20):
        watch.delete(0, f"p{number}", 1000.0)
    for number in range(20):
        watch.write(0, f"p{number}", 1005.0)
    watch.delete(0, "p1", 1050.0)
    assert watch.cancelled == 20
    assert watch.peak() == (20, 1000.0)


def test_a_write_that_comes_too_late_cancels_nothing() -> None:
    watch = DeleteWatch(DELETES)
    watch.delete(0, "p", 1000.0)
    watch.write(0, "p", 1011.0)
    watch.write(0, "nobody", 1011.0)
    assert watch.cancelled == 0


def test_another_partition_s_times_do_not_matter() -> None:
    watch = DeleteWatch(DELETES)
    watch.delete(0, "p", 1000.0)
    watch.delete(1, "q", 90_000.0)
    watch.write(0, "p", 1001.0)
    assert watch.cancelled == 1


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 5), st.booleans()), max_size=60), st.integers(1, 50))
def test_the_peak_is_never_less_than_what_counted(steps: list[tuple[int, int, bool]], most_times: int) -> None:
    """Compared with a count that keeps everything; rounding only ever makes it more."""
    kept, budgets.MOST_TIMES = budgets.MOST_TIMES, most_times
    try:
        watch, exact = DeleteWatch(DELETES), Exact()
        for time, who, is_delete in sorted(steps):
            (watch.delete if is_delete else watch.write)(0, f"p{who}", float(time))
            (exact.delete if is_delete else exact.write)(who, time)
        assert watch.peak()[0] >= exact.peak
        assert watch.cancelled == exact.cancelled
    finally:
        budgets.MOST_TIMES = kept


class Exact:
    def __init__(self) -> None:
        self.waiting: dict[int, int] = {}
        self.sent: list[int] = []
        self.peak = self.cancelled = 0

    def _go_on(self, now: int) -> None:
        for who, since in list(self.waiting.items()):
            if since + 10 < now:
                self.sent.append(since + 10)
                del self.waiting[who]

    def delete(self, who: int, now: int) -> None:
        self._go_on(now)
        self.waiting.setdefault(who, now)
        self.peak = max(self.peak, len(self.waiting) + sum(now < sent + 60 for sent in self.sent))

    def write(self, who: int, now: int) -> None:
        self._go_on(now)
        self.cancelled += self.waiting.pop(who, None) is not None
