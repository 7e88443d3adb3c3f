"""Which letters a command means: by what a person types."""

from __future__ import annotations

import argparse
import json

import pytest

from stream_sync.commands.arguments import since
from stream_sync.commands.letters import text_of
from stream_sync.kafka.put_aside import Letter
from stream_sync.replay.selection import Selection, hidden, is_key


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (b'{"id":42}', "42"),
        (b'{"id":42}', '{"id":42}'),
        (b'{"org":1,"id":"a b"}', "a b"),
        (b'{"schema":{},"payload":{"id":42}}', "42"),
        (b"42", "42"),
        (b"\x00\x00\x00\x00\x01\x0eann@x.y", "ann@x.y"),
        (b'{"id":42}', hidden(b'{"id":42}')),
    ],
)
def test_a_key_is_what_a_person_would_type(key: bytes, text: str) -> None:
    assert is_key(key, text)
    assert not is_key(key, "4")
    assert not is_key(None, text)


def test_every_filter_that_is_given_must_hold() -> None:
    letter = Letter(1, 7, "t", 1, 70, b'{"id":1}', None, "bad", "TASK_PUT", "", "", "1", "2026-11-22T10:00:00Z")

    assert Selection().has(letter)
    assert Selection("bad", "2026-11-22T10:00:00Z", "1", 1, 7).has(letter)
    for other in (Selection("good"), Selection(since="2026-11-22T10:00:01Z"), Selection(key="2"), Selection(offset=8)):
        assert not other.has(letter)


def test_since_is_an_age_or_a_time() -> None:
    assert since("2026-11-22") == "2026-11-22T00:00:00Z"
    assert since("2026-11-22T12:00:00+02:00") == "2026-11-22T10:00:00Z"
    assert since("2h") < since("1h")
    with pytest.raises(argparse.ArgumentTypeError, match="write a time as"):
        since("yesterday")


def test_bytes_are_shown_as_text_where_they_are_text() -> None:
    assert json.loads(text_of(b'{"id":1}') or "") == {"id": 1}
    assert text_of(b"\x00\xff") == "base64:AP8="
    assert text_of(None) is None
