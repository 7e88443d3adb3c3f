"""What is told of an outcome: which records, which request, who by a hash that nobody can guess, and no value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stream_sync.config.values import Secret
from stream_sync.delivery.ports import Settled
from stream_sync.journal import MOST_OFFSETS, LaneJournal, key_of, pseudonym
from stream_sync.kafka.letter_topics import LetterTopic
from stream_sync.kafka.outcomes import Told, topic_of
from tests.delivery import parts
from tests.delivery.parts import intent

TOPIC = LetterTopic(topic_of("acme", "gold"), 4, 1)
KEY = key_of([Secret("a-key")])


class Kept:
    """Outcomes that are kept instead of written; see `OutcomeLog`."""

    def __init__(self) -> None:
        self.told: list[Told] = []

    def add(self, topic: LetterTopic, told: Told, lost: Callable[[int], None]) -> None:
        assert topic is TOPIC
        self.told.append(told)


def tell(settled: Settled) -> list[Told]:
    kept: Any = Kept()
    LaneJournal(kept, lambda: TOPIC, "gold", KEY, lambda _count: None, lambda: 1_700_000_000.25).tell(settled)
    told: list[Told] = kept.told
    return told


def test_merged_records_are_told_with_the_one_that_stands_for_them() -> None:
    settled = Settled(parts.Told(3, 9), [4, 9, 7], "delivered", intent("update"), exchanges=[("users_track", "201")])

    assert tell(settled) == [
        Told(
            at="2023-11-14T22:13:20.250Z",
            activation="gold",
            topic="wh.marts.people",
            partition=3,
            offsets=(4, 7, 9),
            merged_into=9,
            outcome="delivered",
            kind="update",
            endpoint="users_track",
            status=201,
            identified_by="external_id",
            person=pseudonym(KEY, "external_id", "ann"),
        )
    ]


@pytest.mark.parametrize(
    ("outcome", "status", "exchanges", "found"),
    [
        ("delivered", None, [("users_track", "400"), ("users_track", "201"), ("users_track", "400")], 201),
        ("rejected", 400, [("users_track", "400"), ("users_track", "201")], 400),
        ("ignored", None, [("contact_lookup", "404")], 404),
        ("delivered", None, [("people_delete", "404")], 404),
        ("rejected", None, [("users_track", "timeout")], "timeout"),
        ("ignored", None, [], None),
    ],
)
def test_the_request_that_settled_it_is_told(outcome: Any, status: int | None, exchanges: Any, found: Any) -> None:
    (told,) = tell(Settled(parts.Told(), [0], outcome, intent("update"), "why", status, exchanges))

    assert told.status == found
    assert told.endpoint == (exchanges[0][0] if exchanges else None)
    assert len(told.requests) == (len(exchanges) if len(exchanges) > 1 else 0)


def test_many_offsets_are_several_records() -> None:
    told = tell(Settled(parts.Told(0, 2 * MOST_OFFSETS), range(2 * MOST_OFFSETS + 1), "delivered", intent("update")))

    assert [len(each.offsets) for each in told] == [MOST_OFFSETS, MOST_OFFSETS, 1]
    assert {each.merged_into for each in told} == {2 * MOST_OFFSETS}


def test_a_record_that_became_no_intent_is_nobody_s() -> None:
    (told,) = tell(Settled(parts.Told(), [0], "rejected", None, "no_key"))

    assert (told.kind, told.person, told.code) == (None, None, "no_key")


def test_a_hash_is_the_same_under_one_key_only() -> None:
    def hashed(*secrets: str) -> str:
        return pseudonym(key_of(map(Secret, secrets)), "email", "ann@example.com")

    assert hashed("a-key") == hashed("a-key") != hashed("b-key")
    assert hashed() != hashed()
    assert pseudonym(KEY, "email", "1") != pseudonym(KEY, "external_id", "1")
