"""What the rules between parts look at: every part that is right by itself, and the names of all that were written."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from stream_sync.config.settings import Activation, DestinationSettings, SchemaRegistry, Source
from stream_sync.sinks.base import Sink


class Destination(NamedTuple):
    """An account and the class that speaks with it."""

    settings: DestinationSettings
    sink: type[Sink]


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """`written` holds the top-level words of the file and, for `sources` and `destinations`, the names in them: a part
    that is wrong in itself is not missing."""

    name: str | None
    sources: Mapping[str, Source]
    destinations: Mapping[str, Destination]
    activations: Mapping[str, Activation]
    written: Mapping[str, frozenset[str]]
    registry: SchemaRegistry | None
    has_state: bool = False
    """Whether the file has a `state`, right or wrong."""
