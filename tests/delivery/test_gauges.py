"""What a lane shows of itself: how old the oldest change is, and what would help now."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from stream_sync.config.settings import DestinationSettings
from stream_sync.delivery.destination import Destination
from stream_sync.delivery.gauges import measure
from stream_sync.observability.metrics import Metrics
from stream_sync.observability.table import BOUNDS
from stream_sync.sinks.base import Limits
from stream_sync.sinks.http import Http, Observe
from tests.config.sample_sinks import Ledger
from tests.delivery.parts import Ack, Lane, intent

WALL = 1_800_000_000.0


class Paced(Ledger):
    """A destination of which only the limits matter here."""

    waits = False

    def __init__(self) -> None:
        """Needs no settings and no connection."""

    @classmethod
    def connect(cls, settings: DestinationSettings, observe: Observe) -> Http:
        raise NotImplementedError

    @property
    def limits(self) -> Limits:
        return Limits(in_flight=1)

    def is_paced(self) -> bool:
        return self.waits


class Shown:
    """A lane, its destination, and what they show."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        metrics = Metrics(self._registry)
        self.sink = Paced()
        self.destination = Destination("braze", self.sink, metrics.destination("braze"), lambda: 0.5)
        self.metrics = metrics.lane("gold")
        self.lane = Lane()

    def measure(self, *, idle: bool = False, away: bool = False, unread: int = 0) -> None:
        now = self.lane.now
        measure(self.metrics, self.lane.backlog, (), self.destination, now, WALL, idle=idle, away=away, unread=unread)

    def value(self, name: str, **labels: str) -> float | None:
        return self._registry.get_sample_value(f"stream_sync_{name}", {"activation": "gold", **labels})

    @property
    def limited_by(self) -> str:
        self.measure()
        return self.told

    @property
    def told(self) -> str:
        (by,) = [by for by in BOUNDS if self.value("limited_by", by=by)]
        return by


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.mark.parametrize(
    ("committed", "age"),
    [(WALL - 7200, 7200.0), (WALL - 1, 5.0), (WALL + 60, 5.0), (None, 5.0)],
    ids=["in the topic for hours", "here for longer", "the source's clock is ahead", "not told"],
)
def test_a_change_is_as_old_as_its_commit_at_the_source(shown: Shown, committed: float | None, age: float) -> None:
    shown.lane.add(intent("insert"), Ack(), None if committed is None else int(committed * 1000))
    shown.lane.now = 5.0
    shown.measure()

    assert shown.value("oldest_pending_seconds") == age


def test_nothing_is_old_when_nothing_waits(shown: Shown) -> None:
    shown.measure()

    assert shown.value("oldest_pending_seconds") == 0
    assert shown.limited_by == "source"


def test_what_waits_with_nothing_in_its_way_waits_for_the_processor(shown: Shown) -> None:
    shown.lane.add(intent("insert"), Ack())

    assert shown.limited_by == "cpu"


def test_requests_that_wait_for_the_limit_are_told_from_those_that_wait_for_an_answer(shown: Shown) -> None:
    shown.lane.add(intent("insert"), Ack())
    shown.destination.gate.start()

    assert shown.limited_by == "destination"
    shown.sink.waits = True
    assert shown.limited_by == "rate_limit"


def test_a_destination_that_is_down_or_asked_to_wait_bounds_it(shown: Shown) -> None:
    shown.lane.add(intent("insert"), Ack())
    shown.destination.gate.start()
    shown.destination.gate.failed(shown.lane.now, None)

    assert shown.limited_by == "destination"


def test_a_state_that_is_away_bounds_what_waits_and_no_pod_more_would_help(shown: Shown) -> None:
    shown.lane.add(intent("insert"), Ack())
    shown.measure(away=True, unread=50_000)
    assert shown.told == "destination"


def test_records_that_concern_nobody_and_wait_to_be_read_wait_for_the_processor(shown: Shown) -> None:
    shown.measure(unread=50_000)
    assert shown.told == "cpu"

    shown.measure(unread=50_000, idle=True)
    assert shown.told == "schedule"
