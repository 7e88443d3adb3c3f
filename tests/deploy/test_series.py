"""Twenty activations are at most 2,000 series: what a small Prometheus does not notice."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from stream_sync.observability.metrics import Metrics
from stream_sync.observability.table import BOUNDS, LANE_STATES, OUTCOMES, RECORD_RESULTS

MOST = 2000
ACTIVATIONS = 20
ENDPOINTS = {
    "braze": ("/users/track", "/users/delete"),
    "voyado": ("/api/v3/contacts/bylookup", "/api/v3/contacts/{id}", "/api/v3/contacts"),
    "crisp": ("/people/profile/{id}", "/people/data/{id}", "/people/profile"),
}
STATUSES = ("200", "201", "400", "404", "429", "503", "timeout")
CODES = 6
"""Of dead letters and of warnings, on each lane: in a bad week."""


def test_twenty_activations_stay_within_two_thousand_series() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.about("1.0", "abc")
    for number in range(ACTIVATIONS):
        lane = metrics.lane(f"lane-{number}")
        for result in RECORD_RESULTS:
            lane.records(result, 1)
        for outcome in OUTCOMES:
            lane.outcomes(outcome, 1)
        lane.held_deletes(1)
        lane.delete_budget_remaining(1)
        lane.lane_state(LANE_STATES[0])
        lane.limited_by(BOUNDS[0])
        lane.freshness([1.0])
        lane.batch_size(75)
        for code in range(CODES):
            lane.dead_letter(f"code_{code}")
            lane.warning(f"code_{code}")
    for name, endpoints in ENDPOINTS.items():
        destination = metrics.destination(name)
        for endpoint in endpoints:
            for status in STATUSES:
                destination.request(endpoint, status, 0.1)
        for reason in ("error", "timeout", "rate_limited", "quota_spent"):
            destination.retry(reason)
            destination.throttled(reason)

    series = sum(len(family.samples) for family in registry.collect())

    assert ACTIVATIONS * 60 < series <= MOST
