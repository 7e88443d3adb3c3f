"""What the suite must know of a sink to try it: how it is configured, and a simulated vendor that answers it.

Invariant: a subject says what the vendor is like and nothing of what the sink should do; that is the suite's to say.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from stream_sync.config.sink_types import installed
from stream_sync.model import Section, Value
from stream_sync.sandbox.faults import NONE, Faults
from stream_sync.sandbox.server import Vendor
from stream_sync.sandbox.workspace import Workspace
from stream_sync.sinks.base import Sink


class Limited(NamedTuple):
    """One of the ways in which the vendor says to send less, and the seconds to wait that the sink must read there
    (None: whatever the sink sees fit)."""

    faults: Faults
    wait: float | None = None


class Refused(NamedTuple):
    """A value that the vendor refuses, for that person alone."""

    section: Section
    name: str
    value: Value


class Subject(abc.ABC):
    """A sink under contract. One subclass a sink; see docs/sinks.md."""

    name: ClassVar[str]
    """The sink's, in the entry-point group: the `type:` of the config."""
    vendor: ClassVar[Vendor]
    """The simulated vendor; it takes the key `workspace.key` only."""
    identifier: ClassVar[str]
    """The identifier to try, one by which the sink may create people."""
    refused: ClassVar[Refused]
    limited: ClassVar[Sequence[Limited]] = (Limited(Faults(throttle=1)),)
    """Every dialect of the vendor's limits."""
    issued: ClassVar[str | None] = None
    """An identifier that only the vendor gives out: nobody can be created by it. With it goes `id_of`."""
    tells_unknown: ClassVar[bool] = True
    """Whether the vendor says that it does not know a person; else an update of nobody counts as delivered."""
    faults: ClassVar[Faults] = NONE
    """The knobs that the simulated vendor always needs."""

    @abc.abstractmethod
    def settings(self, secret: str) -> Mapping[str, Any]:
        """The destination in the config, but for `type` and `url`, with `secret` for its key."""

    @abc.abstractmethod
    def held(self, workspace: Workspace, person: str) -> Mapping[str, Any] | None:
        """The attributes that the vendor holds of a person, by their names; None where it knows no such person."""

    def id_of(self, workspace: Workspace, person: str) -> str:
        """The `issued` identifier of a person who is there."""
        raise NotImplementedError

    def person(self, text: str) -> str:
        """An identifier that has `text` in it."""
        return f"{text}@example.com" if self.identifier in self.sink().email_identifiers else text

    def attribute(self, number: int) -> str:
        """The name of an attribute that the vendor has; numbers are less than 500."""
        return f"attribute_{number}"

    def sink(self) -> type[Sink]:
        """The class that the entry point names."""
        return installed()[self.name]()
