"""When a run is due, and when a window is open, daylight saving in both directions included."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_sync.schedule import Between, Continuous, Cron, Every, Manual, cron

PARIS = "Europe/Paris"
# In 2026 Paris goes from 02:00 to 03:00 on 29 March, and from 03:00 back to 02:00 on 25 October.


def at(text: str, timezone: str = PARIS, fold: int = 0) -> float:
    """A time on the wall, as seconds since the epoch."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone), fold=fold).timestamp()


def shown(moment: float, timezone: str = PARIS) -> str:
    return dt.datetime.fromtimestamp(moment, ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M %Z")


def test_every_begins_at_once_and_keeps_its_rhythm() -> None:
    hourly = Every(3600.0)
    assert hourly.first(1000.0) == 1000.0
    assert hourly.after(1000.0) == 4600.0
    assert hourly.tick(4600.0, 4600.5) == 4600.0


def test_missed_ticks_are_one_run() -> None:
    hourly = Every(3600.0)
    tick = hourly.tick(hourly.after(0.0), 5 * 3600.0 + 100)
    assert tick == 5 * 3600.0
    assert hourly.after(tick) == 6 * 3600.0

    daily = Cron("0 7 * * *", PARIS)
    now = at("2026-06-10 15:00")
    assert daily.after(at("2026-06-01 07:00")) < now, "due at once"
    assert shown(daily.after(daily.tick(daily.after(at("2026-06-01 07:00")), now))) == "2026-06-11 07:00 CEST"


def test_cron_waits_for_its_first_tick() -> None:
    assert shown(Cron("0 7 * * 1-5", PARIS).first(at("2026-06-12 07:00"))) == "2026-06-15 07:00 CEST"


@pytest.mark.parametrize(
    ("expression", "last", "following"),
    [
        ("30 2 * * *", "2026-03-28 02:30", "2026-03-29 03:00 CEST"),  # 02:30 is skipped: right after
        ("0 7 * * *", "2026-03-28 07:00", "2026-03-29 07:00 CEST"),
        ("0 7 * * *", "2026-10-24 07:00", "2026-10-25 07:00 CET"),
        ("30 2 * * *", "2026-10-24 02:30", "2026-10-25 02:30 CEST"),  # it comes twice: the first time
    ],
)
def test_cron_keeps_to_the_clock_on_the_wall(expression: str, last: str, following: str) -> None:
    assert shown(Cron(expression, PARIS).after(at(last))) == following


def test_a_time_that_comes_twice_is_due_once() -> None:
    job = Cron("30 2 * * *", PARIS)
    first = job.after(at("2026-10-24 02:30"))
    assert shown(job.after(first)) == "2026-10-26 02:30 CET"
    late = at("2026-10-25 02:10", fold=1)  # it began late, when the hour had begun again
    assert shown(job.after(late)) == "2026-10-26 02:30 CET"


@pytest.mark.parametrize(
    ("expression", "spring", "autumn"),
    [
        ("0,30 2 * * *", ["03:00"], ["02:00", "02:30"]),
        ("10,40 2-3 * * *", ["03:00", "03:10", "03:40"], ["02:10", "02:40", "03:10", "03:40"]),
        ("*/30 2 * * *", [], ["02:00", "02:30", "02:00", "02:30"]),
        ("0 */2 * * *", ["04:00"], ["02:00", "02:00", "04:00"]),
    ],
)
def test_a_star_in_the_minute_or_the_hour_goes_by_what_the_clock_shows(
    expression: str, spring: list[str], autumn: list[str]
) -> None:
    """As docs/schedules.md says: the nights of Paris between one and five."""
    job = Cron(expression, PARIS)
    for day, expected in (("2026-03-29", spring), ("2026-10-25", autumn)):
        moment, end, found = at(f"{day} 01:00"), at(f"{day} 05:00"), []
        while (moment := job.after(moment)) < end:
            found.append(shown(moment)[11:16])
        assert found == expected


def test_what_runs_every_hour_goes_by_the_time_that_passes() -> None:
    job = Cron("0 * * * *", PARIS)
    moment = at("2026-10-25 01:00")
    for _ in range(4):
        assert job.after(moment) == moment + 3600
        moment = job.after(moment)
    moment = at("2026-03-29 01:00")
    assert shown(job.after(moment)) == "2026-03-29 03:00 CEST"
    assert job.after(moment) == moment + 3600


@given(
    st.sampled_from(["30 2 * * *", "*/15 * * * *", "0 */6 * * *", "5 0 1 * *", "0 7 * * 1-5"]),
    st.sampled_from([PARIS, "UTC", "America/New_York", "Australia/Lord_Howe"]),
    st.integers(1_740_000_000, 1_790_000_000),
)
def test_the_next_tick_is_always_later(expression: str, timezone: str, last: int) -> None:
    assert Cron(expression, timezone).after(float(last)) > last


def test_a_window_over_midnight() -> None:
    night = Between(22 * 60, 6 * 60, PARIS)
    assert night.is_open(at("2026-06-10 22:00"))
    assert night.is_open(at("2026-06-11 05:59"))
    assert not night.is_open(at("2026-06-11 06:00"))
    assert shown(night.opens(at("2026-06-11 12:00")) or 0.0) == "2026-06-11 22:00 CEST"


def test_the_night_of_spring_is_an_hour_shorter_and_that_of_autumn_an_hour_longer() -> None:
    night = Between(22 * 60, 6 * 60, PARIS)

    def hours(start: float) -> float:
        return sum(night.is_open(start + minute * 60) for minute in range(24 * 60)) / 60

    assert hours(at("2026-03-28 12:00")) == 7
    assert hours(at("2026-10-24 12:00")) == 9
    assert hours(at("2026-06-10 12:00")) == 8


def test_a_window_that_begins_in_the_skipped_hour_opens_right_after_it() -> None:
    window = Between(2 * 60 + 30, 4 * 60, PARIS)
    assert not window.is_open(at("2026-03-29 01:59"))
    assert shown(window.opens(at("2026-03-29 01:59")) or 0.0) == "2026-03-29 03:00 CEST"


def test_a_window_in_the_repeated_hour_is_open_both_times() -> None:
    window = Between(2 * 60, 2 * 60 + 30, PARIS)
    assert window.is_open(at("2026-10-25 02:10", fold=0))
    assert not window.is_open(at("2026-10-25 02:40", fold=0))
    assert window.is_open(at("2026-10-25 02:10", fold=1))


def test_until_midnight() -> None:
    evening = Between(18 * 60, 24 * 60)
    assert evening.is_open(at("2026-06-10 23:59", "UTC"))
    assert not evening.is_open(at("2026-06-11 00:00", "UTC"))


def test_always_and_never() -> None:
    assert Continuous().is_open(0.0)
    assert Continuous().opens(5.0) == 5.0
    assert not Manual().is_open(0.0)
    assert Manual().opens(5.0) is None


@pytest.mark.parametrize("expression", ["* * * *", "61 * * * *", "0 0 30 2 *", "0 0 0 * * *", "monday"])
def test_what_is_no_cron_expression_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"five fields|not right|never"):
        cron(expression, "UTC")
