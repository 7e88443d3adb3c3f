"""The running form of one activation: its own consumer, backlog, pace and offsets.

Invariants:
- Nothing is sent for a partition once it is being revoked, and nothing is committed for a lost one.
- A full backlog stops the reading, not the polling: first by waiting, then with paused partitions.
- A halted lane stays in its group with its partitions paused; it re-reads its secrets and probes once a minute where
  the destination was the reason, and goes on when the destination takes it back.
- The end: stop taking, finish what is in flight, commit, leave the group. In that order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.destination import Destination
from stream_sync.delivery.dispatch import Dispatch
from stream_sync.delivery.intake import Intake
from stream_sync.delivery.notices import Notices
from stream_sync.delivery.outcomes import Outcomes
from stream_sync.delivery.ports import Assignment, Consumer, Decoder, Letters, Router
from stream_sync.errors import HaltError
from stream_sync.model import Delivered, Mode
from stream_sync.observability.metrics import LaneMetrics

MOST_RECORDS = 500
POLL_SECONDS = 0.1
TICK_SECONDS = 1.0
PROBE_SECONDS = 60.0
PATIENCE_SECONDS = 1.0
MOST_PEOPLE = 20_000
MOST_UNSETTLED = 200_000
MOST_LETTERS = 1_000
DESTINATION_REASONS = frozenset({"unauthorized", "payment_required", "forbidden", "not_found", "misconfigured"})
"""Reasons of a Halt that came from the destination: only these can pass without a restart."""


class LaneSettings(msgspec.Struct, frozen=True):
    """What the config says of one lane. Durations in seconds."""

    name: str
    mode: Mode
    key: Sequence[str] | None = None
    max_records: int | None = None
    max_wait: float = 1.0
    delete_after: float = 60.0
    max_consecutive: int = 1000
    until_caught_up: bool = False


class Lane:
    """Runs one activation until `stop`, or until it has caught up where that is asked for."""

    def __init__(
        self,
        settings: LaneSettings,
        decoder: Decoder,
        router: Router,
        destination: Destination,
        letters: Letters,
        notices: Notices,
        metrics: LaneMetrics,
        refresh_secrets: Callable[[], bool],
        log: Callable[..., None],
    ) -> None:
        self.settings = settings
        self._decoder = decoder
        self._router = router
        self._destination = destination
        self._notices = notices
        self._metrics = metrics
        self._refresh_secrets = refresh_secrets
        self._log = log
        self.halted: str | None = None
        """Why nothing goes on; None while it does."""
        self._curable = False
        """Whether the destination was the reason, which can pass without a restart."""
        self._stopping = False
        self._paused = False
        self._ends: dict[int, int] = {}
        self._stop = asyncio.Event()
        self.backlog = Backlog(destination.people, settings.delete_after, lambda pending: self._outcomes.superseded(pending))
        self._outcomes = Outcomes(
            self.backlog, destination.gate, letters, metrics, settings.max_consecutive, self._halt_by, log
        )
        self._dispatch = Dispatch(
            self.backlog,
            destination,
            self._outcomes,
            metrics,
            settings.mode,
            settings.max_records,
            settings.max_wait,
            settings.delete_after if settings.mode == "mirror" else 0.0,
            self._may_send,
            log,
        )

    async def run(self, consumer: Consumer) -> None:
        """Runs until `stop`, until caught up where that is asked for, or until FatalError. `halted` tells the rest."""
        self._consumer = consumer
        dispatching = asyncio.create_task(self._dispatch.run())
        ticking = asyncio.create_task(self._tick())
        self._metrics.lane_state("running")
        try:
            await self._start(consumer)
            await self._take_all(consumer)
        finally:
            self._stopping = True
            dispatching.cancel()
            ticking.cancel()

    def stop(self) -> None:
        """No more records are taken and no more requests started."""
        self._stopping = True
        self._stop.set()

    async def finish(self, budget: float) -> None:
        """The rest of the end, within `budget` seconds: requests, dead letters, the commit, leaving the group."""
        deadline = self._now() + budget
        await self._dispatch.finish(budget)
        await self._outcomes.finish(max(0.0, deadline - self._now()))
        self._notices.flush(self._now())
        if self._consumer is not None:
            await self._consumer.commit(wait=True)
            await self._consumer.close()

    def halt(self, reason: str, message: str | None = None, *, curable: bool = False) -> None:
        """Nothing more is sent until what is wrong is mended."""
        if self.halted is None:
            self.halted = reason
            self._curable = curable
            self._metrics.lane_state("halted")
            self._log("lane_halted", reason=reason, message=message)

    def _halt_by(self, reason: str, curable: bool) -> None:
        self.halt(reason, curable=curable)

    @property
    def state(self) -> str:
        """running, paused, waiting or halted."""
        return "halted" if self.halted else "paused" if self._paused else "running"

    @property
    def polled_at(self) -> float | None:
        """When the consumer was last polled (monotonic seconds), None before it was started."""
        return None if self._consumer is None else self._consumer.polled_at

    async def _start(self, consumer: Consumer) -> None:
        """Joins the group; where the topic is not there (yet), looks again once a minute."""
        while not self._stopping:
            try:
                self._ends = await consumer.start()
                return
            except HaltError as error:
                self.halt(error.reason, str(error))
                if self.settings.until_caught_up or await self._stopped_within(PROBE_SECONDS):
                    self._stopping = True
                else:
                    self.resume()

    async def _take_all(self, consumer: Consumer) -> None:
        intake = None
        while not self._stopping:
            try:
                if self.halted is not None:
                    await self._stay_halted(consumer)
                elif self._is_full():
                    await self._wait_for_room(consumer)
                else:
                    intake = intake or self._intake(consumer)
                    intake.take(await consumer.take(MOST_RECORDS, POLL_SECONDS), self._now())
                    self._dispatch.wake()
                if self.settings.until_caught_up and await self._is_caught_up(consumer):
                    return
            except HaltError as error:
                self.halt(error.reason, str(error))

    def _intake(self, consumer: Consumer) -> Intake:
        return Intake(
            consumer,
            self._decoder,
            self._router,
            self.backlog,
            self._notices,
            self._metrics,
            self._outcomes.refuse,
            self.settings.key,
        )

    def _is_full(self) -> bool:
        assigned = () if self._consumer is None else tuple(self._consumer.assigned.values())
        return (
            len(self.backlog) >= MOST_PEOPLE
            or self._outcomes.writing >= MOST_LETTERS
            or sum(offsets.unsettled for offsets in assigned) >= MOST_UNSETTLED
        )

    async def _wait_for_room(self, consumer: Consumer) -> None:
        """Waits a moment; then pauses and goes on polling, so that the group keeps its member."""
        deadline = self._now() + PATIENCE_SECONDS
        while self._is_full() and not self._stopping and self._now() < deadline:
            await self._stopped_within(POLL_SECONDS)
        if not self._is_full():
            return
        await self._poll_paused(consumer, lambda: self._is_full() and self.halted is None)

    async def _stay_halted(self, consumer: Consumer) -> None:
        """Keeps the membership for a while; then probes the destination where it was the reason."""
        if self.settings.until_caught_up:
            self._stopping = True
            return
        until = self._now() + PROBE_SECONDS
        await self._poll_paused(consumer, lambda: self.halted is not None and self._now() < until)
        if self._curable and not self._stopping:
            self._refresh_secrets()
            if isinstance(await self._destination.sink.probe(), Delivered):
                self.resume()

    def resume(self) -> None:
        """Ends a halt."""
        self._log("lane_resumed", after=self.halted)
        self.halted = None
        self._metrics.lane_state("running")
        self._dispatch.wake()

    async def _poll_paused(self, consumer: Consumer, still: Callable[[], bool]) -> None:
        await consumer.pause()
        self._paused = True
        if self.halted is None:
            self._metrics.lane_state("paused")
        try:
            while still() and not self._stopping:
                assigned = set(consumer.assigned.values())
                await consumer.take(1, POLL_SECONDS)
                if set(consumer.assigned.values()) != assigned:
                    await consumer.pause()
        finally:
            self._paused = False
            if not self._stopping:
                await consumer.resume()
                if self.halted is None:
                    self._metrics.lane_state("running")

    async def _stopped_within(self, seconds: float) -> bool:
        """Waits; whether `stop` came meanwhile."""
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _is_caught_up(self, consumer: Consumer) -> bool:
        assigned = consumer.assigned.values()
        if any((offsets.position or 0) < self._ends.get(offsets.partition, 0) for offsets in assigned):
            return False
        self._dispatch.linger = 0.0
        self._dispatch.wake()
        if any(offsets.unsettled for offsets in assigned):
            return False
        others = {number: end for number, end in self._ends.items() if number not in consumer.assigned}
        return not others or await consumer.reached(others)

    def _may_send(self) -> bool:
        if self.halted is not None or self._stopping or self._consumer is None:
            return False
        return self._now() - self._consumer.polled_at < self._consumer.session_timeout / 2

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = self._now()
            self._notices.flush(now)
            self._measure(now)
            self._dispatch.wake()
            if self._consumer is not None and self._consumer.assigned:
                await self._consumer.commit()
                self._metrics.lag(await self._consumer.lag())

    def _measure(self, now: float) -> None:
        sent = self._dispatch.sent()
        oldest = min((pending.since for pending in (*self.backlog, *sent)), default=now)
        self._metrics.oldest_pending(max(0.0, now - oldest))
        self._metrics.pending(len(self.backlog))
        self._metrics.in_flight(len(sent))
        gate = self._destination.gate
        if gate.down or gate.throttled_until > now:
            self._metrics.limited_by("destination")
        elif self.backlog.oldest_ready("writes") is not None and not gate.may_start(now):
            self._metrics.limited_by("rate_limit")
        elif len(self.backlog):
            self._metrics.limited_by("cpu")
        else:
            self._metrics.limited_by("source")

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # --- the consumer's listener --------------------------------------------------------------------------------

    def assigned(self, offsets: Sequence[Assignment]) -> None:
        """Partitions came."""
        self._share()
        self._metrics.rebalance()
        self._log("partitions_assigned", partitions=[assignment.partition for assignment in offsets])

    async def revoked(self, offsets: Sequence[Assignment], budget: float) -> None:
        """Partitions go: what is in flight may end, the rest is forgotten."""
        for assignment in offsets:
            assignment.revoked = True
        self.backlog.forget_revoked(self._now())
        await self._dispatch.finish(budget)
        await self._outcomes.finish(1.0)
        self._share()
        self._log("partitions_revoked", partitions=[assignment.partition for assignment in offsets])

    def lost(self, offsets: Sequence[Assignment]) -> None:
        """Partitions were taken away without asking."""
        for assignment in offsets:
            assignment.revoked = True
        self.backlog.forget_revoked(self._now())
        self._metrics.rebalance()
        self._share()
        self._log("partitions_lost", partitions=[assignment.partition for assignment in offsets])

    def committed(self, error: str | None) -> None:
        """A commit was answered."""
        self._metrics.commits("failed" if error else "ok")
        if error:
            self._log("commit_failed", code=error)

    def _share(self) -> None:
        if self._consumer is not None and self._consumer.partitions:
            owned = sum(1 for offsets in self._consumer.assigned.values() if not offsets.revoked)
            self._destination.set_share(self.settings.name, owned / self._consumer.partitions)
