"""Deletes against their budget, at the pace of the source."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_sync.config.settings import Deletes
from stream_sync.rehearsal import budget as budgets
from stream_sync.rehearsal.budget import LOOKS_EVERY, DeleteWatch
from stream_sync.rehearsal.runs import Runs
from stream_sync.schedule import Between, Continuous, Cron, Every, Manual, Schedule

HOUR, DAY = 3600.0, 86_400.0
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


@pytest.mark.parametrize(
    ("schedule", "most", "at"),
    [
        (Continuous(), 1, 10 * HOUR),
        (Every(4 * HOUR), 2, 12 * HOUR),
        (Cron("0 7 * * *"), 8, DAY + 7 * HOUR),
        (Between(22 * 60, 6 * 60), 7, 22 * HOUR),
        (Manual(), 8, None),
    ],
)
def test_what_comes_between_two_runs_counts_at_the_next_one(schedule: Schedule, most: int, at: float | None) -> None:
    watch, hours = DeleteWatch(DELETES, schedule), range(10, 26, 2)
    for hour in hours:
        watch.delete(0, f"p{hour}", hour * HOUR)
    assert watch.peak() == (most, at)


@pytest.mark.parametrize("schedule", [Cron("0 7 * * *"), Manual()])
def test_who_is_written_before_the_run_does_not_count_but_for_a_rebuild(schedule: Schedule) -> None:
    watch = DeleteWatch(DELETES, schedule)
    for number in range(LOOKS_EVERY):
        watch.delete(0, f"p{number}", 10 * HOUR)
    for number in range(1, LOOKS_EVERY):
        watch.write(0, f"p{number}", 20 * HOUR)
    assert (watch.peak()[0], watch.cancelled) == (1, LOOKS_EVERY - 1)
    for number in range(2 * LOOKS_EVERY):
        watch.delete(1, f"p{number}", 10 * HOUR)
    for number in range(2 * LOOKS_EVERY):
        watch.write(1, f"p{number}", 20 * HOUR)
    assert watch.peak()[0] > LOOKS_EVERY


@pytest.mark.parametrize(
    ("schedule", "decided", "sent"),
    [
        (Continuous(), 100.0, 160.0),
        (Every(HOUR), HOUR, HOUR + 60),
        (Every(50), 100.0, 200.0),
        (Cron("0 * * * *"), HOUR, HOUR + 60),
        (Cron("* * * * *"), 120.0, 240.0),
        (Between(1, 2), 100.0, DAY + 60),
        (Between(60, 120), HOUR, HOUR + 60),
    ],
)
def test_a_delete_is_sent_in_the_run_that_decided_it_or_the_next(
    schedule: Schedule, decided: float, sent: float
) -> None:
    runs = Runs(schedule)
    for _ in range(2):
        assert runs.decides(100.0) == decided
        assert runs.sends(decided, 60.0) == sent


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
