"""The lanes as the console shows them: their states, and what the process's metrics say of them.

Invariants:
- The metrics are read every few seconds while somebody looks, else twice a minute, and once a request: that costs some
  milliseconds, and no record anything.
- How many letters are open is asked of Kafka only while somebody looks, one topic at a time, each at most once in
  COUNT_AGAIN_SECONDS; meanwhile the last answer stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Literal

from prometheus_client import CollectorRegistry

from stream_sync.admin import views
from stream_sync.admin.history import EVERY_SECONDS, History, Reading
from stream_sync.config.settings import Config
from stream_sync.delivery.standing import LaneStatus
from stream_sync.errors import StreamSyncError
from stream_sync.observability.table import METRICS, PREFIX

COUNT_AGAIN_SECONDS = 20.0
IDLE_SECONDS = 25.0
FRESH_SECONDS = 0.5
_READ = frozenset(
    {
        "records_total", "outcomes_total", "requests_total", "freshness_seconds", "oldest_pending_seconds",
        "lag_records", "pending_intents", "in_flight", "held_deletes", "delete_budget_remaining",
        "dead_letters_total", "warnings_total", "limited_by", "destination_down",
    }
)  # fmt: skip


class Samples:
    """What the registry counted, by metric and by one of its labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        names = [f"{PREFIX}{name}" for name in _READ]
        names += [f"{name}_bucket" for name in names if name.endswith("freshness_seconds")]
        self._found: dict[tuple[str, str], list[tuple[dict[str, str], float]]] = {}
        for family in registry.restricted_registry(names).collect():
            for sample in family.samples:
                owner = sample.labels.get("activation") or sample.labels.get("destination") or ""
                name = sample.name.removeprefix(PREFIX)
                self._found.setdefault((name, owner), []).append((sample.labels, sample.value))

    def one(self, name: str, owner: str) -> float | None:
        """A gauge."""
        found = self._found.get((name, owner))
        return found[0][1] if found else None

    def total(self, name: str, owner: str) -> float:
        """Of all its other labels together."""
        return sum(value for _, value in self._found.get((name, owner), ()))

    def by(self, name: str, owner: str, label: str) -> dict[str, float]:
        """By another label; those that are 0 are left out."""
        return {labels[label]: value for labels, value in self._found.get((name, owner), ()) if value}


class Lanes:
    """Reads the metrics now and then; `now` makes one answer."""

    def __init__(
        self,
        config: Config,
        version: str,
        registry: CollectorRegistry,
        status: Callable[[], Mapping[str, LaneStatus]],
        count_open: Callable[[str], Awaitable[int]],
        console: Literal["read", "write"],
    ) -> None:
        """`status`: of the lanes of this process, by activation. `count_open`: the open dead letters of one, in
        Kafka; it may raise StreamSyncError."""
        self._config = config
        self._version = version
        self._registry = registry
        self._status = status
        self._count_open = count_open
        self._console = console
        self._histories: dict[str, History] = {}
        self._asked = asyncio.Event()
        self._latest: Samples | None = None
        self._latest_at = 0.0
        self._open: dict[str, int] = {}
        self._counted_at = float("-inf")
        self._counting: asyncio.Task[None] | None = None

    @property
    def names(self) -> Collection[str]:
        """The activations of this process."""
        return self._status().keys()

    async def run(self) -> None:
        """Reads for ever."""
        while True:
            self._take(Samples(self._registry), time.monotonic())
            self._asked.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), IDLE_SECONDS)
            await asyncio.sleep(EVERY_SECONDS)

    def close(self) -> None:
        """Ends what asks Kafka."""
        if self._counting is not None:
            # A thread that asks Kafka cannot be ended: its own time-out ends it.
            self._counting.cancel()

    def now(self) -> views.Lanes:
        """All lanes as they are now."""
        self._asked.set()
        samples = self._fresh()
        status = self._status()
        self._count_again(list(status))
        return views.Lanes(
            name=self._config.name,
            version=self._version,
            at=utc(time.time()),
            console=self._console,
            lanes=[self._view(name, standing, samples) for name, standing in status.items()],
        )

    def _fresh(self) -> Samples:
        """Not older than a moment, however many look."""
        now = time.monotonic()
        if self._latest is None or now - self._latest_at >= FRESH_SECONDS:
            self._latest, self._latest_at = Samples(self._registry), now
        return self._latest

    def _view(self, name: str, standing: LaneStatus, samples: Samples) -> views.Lane:
        activation = self._config.activations[name]
        destination = activation.destination
        history = self._histories.setdefault(name, History())
        rate = self._config.destinations[destination].rate_limit
        limited = [by for by, value in samples.by("limited_by", name, "by").items() if value]
        held, left = samples.one("held_deletes", name), samples.one("delete_budget_remaining", name)
        return views.Lane(
            activation=name,
            topic=self._config.sources[activation.source].topic,
            destination=destination,
            mode=activation.mode,
            state=standing.state,
            reason=standing.reason,
            paused=standing.is_paused,
            next_run=None if standing.next_run is None or standing.state != "waiting" else utc(standing.next_run),
            lag=int(samples.one("lag_records", name) or 0),
            pending=int(samples.one("pending_intents", name) or 0),
            in_flight=int(samples.one("in_flight", name) or 0),
            oldest_pending_seconds=samples.one("oldest_pending_seconds", name) or 0.0,
            freshness=history.freshness(),
            records_per_second=history.per_second("records"),
            people_per_second=history.per_second("settled"),
            limits=views.Limits(
                rate_limit=None if rate is None else str(rate),
                limited_by=limited[0] if limited else None,  # type: ignore[arg-type]  # it comes from the table
                requests_per_second=history.per_second("requests"),
                destination_down=bool(samples.one("destination_down", destination)),
            ),
            forecast=history.forecast(),
            outcomes=_whole(samples.by("outcomes_total", name, "outcome")),
            warnings=_whole(samples.by("warnings_total", name, "code")),
            dead_letters=int(samples.total("dead_letters_total", name)),
            open_letters=self._open.get(name),
            held=None if held is None else int(held),
            delete_budget_remaining=None if left is None else int(left),
        )

    def _take(self, samples: Samples, now: float) -> None:
        for name, activation in self._config.activations.items():
            buckets = samples.by("freshness_seconds_bucket", name, "le")
            self._histories.setdefault(name, History()).add(
                Reading(
                    at=now,
                    records=samples.total("records_total", name),
                    settled=samples.total("outcomes_total", name),
                    backlog=(samples.one("lag_records", name) or 0) + (samples.one("pending_intents", name) or 0),
                    requests=samples.total("requests_total", activation.destination),
                    buckets=tuple((float(bound), count) for bound, count in buckets.items()),
                )
            )

    def _count_again(self, names: Sequence[str]) -> None:
        if time.monotonic() - self._counted_at < COUNT_AGAIN_SECONDS or self._counting is not None:
            return
        self._counting = asyncio.create_task(self._count(names))

    async def _count(self, names: Sequence[str]) -> None:
        try:
            for name in names:
                self._open[name] = await self._count_open(name)
        except StreamSyncError:
            pass  # Kafka does not answer: the last count stands, and the lanes say more
        finally:
            self._counted_at = time.monotonic()
            self._counting = None


def utc(seconds: float) -> str:
    """Seconds since the epoch as `2026-11-22T10:26:12Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _whole(counts: Mapping[str, float]) -> dict[str, int]:
    return {name: int(count) for name, count in counts.items()}


assert {metric.name for metric in METRICS} >= _READ, "every metric that is read is in the table"
