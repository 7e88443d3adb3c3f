"""The demo's check: it must find whatever is wrong, and what it reads must be what was measured."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from rich.console import Console

from stream_sync.sandbox.broker import Broker
from stream_sync.sandbox.customers import Customers
from stream_sync.sandbox.demo_config import MIRROR, SLOW_MIRROR, UPDATE, UPSERT
from stream_sync.sandbox.demo_contacts import at_crisp, at_voyado, club, supported
from stream_sync.sandbox.demo_people import People, at_braze, differences, mirrored, updated
from stream_sync.sandbox.demo_readings import Readings
from stream_sync.sandbox.demo_stage import TOPICS, Stage
from stream_sync.sandbox.demo_view import LaneReading, Moment, View
from stream_sync.sandbox.server import Sandbox

ROW = {
    "customer_id": "cus_0001",
    "email": "One@Example.com",
    "first_name": None,
    "last_name": "Müller",
    "country": "SE",
    "birth_date": dt.date(1990, 2, 3),
    "lifetime_value": Decimal("-12.30"),
    "churn_score": 0.5,
    "loyalty_tier": "gold",
    "is_subscriber": True,
    "favorite_tags": ["a", "b"],
    "profile": {"channel": "app", "shoes": {"size": None, "visits": 3}},
    "last_order_at": dt.datetime(2026, 1, 2, 3, 4, 5, 60, dt.UTC),
}
PERSON = {
    "last_name": "Müller",
    "country": "SE",
    "email": "one@example.com",
    "dob": "1990-02-03",
    "tier": "gold",
    "ltv": -12.3,
    "tags": ["a", "b"],
    "last_order": "2026-01-02T03:04:05.000060Z",
    "channel": "app",
    "profile": {"channel": "app", "shoes": {"visits": 3}},
}


def table(**values: object) -> Customers:
    """One row."""
    customers = Customers(1, 0, 0.0)
    customers.warehouse.rows["cus_0001"] = {**ROW, **values}
    return customers


def test_a_row_in_the_segment_is_a_person_as_braze_holds_one() -> None:
    assert mirrored(table().warehouse, ()) == {"cus_0001": PERSON}


@pytest.mark.parametrize("values", [{"loyalty_tier": "silver"}, {"is_subscriber": None}, {"loyalty_tier": None}])
def test_a_row_outside_the_segment_is_nobody(values: dict[str, object]) -> None:
    assert mirrored(table(**values).warehouse, ()) == {}


def test_a_row_that_braze_does_not_take_is_nobody() -> None:
    assert mirrored(table().warehouse, {"cus_0001"}) == {}


@pytest.mark.parametrize(("score", "risk"), [(0.71, "high"), (0.7, "medium"), (0.4, "low"), (None, None)])
def test_a_known_person_gets_the_scores_and_keeps_the_rest(score: float | None, risk: str | None) -> None:
    known: People = {"cus_0001": {"shop": "Lyon", "churn_score": -1}, "guest": {"shop": "Malmö"}}
    (person, guest) = updated(table(churn_score=score).warehouse, known).values()
    assert (person.get("churn_score"), person.get("churn_risk"), person["shop"]) == (score, risk, "Lyon")
    assert guest == known["guest"]


def test_a_deleted_row_leaves_its_last_scores() -> None:
    customers = table()
    customers.warehouse.delete("cus_0001", 0.0)
    assert updated(customers.warehouse, {"cus_0001": {}})["cus_0001"]["churn_score"] == 0.5


def test_the_club_has_whoever_was_platinum_once_as_they_were_then() -> None:
    customers = table(loyalty_tier="platinum")
    warehouse = customers.warehouse
    warehouse.images.append(warehouse.rows["cus_0001"])
    warehouse.update("cus_0001", {"country": "NO"}, 0.0)
    warehouse.update("cus_0001", {"email": "Two@Example.com"}, 0.0)
    warehouse.update("cus_0001", {"loyalty_tier": "gold", "country": "FI"}, 0.0)
    one = {"lastName": "Müller", "country": "NO", "lifetimeValue": -12.3, "loyaltyTier": "platinum"}
    assert club(warehouse, ()) == {"one@example.com": one, "two@example.com": one}
    assert club(warehouse, {"cus_0001"}) == {}


def test_the_desk_has_whoever_is_platinum_and_subscribes_now() -> None:
    warehouse = table(loyalty_tier="platinum").warehouse
    person = {"nickname": "Müller", "geolocation": {"country": "SE"}}
    expected = {"one@example.com": {"person": person, "segments": ["platinum"], "data": {"ltv": -12.3}}}
    assert supported(warehouse, ()) == expected
    assert supported(warehouse, {"cus_0001"}) == {}
    warehouse.update("cus_0001", {"is_subscriber": None}, 0.0)
    assert supported(warehouse, ()) == {}


def test_what_a_vendor_adds_of_its_own_is_no_difference() -> None:
    assert at_braze({"c": {"n": True, "braze_id": "1", "external_id": "c"}}) == {"c": {"n": True}}
    assert at_voyado({"1": {"contactId": "1", "contactType": "Member", "approved": True, "email": "A@x", "n": 1}}) == {
        "a@x": {"n": 1}
    }
    assert at_crisp({"a@x": {"people_id": "1", "created_at": 1, "updated_at": 2, "email": "a@x", "data": {}}}) == {
        "a@x": {"data": {}}
    }


def test_every_difference_is_told() -> None:
    expected: People = {"a": {"n": 1, "x": None}, "b": {"n": 1.0}, "c": {"n": True}, "d": {}}
    found: People = {
        "a": {"n": 2},
        "b": {"n": 1, "m": 0},
        "c": {"n": True},
        "e": {},
    }
    assert differences(expected, found) == [
        "d is missing",
        "e should not be there",
        "a: n is 2, should be 1",
        "a: x is not set, should be None",
        "b: m is 0, should not be set",
        "b: n is 1, should be 1.0",
    ]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A stage without a service."""
    with Broker(TOPICS) as broker:
        async with Sandbox() as sandbox:
            stage = Stage(broker, sandbox, 1)
            await stage.prepare()
            stage.write_snapshot()
            yield stage


async def test_a_service_that_does_nothing_is_found_out(stage: Stage) -> None:
    stage.insert_unacceptable()
    assert not await stage.caught_up()
    assert await stage.letters() == []
    verdicts = stage.verdicts([])
    assert [verdict.lane for verdict in verdicts] == [MIRROR, UPDATE, UPSERT, SLOW_MIRROR]
    update = verdicts.pop(1)
    for verdict in verdicts:
        assert len([line for line in verdict.differences if line.endswith("is missing")]) == verdict.people > 50
        assert verdict.differences[-1].endswith("should be in the dead letters")
    assert any("churn_risk is not set" in line for line in update.differences)
    assert not any("missing" in line or "favorite_shop" in line for line in update.differences)


METRICS = """\
# HELP stream_sync_intents_total what they became
# TYPE stream_sync_intents_total counter
stream_sync_intents_total{activation="a",kind="insert"} 3.0
stream_sync_intents_total{activation="a",kind="delete"} 1.0
stream_sync_intents_total{activation="b",kind="insert"} 50.0
stream_sync_freshness_seconds_bucket{activation="a",le="0.5"} 5.0
stream_sync_freshness_seconds_bucket{activation="a",le="1.0"} 9.0
stream_sync_freshness_seconds_bucket{activation="a",le="10.0"} 9.0
stream_sync_freshness_seconds_bucket{activation="a",le="+Inf"} 10.0
stream_sync_freshness_seconds_sum{activation="a"} 1234.5
stream_sync_lane_state{activation="a",state="halted"} 0.0
stream_sync_lane_state{activation="a",state="running"} 1.0
"""


def test_readings_are_what_the_metrics_say() -> None:
    readings = Readings(METRICS)
    assert readings.total("intents_total", activation="a") == 4
    assert readings.total("intents_total") == 54
    assert readings.total("dead_letters_total", activation="a") == 0
    assert readings.one_of("lane_state", "state", activation="a") == "running"
    assert readings.one_of("lane_state", "state", activation="b") is None
    assert readings.value("lane_state", state="running") == 1.0


@pytest.mark.parametrize(("share", "bound"), [(0.5, 0.5), (0.51, 1.0), (0.9, 1.0), (0.95, math.inf)])
def test_a_share_is_within_the_first_bound_that_holds_it(share: float, bound: float) -> None:
    assert Readings(METRICS).within("freshness_seconds", share, activation="a") == bound
    assert Readings(METRICS).within("freshness_seconds", share, activation="b") is None


LANE = LaneReading(UPSERT, 1234, 56, 7, 8, 9, 6.25, 0.5, 2.5, 1, "running")


def shown(*moments: Moment, terminal: bool, width: int = 100) -> str:
    console = Console(force_terminal=terminal, width=width, height=40)
    with console.capture() as capture, View(console) as view:
        for moment in moments:
            view.show(moment)
    return capture.get()


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_shows_every_number_whole(width: int) -> None:
    moment = Moment(3, "rows change", 400, 500, ["update cus_0001  " + "x" * 200], [LANE] * 4)
    picture = shown(moment, terminal=True, width=width)
    for text in (
        "platinum-club",
        "upsert",
        "Voyado",
        "1,234",
        "6.2 s",
        "≤ 0.5 / 2.5 s",
        "running",
        "dead letters",
        "fresh p50 / p95",
    ):
        assert text in picture


def test_elsewhere_a_few_plain_lines_are_enough() -> None:
    moments = [Moment(second / 10, "rows change", 400, second, [], [LANE]) for second in range(100)]
    lines = shown(*moments, terminal=False).splitlines()
    assert len([line for line in lines if "rows change" in line]) == 4
    assert not any("\x1b" in line for line in lines)
