"""What a sink says of requests that it does not send: how they would be, and what they take of the vendor's limits.

Invariants: nothing here sends; no credential is in a `Request`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stream_sync.config.values import Rate
from stream_sync.model import Kind, Rejected
from stream_sync.sinks.http import Method, segment

PERSON = "{person}"
"""Stands for the person in a path."""


class Request(msgspec.Struct, frozen=True):
    """One request as `send` makes it."""

    method: Method
    path: str
    """From the account's address on, percent-encoded but for PERSON, and for an id in braces that an earlier answer
    tells."""
    body: Mapping[str, Any] | None = None
    """What is sent as JSON."""
    person: str = ""
    """What PERSON stands for, before it is encoded."""
    only: str = ""
    """Where it is not always sent: when it is, in words."""
    plain: frozenset[str] = frozenset()
    """The members of the body, at any depth, that are nobody's data; all others are taken for somebody's."""
    refused: Rejected | None = None
    """Why the person is rejected instead, where it would come to this request."""

    @property
    def target(self) -> str:
        """The path with the person in it. Raises UnicodeEncodeError."""
        return self.path.replace(PERSON, segment(self.person))


class Counted(msgspec.Struct, frozen=True):
    """Intents of one kind that carry the same names."""

    kind: Kind
    identified_by: str
    names: tuple[str, ...]
    count: int


class Load(msgspec.Struct, frozen=True):
    """What intents take of one limit."""

    limit: str
    """Its name: a path, or what else the vendor limits."""
    fewest: int
    """Requests, if all goes the short way."""
    most: int
    rate: Rate
    a_day: int | None = None
    """The requests that the vendor takes in a day, where it limits that."""
    data_points: int | None = None
    """Where the vendor counts what is written; nested objects count for more."""

    def seconds(self, requests: int) -> float:
        """How long so many take at the limit, alone there."""
        return requests * self.rate.seconds / self.rate.count
