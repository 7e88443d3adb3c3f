"""The destination types that are installed: the entry-point group `stream_sync.sinks`.

Invariants:
- A sink's module is imported only when its type is asked for.
- No vendor is named here: a new sink is a file and a line in its own package's pyproject.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

from stream_sync.sinks.base import Sink

GROUP = "stream_sync.sinks"
SinkTypes = Mapping[str, Callable[[], type[Sink]]]
"""By `type:`; the value imports the class."""


def installed(distribution: str | None = None) -> SinkTypes:
    """All sinks, or those of one distribution."""
    found = entry_points(group=GROUP)
    return {
        point.name: point.load
        for point in sorted(found)
        if distribution is None or (point.dist is not None and point.dist.name == distribution)
    }
