"""Speed, freshness and the forecast follow from what was counted."""

from __future__ import annotations

import pytest

from stream_sync.admin.history import EVERY_SECONDS, History, Reading, quantile
from stream_sync.admin.views import Forecast

INF = float("inf")


def taken(*backlogs: float, settled: float = 0.0) -> History:
    """A reading each few seconds; `settled` more each time."""
    history = History()
    for number, backlog in enumerate(backlogs):
        history.add(Reading(at=number * EVERY_SECONDS, settled=number * settled, backlog=backlog))
    return history


@pytest.mark.parametrize(
    ("backlogs", "settled", "forecast"),
    [
        ((), 0, Forecast("unknown")),
        ((700,), 0, Forecast("unknown")),
        ((700, 0), 0, Forecast("caught_up")),
        ((700, 600, 500), 100, Forecast("catching_up", 25.0)),
        ((500, 600, 700), 100, Forecast("falling_behind")),
        ((700, 700, 700), 0, Forecast("unknown")),
        ((30, 50, 40), 500, Forecast("caught_up")),
    ],
)
def test_the_forecast_goes_on_as_the_backlog_did(
    backlogs: tuple[float, ...], settled: float, forecast: Forecast
) -> None:
    assert taken(*backlogs, settled=settled).forecast() == forecast


def test_speed_is_that_of_the_last_minutes_only() -> None:
    history = taken(*[0.0] * 10, settled=1000.0)
    for number in range(30):
        history.add(Reading(at=100 + number * EVERY_SECONDS, settled=10_000 + number * 20.0))
    assert history.per_second("settled") == pytest.approx(20.0 / EVERY_SECONDS)

    history.add(Reading(at=300.0, settled=0.0))
    assert history.per_second("settled") == 0.0, "counts that begin anew end what came before"


def test_freshness_is_that_of_what_was_delivered_meanwhile() -> None:
    history = History()
    history.add(Reading(at=0.0, buckets=((1.0, 1000.0), (10.0, 1000.0), (INF, 1000.0))))
    assert history.freshness() is None
    history.add(Reading(at=5.0, buckets=((1.0, 1000.0), (10.0, 1000.0), (INF, 1000.0))))
    assert history.freshness() is None
    history.add(Reading(at=10.0, buckets=((1.0, 1090.0), (10.0, 1100.0), (INF, 1100.0))))

    found = history.freshness()
    assert found is not None
    assert (found.median, found.p95) == pytest.approx((50 / 90, 5.5))


@pytest.mark.parametrize(("part", "expected"), [(0.0, 0.0), (0.25, 0.5), (0.5, 1.0), (0.75, 5.5), (1.0, 10.0)])
def test_a_quantile_is_even_within_its_bucket(part: float, expected: float) -> None:
    assert quantile(part, ((1.0, 50.0), (10.0, 100.0), (INF, 100.0))) == pytest.approx(expected)


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert quantile(0.9, ((1.0, 0.0), (INF, 10.0))) == 1.0
