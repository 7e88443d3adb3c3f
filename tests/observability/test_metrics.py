"""The declared metrics are the contract's and the docs', and the handles count what they are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from stream_sync.observability.metrics import MOST_VALUES, Metrics
from stream_sync.observability.table import METRICS, PREFIX

CONTRACT = {
    "records_total": "activation, result",
    "intents_total": "activation, kind",
    "unchanged_total": "activation",
    "outcomes_total": "activation, outcome",
    "retries_total": "destination, reason",
    "throttled_total": "destination, reason",
    "requests_total": "destination, endpoint, status",
    "request_seconds": "destination, endpoint",
    "batch_size": "activation",
    "freshness_seconds": "activation",
    "oldest_pending_seconds": "activation",
    "lag_records": "activation",
    "pending_intents": "activation",
    "in_flight": "activation",
    "held_deletes": "activation",
    "delete_budget_remaining": "activation",
    "dead_letters_total": "activation, code",
    "warnings_total": "activation, code",
    "lane_state": "activation, state",
    "limited_by": "activation, by",
    "destination_down": "destination",
    "commits_total": "activation, result",
    "rebalances_total": "activation",
    "build_info": "version",
    "config_info": "hash",
}
"""Names and labels that others' dashboards and alarms rely on."""

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(PREFIX + name, labels)


def test_the_table_is_the_contract() -> None:
    assert {metric.name: ", ".join(metric.labels) for metric in METRICS} == CONTRACT
    assert len(METRICS) == len(CONTRACT)


def test_the_docs_have_the_table() -> None:
    written = re.findall(rf"^\| `{PREFIX}(\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$", DOCS.read_text(), re.MULTILINE)

    assert written == [
        (metric.name, metric.kind, ", ".join(f"`{label}`" for label in metric.labels), metric.meaning)
        for metric in METRICS
    ]


def test_what_is_exposed_is_the_table_and_nothing_else(registry: CollectorRegistry, metrics: Metrics) -> None:
    lane, destination = metrics.lane("gold"), metrics.destination("braze")
    lane.freshness([1.0])
    lane.warning("exit_unknown")
    destination.request("/users/track", "201", 0.1)
    metrics.about("1.0", "abc")

    exposed = re.findall(r"^# TYPE (\S+) (\S+)$", generate_latest(registry).decode(), re.MULTILINE)

    assert sorted(exposed) == sorted((PREFIX + metric.name, metric.kind) for metric in METRICS)


def test_batches_are_counted_by_their_size(registry: CollectorRegistry, metrics: Metrics) -> None:
    lane = metrics.lane("gold")
    lane.records("routed", 900)
    lane.records("routed", 100)
    lane.intents("update", 75)
    lane.unchanged(3)
    lane.outcomes("delivered", 75)
    lane.dead_letter("email_bad_format")
    lane.commits("ok")
    lane.rebalance()

    assert sample(registry, "records_total", activation="gold", result="routed") == 1000
    assert sample(registry, "records_total", activation="gold", result="skipped") == 0
    assert sample(registry, "intents_total", activation="gold", kind="update") == 75
    assert sample(registry, "unchanged_total", activation="gold") == 3
    assert sample(registry, "outcomes_total", activation="gold", outcome="delivered") == 75
    assert sample(registry, "dead_letters_total", activation="gold", code="email_bad_format") == 1
    assert sample(registry, "commits_total", activation="gold", result="ok") == 1
    assert sample(registry, "rebalances_total", activation="gold") == 1


def test_a_lane_is_in_one_state_and_bounded_by_one_thing(registry: CollectorRegistry, metrics: Metrics) -> None:
    lane = metrics.lane("gold")
    lane.lane_state("running")
    lane.lane_state("halted")
    lane.limited_by("rate_limit")

    states = {s: sample(registry, "lane_state", activation="gold", state=s) for s in ("running", "halted", "paused")}
    assert states == {"running": 0, "halted": 1, "paused": 0}
    assert sample(registry, "limited_by", activation="gold", by="rate_limit") == 1
    assert sample(registry, "limited_by", activation="gold", by="cpu") == 0


def test_freshness_takes_a_batch_and_a_source_whose_clock_is_ahead(
    registry: CollectorRegistry, metrics: Metrics
) -> None:
    metrics.lane("gold").freshness([-3.0, 0.1, 0.2, 90_000.0])

    def bucket(bound: str) -> float | None:
        return sample(registry, "freshness_seconds_bucket", activation="gold", le=bound)

    assert [bucket("0.1"), bucket("0.25"), bucket("86400.0"), bucket("+Inf")] == [2, 3, 3, 4]
    assert sample(registry, "freshness_seconds_count", activation="gold") == 4
    assert sample(registry, "freshness_seconds_sum", activation="gold") == pytest.approx(90_000.3)


def test_requests_are_counted_and_timed(registry: CollectorRegistry, metrics: Metrics) -> None:
    destination = metrics.destination("braze")
    destination.request("/users/track", "201", 0.2)
    destination.request("/users/track", "timeout", 30.0)
    destination.retry("server_error")
    destination.throttled("rate_limited")
    destination.down(True)

    at = {"destination": "braze", "endpoint": "/users/track"}
    assert sample(registry, "requests_total", **at, status="201") == 1
    assert sample(registry, "requests_total", **at, status="timeout") == 1
    assert sample(registry, "request_seconds_count", **at) == 2
    assert sample(registry, "retries_total", destination="braze", reason="server_error") == 1
    assert sample(registry, "throttled_total", destination="braze", reason="rate_limited") == 1
    assert sample(registry, "destination_down", destination="braze") == 1


@pytest.mark.parametrize(
    "text", ["Invalid email someone@example.com", "someone@example.com", "", "cus-00042", "a" * 65]
)
def test_free_text_never_becomes_a_label(text: str, registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.lane("gold").dead_letter(text)
    metrics.destination("braze").request("/users/track", text, 0.1)

    assert sample(registry, "dead_letters_total", activation="gold", code="other") == 1
    at = {"destination": "braze", "endpoint": "/users/track"}
    assert sample(registry, "requests_total", **at, status="other") == 1


def test_a_label_never_grows_without_bound(registry: CollectorRegistry, metrics: Metrics) -> None:
    lane = metrics.lane("gold")
    for number in range(MOST_VALUES + 10):
        lane.warning(f"code_{number}")

    assert sample(registry, "warnings_total", activation="gold", code="other") == 10
    assert sample(registry, "warnings_total", activation="gold", code=f"code_{MOST_VALUES - 1}") == 1


def test_the_guards_gauges_are_absent_until_they_are_known(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.lane("gold")

    assert sample(registry, "delete_budget_remaining", activation="gold") is None


def test_build_and_config_are_told(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.about("0.1.0", "5f2c")

    assert sample(registry, "build_info", version="0.1.0") == 1
    assert sample(registry, "config_info", hash="5f2c") == 1
