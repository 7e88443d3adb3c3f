"""Every metric of the service in one table: a new one is a line here, a line in docs/metrics.md and its caller.

Invariants:
- Names are without the prefix `stream_sync_`; what is exposed is exactly this table (a test compares it with the docs).
- Label values come from closed sets, below or in the caller's own tables; `metrics.py` turns anything else to `other`.
- No label ever holds a person's identifier, e-mail, key or text.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

PREFIX = "stream_sync_"

RecordResult = Literal["routed", "skipped", "undecodable"]
OutcomeName = Literal["delivered", "ignored", "rejected", "parked"]
LaneState = Literal["running", "paused", "waiting", "halted"]
Bound = Literal["source", "cpu", "rate_limit", "destination", "schedule"]
CommitResult = Literal["ok", "failed"]

RECORD_RESULTS: tuple[RecordResult, ...] = get_args(RecordResult)
OUTCOMES: tuple[OutcomeName, ...] = get_args(OutcomeName)
LANE_STATES: tuple[LaneState, ...] = get_args(LaneState)
BOUNDS: tuple[Bound, ...] = get_args(Bound)

Kind = Literal["counter", "gauge", "histogram"]


class Metric(NamedTuple):
    """One line of the table. `buckets`: a histogram's upper ends, in the metric's own unit."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


_ACTIVATION = ("activation",)
_DESTINATION = ("destination",)
_REQUEST_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_FRESHNESS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400)
_PEOPLE = (1, 2, 5, 10, 25, 50, 75, 100, 250, 500, 1000)

METRICS = (
    Metric("records_total", "counter", (*_ACTIVATION, "result"), "source records read"),
    Metric("intents_total", "counter", (*_ACTIVATION, "kind"), "what they became, before merging"),
    Metric("unchanged_total", "counter", _ACTIVATION, "updates with nothing to send"),
    Metric("outcomes_total", "counter", (*_ACTIVATION, "outcome"), "what became of the intents, before merging"),
    Metric("retries_total", "counter", (*_DESTINATION, "reason"), "attempts repeated after a failure"),
    Metric("throttled_total", "counter", (*_DESTINATION, "reason"), "attempts the destination told to wait"),
    Metric("requests_total", "counter", (*_DESTINATION, "endpoint", "status"), "HTTP requests"),
    Metric("request_seconds", "histogram", (*_DESTINATION, "endpoint"), "their time", _REQUEST_SECONDS),
    Metric("batch_size", "histogram", _ACTIVATION, "people a request", _PEOPLE),
    Metric(
        "freshness_seconds",
        "histogram",
        _ACTIVATION,
        "from the source's commit of the oldest merged record to delivered",
        _FRESHNESS,
    ),
    Metric("oldest_pending_seconds", "gauge", _ACTIVATION, "age of the oldest unsettled change, 0 when caught up"),
    Metric("lag_records", "gauge", _ACTIVATION, "backlog in Kafka"),
    Metric("pending_intents", "gauge", _ACTIVATION, "backlog in memory"),
    Metric("in_flight", "gauge", _ACTIVATION, "people on the wire"),
    Metric("held_deletes", "gauge", _ACTIVATION, "deletes parked for a person to decide"),
    Metric("delete_budget_remaining", "gauge", _ACTIVATION, "deletes until all are parked"),
    Metric("dead_letters_total", "counter", (*_ACTIVATION, "code"), "records refused for good"),
    Metric("warnings_total", "counter", (*_ACTIVATION, "code"), "what a person should know although nothing failed"),
    Metric("lane_state", "gauge", (*_ACTIVATION, "state"), "1 for the state it is in"),
    Metric("limited_by", "gauge", (*_ACTIVATION, "by"), "1 for what bounds it now"),
    Metric("destination_down", "gauge", _DESTINATION, "1 while only probing"),
    Metric("commits_total", "counter", (*_ACTIVATION, "result"), "commits of offsets"),
    Metric("rebalances_total", "counter", _ACTIVATION, "times the lane's partitions changed"),
    Metric("build_info", "gauge", ("version",), "1"),
    Metric("config_info", "gauge", ("hash",), "1"),
)
