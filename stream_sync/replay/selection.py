"""Which letters are meant: by code, time, key or place.

Invariants: pure; a key is compared with what a person would type: a column's value as text, or the whole key.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from stream_sync.kafka.put_aside import Letter


class Selection(msgspec.Struct, frozen=True):
    """All that are given must hold."""

    code: str | None = None
    since: str | None = None
    """As `Letter.failed_at`."""
    key: str | None = None
    partition: int | None = None
    offset: int | None = None

    def has(self, letter: Letter) -> bool:
        """Whether the letter is meant."""
        return (
            (self.code is None or letter.code == self.code)
            and (self.since is None or letter.failed_at >= self.since)
            and (self.partition is None or letter.partition == self.partition)
            and (self.offset is None or letter.offset == self.offset)
            and (self.key is None or is_key(letter.key, self.key))
        )


def is_key(key: bytes | None, text: str) -> bool:
    """Whether a record's key is what somebody wrote: the key itself, the value of one of its columns, its hash as
    `hidden` shows it; in a key that is no JSON, a part of its bytes."""
    if key is None:
        return False
    if text in (key.decode(errors="replace"), hidden(key)):
        return True
    try:
        parsed = msgspec.json.decode(key)
    except (msgspec.DecodeError, RecursionError):
        return text.encode() in key
    return any(_as_typed(value) == text for value in _values(parsed))


def hidden(key: bytes | None) -> str:
    """What stands for a key where people's data are not shown: equal for equal keys."""
    return "none" if key is None else f"#{hashlib.sha256(key).hexdigest()[:12]}"


def _values(key: Any) -> list[Any]:
    if not isinstance(key, dict):
        return [key]
    if "schema" in key and "payload" in key:
        return _values(key["payload"])
    return list(key.values())


def _as_typed(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
