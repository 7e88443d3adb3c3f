"""The metrics of one process: objects made from the table, and handles with their labels bound.

Invariants:
- A handle's methods take a whole batch (`n`), so that the hot loop calls them once a batch and not once a record.
- A label value that is no word of ours (`a-z 0-9 _`, or an endpoint's path) is `other`, and so is every further one
  when a label has had its fill: a vendor's free text or a person's data can neither show nor grow without bound.
- Gauges that only the mirror's guard knows stay absent until somebody sets them: a 0 would read as an alarm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

from stream_sync.model import Kind as IntentKind
from stream_sync.observability.histograms import Histograms
from stream_sync.observability.table import (
    BOUNDS,
    LANE_STATES,
    METRICS,
    OUTCOMES,
    PREFIX,
    RECORD_RESULTS,
    Bound,
    CommitResult,
    LaneState,
    OutcomeName,
    RecordResult,
)

Registry = CollectorRegistry
"""Where the metrics of one process are collected; under our own name, for whoever hands it on."""

OTHER = "other"
MOST_VALUES = 64
"""Distinct values of one open label of one metric; the largest table of codes has some 30."""
_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_STATUS = re.compile(r"[1-5][0-9][0-9]|[a-z][a-z_]{0,31}")
_ENDPOINT = re.compile(r"[A-Za-z0-9/_.{} -]{1,64}")

_INTENT_KINDS: tuple[IntentKind, ...] = get_args(IntentKind)


Child = TypeVar("Child")
Name = TypeVar("Name", bound=str)


class _Open(Generic[Child]):
    """Children of a metric whose last labels are known only when they come, kept within bounds."""

    def __init__(self, make: Callable[..., Child], *shapes: re.Pattern[str]) -> None:
        self._make = make
        self._shapes = shapes
        self._children: dict[tuple[str, ...], Child] = {}

    def __call__(self, *values: str) -> Child:
        if (child := self._children.get(values)) is None:
            known = tuple(
                value if shape.fullmatch(value) else OTHER for value, shape in zip(values, self._shapes, strict=True)
            )
            if known not in self._children and len(self._children) >= MOST_VALUES:
                known = (OTHER,) * len(values)
            if (child := self._children.get(known)) is None:
                child = self._children[known] = self._make(*known)
        return child


class Metrics:
    """Makes every metric of the table in `registry` and gives out the handles."""

    def __init__(self, registry: Registry) -> None:
        # The client's `…_created` series are no part of the contract.
        disable_created_metrics()
        self.counters: dict[str, Counter] = {}
        self.gauges: dict[str, Gauge] = {}
        self.histograms: dict[str, Histograms] = {}
        for name, kind, labels, meaning, buckets in METRICS:
            match kind:
                case "counter":
                    self.counters[name] = Counter(PREFIX + name, meaning, labels, registry=registry)
                case "gauge":
                    self.gauges[name] = Gauge(PREFIX + name, meaning, labels, registry=registry)
                case "histogram":
                    self.histograms[name] = Histograms(PREFIX + name, meaning, labels, buckets)
                    registry.register(self.histograms[name])

    def lane(self, activation: str) -> LaneMetrics:
        return LaneMetrics(self, activation)

    def destination(self, name: str) -> DestinationMetrics:
        return DestinationMetrics(self, name)

    def about(self, version: str, config_hash: str) -> None:
        """Says which build runs with which config."""
        self.gauges["build_info"].labels(version).set(1)
        self.gauges["config_info"].labels(config_hash).set(1)


class LaneMetrics:
    """One lane's metrics."""

    def __init__(self, metrics: Metrics, activation: str) -> None:
        counters, gauges = metrics.counters, metrics.gauges

        def bound(name: str, values: Iterable[str]) -> Mapping[str, Counter]:
            return {value: counters[name].labels(activation, value) for value in values}

        def by_code(name: str) -> _Open[Counter]:
            return _Open(lambda code: counters[name].labels(activation, code), _WORD)

        self._records = bound("records_total", RECORD_RESULTS)
        self._intents = bound("intents_total", _INTENT_KINDS)
        self._outcomes = bound("outcomes_total", OUTCOMES)
        self._commits = bound("commits_total", get_args(CommitResult))
        self._unchanged = counters["unchanged_total"].labels(activation)
        self._rebalances = counters["rebalances_total"].labels(activation)
        self._dead_letters = by_code("dead_letters_total")
        self._warnings = by_code("warnings_total")
        self._batch_size = metrics.histograms["batch_size"].of(activation)
        self._freshness = metrics.histograms["freshness_seconds"].of(activation)
        self._oldest_pending = gauges["oldest_pending_seconds"].labels(activation)
        self._lag = gauges["lag_records"].labels(activation)
        self._pending = gauges["pending_intents"].labels(activation)
        self._in_flight = gauges["in_flight"].labels(activation)
        self._gauges = gauges
        self._activation = activation
        self._states = {state: gauges["lane_state"].labels(activation, state) for state in LANE_STATES}
        self._bounds = {by: gauges["limited_by"].labels(activation, by) for by in BOUNDS}

    def records(self, result: RecordResult, n: int) -> None:
        self._records[result].inc(n)

    def intents(self, kind: IntentKind, n: int) -> None:
        self._intents[kind].inc(n)

    def unchanged(self, n: int) -> None:
        self._unchanged.inc(n)

    def outcomes(self, outcome: OutcomeName, n: int) -> None:
        self._outcomes[outcome].inc(n)

    def batch_size(self, people: int) -> None:
        self._batch_size.observe(people)

    def freshness(self, seconds: Iterable[float]) -> None:
        """Takes the delivered people of a request at once. Below 0 (the source's clock is ahead) counts as 0."""
        self._freshness.observe_all([max(0.0, value) for value in seconds])

    def oldest_pending(self, seconds: float) -> None:
        self._oldest_pending.set(seconds)

    def lag(self, records: int) -> None:
        self._lag.set(records)

    def pending(self, intents: int) -> None:
        self._pending.set(intents)

    def in_flight(self, people: int) -> None:
        self._in_flight.set(people)

    def held_deletes(self, deletes: int) -> None:
        self._gauges["held_deletes"].labels(self._activation).set(deletes)

    def delete_budget_remaining(self, deletes: int) -> None:
        self._gauges["delete_budget_remaining"].labels(self._activation).set(deletes)

    def lane_state(self, state: LaneState) -> None:
        _only(self._states, state)

    def limited_by(self, by: Bound) -> None:
        _only(self._bounds, by)

    def dead_letter(self, code: str, n: int = 1) -> None:
        self._dead_letters(code).inc(n)

    def warning(self, code: str, n: int = 1) -> None:
        self._warnings(code).inc(n)

    def commits(self, result: CommitResult) -> None:
        self._commits[result].inc()

    def rebalance(self) -> None:
        self._rebalances.inc()


class DestinationMetrics:
    """One destination's metrics."""

    def __init__(self, metrics: Metrics, destination: str) -> None:
        counters = metrics.counters
        seconds = metrics.histograms["request_seconds"]
        self._requests = _Open(
            lambda endpoint, status: counters["requests_total"].labels(destination, endpoint, status),
            _ENDPOINT,
            _STATUS,
        )
        self._seconds = _Open(lambda endpoint: seconds.of(destination, endpoint), _ENDPOINT)
        self._retries = _Open(lambda reason: counters["retries_total"].labels(destination, reason), _WORD)
        self._throttled = _Open(lambda reason: counters["throttled_total"].labels(destination, reason), _WORD)
        self._down = metrics.gauges["destination_down"].labels(destination)

    def request(self, endpoint: str, status: str, seconds: float) -> None:
        """One HTTP exchange. `status`: the code as text, or a word for why there was none (`timeout`)."""
        self._requests(endpoint, status).inc()
        self._seconds(endpoint).observe(seconds)

    def retry(self, reason: str, n: int = 1) -> None:
        self._retries(reason).inc(n)

    def throttled(self, reason: str, n: int = 1) -> None:
        self._throttled(reason).inc(n)

    def down(self, is_down: bool) -> None:
        self._down.set(1 if is_down else 0)


def _only(gauges: Mapping[Name, Gauge], chosen: Name) -> None:
    gauges[chosen].set(1)
    for name, gauge in gauges.items():
        if name != chosen:
            gauge.set(0)
