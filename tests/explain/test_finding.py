"""Which rows somebody means: a key in whatever form they write it, or a person as they are sent."""

from __future__ import annotations

from typing import Any

import pytest

from stream_sync.explain.finding import KeyQuery, PersonQuery
from stream_sync.model import Change
from tests.routing.table import ANN, Activation, created, deleted, key_of, updated

ONE = (b'{"id":7}', {"id": 7})
TWO = (b'{"org":7,"id":"x y"}', {"org": 7, "id": "x y"})
AVRO = (b"\0\0\0\0\1\x0e", {"id": 7})
BARE = (b"7", None)


@pytest.mark.parametrize(
    ("text", "key", "found"),
    [
        ("7", ONE, True),
        ('{"id":7}', ONE, True),
        ('{ "id": 7 }', ONE, True),
        ("id=7", ONE, True),
        ("id=8", ONE, False),
        ("number=7", ONE, False),
        ("70", ONE, False),
        ("org=7,id=x y", TWO, True),
        ("org=7", TWO, False),
        ("x y", TWO, True),
        ("7", AVRO, True),
        ("id = 7", AVRO, True),
        ("8", AVRO, False),
        ("7", BARE, True),
        ("7", (None, None), False),
    ],
)
def test_a_key_is_what_a_person_would_type(text: str, key: tuple[bytes | None, Any], found: bool) -> None:
    assert KeyQuery(text).matches(*key) is found


def is_found(text: str, read: Any, **settings: Any) -> bool:
    activation = Activation("mirror", **settings)
    change = activation.decoder.decode(read)
    assert isinstance(change, Change)
    return PersonQuery(text, activation.plan).matches(change)


def test_a_person_is_compared_as_they_are_sent_whatever_the_segment() -> None:
    basic = {**ANN, "tier": "basic"}

    assert is_found("1", created(basic))
    assert is_found(" ANN@example.com ", created(basic), identifier="email", key=("id",))
    assert not is_found("2", created(basic))


def test_who_the_row_was_counts_too() -> None:
    other = {**ANN, "email": "other@example.com"}

    assert is_found("ann@example.com", updated(ANN, other), identifier="email")
    assert is_found("ann@example.com", deleted(ANN), identifier="email")
    assert is_found("1", deleted(None, key=key_of(ANN)))
