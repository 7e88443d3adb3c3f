"""Whether a lane works, and why not."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from stream_sync.delivery.standing import Standing
from stream_sync.observability.metrics import Metrics


def standing() -> Standing:
    return Standing(Metrics(CollectorRegistry()).lane("gold"), lambda event, **fields: None)


def test_the_first_reason_of_a_halt_counts() -> None:
    lane = standing()
    lane.halt("unauthorized", curable=True)
    lane.halt("forbidden", curable=True)
    assert (lane.state, lane.halted, lane.curable) == ("halted", "unauthorized", True)


def test_what_cannot_pass_is_not_hidden_by_what_can() -> None:
    """Records after the one that halted were not received: going on would skip them."""
    lane = standing()
    lane.halt("unauthorized", curable=True)
    lane.halt("before_missing")
    lane.halt("forbidden", curable=True)
    assert (lane.halted, lane.curable) == ("before_missing", False)


def test_who_is_in_doubt_waits_for_kafka_and_takes_what_there_is() -> None:
    told: list[str] = []
    lane = Standing(Metrics(CollectorRegistry()).lane("gold"), lambda event, **fields: told.append(event))
    lane.doubt(True)
    lane.doubt(True)
    assert (lane.state, lane.reason, lane.takes) == ("waiting", "kafka", True)
    lane.rest("backlog_full")
    assert (lane.state, lane.reason, lane.takes) == ("paused", "backlog_full", False)
    lane.rest(None)
    lane.doubt(False)
    assert (lane.state, lane.reason, lane.takes) == ("running", None, True)
    assert told == ["partitions_in_doubt", "partitions_certain"]
