"""What intents take of each vendor's limits, as `plan` tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from stream_sync.config.sink_types import installed
from stream_sync.config.values import Rate
from stream_sync.model import Mode
from stream_sync.sinks.foreseen import Counted, Load, Request

URL = {"url": "http://localhost:1"}
BRAZE = {"type": "braze", **URL, "api_key": "k"}
VOYADO = {"type": "voyado", **URL, "api_key": "k"}
CRISP = {"type": "crisp", "website_id": "w", "identifier": "i", "key": "k", "tier": "plugin"}
TRACK, DELETE = (Rate(3000, 3.0), Rate(20_000, 60.0))


def loads(given: dict[str, Any], *counted: Counted, mode: Mode = "upsert", most: int | None = None) -> Sequence[Load]:
    sink = installed()[given["type"]]()
    return sink.loads(sink.Settings.model_validate(given), counted, mode, most)


def writes(kind: Any, count: int, *names: str, by: str = "email") -> Counted:
    return Counted(kind, by, names, count)


def test_braze_counts_full_batches_and_every_value() -> None:
    counted = writes("insert", 70, "a", "b"), writes("update", 6, "a"), writes("delete", 51)
    assert loads(BRAZE, *counted, mode="mirror") == [
        Load("/users/track", 2, 2, TRACK, data_points=146),
        Load("/users/delete", 2, 2, DELETE),
    ]
    assert loads(BRAZE, *counted, mode="mirror", most=10)[0].most == 8
    assert [load.limit for load in loads(BRAZE, counted[0])] == ["/users/track"]


@pytest.mark.parametrize(("by", "most"), [("contactId", 5), ("email", 10)])
def test_voyado_looks_up_whom_it_knows_by_email(by: str, most: int) -> None:
    (load,) = loads(VOYADO, writes("update", 5, "city", by=by))
    assert (load.fewest, load.most, load.seconds(load.most)) == (5, most, most / 25)


@pytest.mark.parametrize(
    ("counted", "fewest", "most"),
    [
        (writes("insert", 10, "person.nickname", "data.ltv"), 20, 30),
        (writes("insert", 10, "data.ltv"), 10, 30),
        (writes("insert", 10, "person.nickname"), 10, 20),
        (writes("insert", 10), 0, 10),
        (writes("insert", 10, "data.ltv", by="people_id"), 10, 10),
        (writes("update", 10, "person.nickname", "data.ltv"), 20, 20),
        (writes("delete", 10), 10, 10),
    ],
)
def test_crisp_takes_up_to_three_requests_for_somebody_new(counted: Counted, fewest: int, most: int) -> None:
    assert loads(CRISP, counted) == [Load("/people", fewest, most, Rate(50, 1.0), a_day=5000)]


def test_a_person_in_a_path_is_encoded() -> None:
    assert Request("GET", "/id?email={person}&x={id}", person="a+b@x.io").target == "/id?email=a%2Bb%40x.io&x={id}"
