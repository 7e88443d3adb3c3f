"""Warnings are counted each time and told once a minute, with the places of some records."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from stream_sync.delivery.notices import Notice, Notices
from stream_sync.errors import HaltError
from stream_sync.model import Record
from stream_sync.observability.metrics import Metrics
from tests.delivery.parts import Told


class Desk:
    """Notices and whom they are told."""

    def __init__(self, *escalated: str) -> None:
        self.registry = CollectorRegistry()
        self.logged: list[dict[str, Any]] = []
        self.told: list[Notice] = []
        self.wall = 1000.0
        metrics = Metrics(self.registry).lane("gold")
        self.notices = Notices(
            metrics, lambda _, **fields: self.logged.append(fields), self.told.append, escalated, lambda: self.wall
        )

    def counted(self, code: str) -> float:
        return self.registry.get_sample_value("stream_sync_warnings_total", {"activation": "gold", "code": code}) or 0.0


def test_what_comes_in_the_minute_after_is_told_with_the_next_in_full() -> None:
    desk = Desk()
    desk.notices.add("column_missing", "ltv")
    desk.notices.flush(0.0)
    to_do = "mend the mapping, or the connector's column list"
    assert (desk.told[0].count, desk.logged) == (
        1,
        [{"code": "column_missing", "name": "ltv", "count": 1, "to_do": to_do}],
    )
    for second in range(1, 61):
        desk.wall = 1000.0 + second
        desk.notices.add("column_missing", "ltv")
        desk.notices.flush(float(second))
    assert desk.counted("column_missing") == 61, "the metric waits for nothing"
    assert [(each.count, each.first, each.last) for each in desk.told[1:]] == [(60, 1001.0, 1060.0)]


def test_at_the_end_nothing_is_left_untold() -> None:
    desk = Desk()
    for _ in range(2):
        desk.notices.add("exit_unknown", "")
        desk.notices.flush(0.0)
    assert len(desk.told) == 1
    desk.notices.flush(1.0, last=True)
    assert [each.count for each in desk.told] == [1, 1]


def test_what_the_config_asks_for_is_counted_only() -> None:
    desk = Desk()
    desk.notices.add("null_skipped", "ltv")
    desk.notices.flush(0.0)
    assert (desk.told, desk.logged, desk.counted("null_skipped")) == ([], [], 1)


def test_three_places_are_enough() -> None:
    desk = Desk()
    for offset in range(5):
        record: Record = Told(2, offset)
        desk.notices.at_hand = lambda record=record: record  # type: ignore[misc]
        desk.notices.add("column_missing", "ltv")
    desk.notices.flush(0.0)
    assert [(place.partition, place.offset) for place in desk.told[0].places] == [(2, 0), (2, 1), (2, 2)]


def test_what_is_escalated_stops_the_taking_at_its_record_and_else_halts() -> None:
    desk = Desk("column_missing")
    halts: list[str] = []
    desk.notices.halt = lambda reason, message: halts.append(reason)
    desk.notices.add("value_truncated", "bio")
    desk.notices.add("column_missing", "ltv")
    assert halts == ["column_missing"]
    desk.notices.at_hand = Told
    with pytest.raises(HaltError, match=r"column_missing .ltv. halts") as raised:
        desk.notices.add("column_missing", "ltv")
    assert raised.value.reason == "column_missing"
