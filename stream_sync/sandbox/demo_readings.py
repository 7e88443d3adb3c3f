"""What the service says of itself at `/metrics`, read as a monitoring system reads it.

Invariants: nothing is worked out here that the service did not measure; a series that is not there counts 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Self

import aiohttp

PREFIX = "stream_sync_"
_SERIES = re.compile(rf"^{PREFIX}(\w+)(?:\{{(.*)\}})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Readings:
    """One look at all metrics; names are without the prefix."""

    def __init__(self, text: str) -> None:
        """`text`: Prometheus' exposition format."""
        self._series = [
            (name, dict(_LABEL.findall(labels)), float(value)) for name, labels, value in _SERIES.findall(text)
        ]

    def total(self, name: str, **labels: str) -> int:
        """The sum of the series with these labels."""
        return int(sum(value for _, value in self._matching(name, labels)))

    def value(self, name: str, **labels: str) -> float:
        """A gauge's value."""
        return sum(value for _, value in self._matching(name, labels))

    def one_of(self, name: str, label: str, **labels: str) -> str | None:
        """For a gauge that is 1 for what holds: the value of `label` where it is 1."""
        return next((found[label] for found, value in self._matching(name, labels) if value == 1), None)

    def within(self, name: str, share: float, **labels: str) -> float | None:
        """The smallest bound, of a histogram's buckets, that this share of its values does not exceed."""
        buckets = sorted((float(found["le"]), count) for found, count in self._matching(f"{name}_bucket", labels))
        if not buckets or not buckets[-1][1]:
            return None
        return next((bound for bound, count in buckets if count >= share * buckets[-1][1]), math.inf)

    def _matching(self, name: str, labels: Mapping[str, str]) -> Iterator[tuple[dict[str, str], float]]:
        for found_name, found, value in self._series:
            if found_name == name and labels.items() <= found.items():
                yield found, value


class Meter:
    """`async with Meter(address) as meter:` reads the metrics of the service whose admin server is at `address`."""

    def __init__(self, address: str) -> None:
        self._url = f"{address}/metrics"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(raise_for_status=True)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.close()

    async def read(self) -> Readings:
        async with self._session.get(self._url) as response:
            return Readings(await response.text())
