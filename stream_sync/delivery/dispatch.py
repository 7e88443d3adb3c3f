"""The backlog's intents out to the destination, and their outcomes back to the acknowledgements.

Invariants:
- A call of the sink starts only where the gate lets it, the lane runs, and the consumer is sure of its partitions. What
  it is about is finished once it started, however many requests that takes; but each of them, after its wait for the
  rate limit, starts only where the consumer is sure and the partition was not lost.
- After a failure one person is sent, and another one after each further failure: a person whom the destination cannot
  bear is told from a destination that is down, though nobody else is there to succeed.
- An intent is settled once: delivered, ignored, parked, or its dead letter acknowledged. All else goes back.
- A person is busy from the request's start until the vendor's pause after its answer. What a request did that failed
  or was cancelled is not known: the pause is the one after a success, unless the outcome says that nothing was done.
- A cancelled request's intents go back; of revoked partitions they are forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from stream_sync.delivery import exchanges, leave
from stream_sync.delivery.coalesce import Backlog, Sort
from stream_sync.delivery.destination import Destination
from stream_sync.delivery.guard import DeleteGuard
from stream_sync.delivery.outcomes import Outcomes
from stream_sync.delivery.pending import Pending
from stream_sync.errors import StateAwayError
from stream_sync.model import UNCHANGED, Delivered, Halt, Intent, Mode, Outcome, Retry, Throttled
from stream_sync.observability.metrics import LaneMetrics

DENIED_SECONDS = 1.0
"""How long Deletes wait after their count could not be committed."""
AWAY_SECONDS = 1.0
"""How long nothing is sent, or asked, after the last-delivered state could not be reached."""
Deliver = Callable[[Sequence[Intent], Mode], Awaitable[list[Outcome]]]
"""`Sink.send`, or what stands before it and raises StateAwayError before anything was sent."""
UNSENT = frozenset({"connect", "tls"})
"""The reasons of a Retry that say that no connection came about, so that nothing was asked of the destination."""


class DispatchSettings(Protocol):
    """What of a lane's settings concerns sending."""

    @property
    def mode(self) -> Mode: ...
    @property
    def max_records(self) -> int | None: ...
    @property
    def max_wait(self) -> float: ...
    @property
    def delete_after(self) -> float: ...


class Dispatch:
    """Sends one lane's intents."""

    def __init__(  # noqa: PLR0913, PLR0917  the parts of a lane that sending concerns, handed in once
        self,
        backlog: Backlog,
        destination: Destination,
        outcomes: Outcomes,
        metrics: LaneMetrics,
        settings: DispatchSettings,
        guard: DeleteGuard | None,
        may_send: Callable[[], bool],
        log: Callable[..., None],
        may_go_on: Callable[[], bool] | None = None,
        deliver: Deliver | None = None,
    ) -> None:
        """`may_go_on`: whether a call that started may make further requests; None = as `may_send`. `deliver`: None =
        the sink's own `send`."""
        self._backlog = backlog
        self._destination = destination
        self._outcomes = outcomes
        self._metrics = metrics
        self._mode = settings.mode
        limits, most = destination.sink.limits, settings.max_records
        self._most: dict[Sort, int] = {
            "writes": min(most or limits.writes, limits.writes),
            "deletes": min(most or limits.deletes, limits.deletes),
        }
        self._pause: dict[Sort, float] = {
            "writes": limits.spacing,
            "deletes": max(limits.spacing, settings.delete_after),
        }
        self._linger = settings.max_wait
        self._guard = guard
        self._deliver = deliver
        self._not_before = 0.0
        self.is_away = False
        """Whether the last-delivered state could not be reached when it was asked last."""
        self._no_deletes_before = 0.0
        self.wakes_deletes = True
        """Whether Deletes become ready when their waiting time is over; where not, a run wakes them as it begins."""
        self._may_send = may_send
        self._may_go_on = may_go_on or may_send
        self._log = log
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._requests: dict[asyncio.Task[None], Sequence[Pending]] = {}
        self._asking: set[asyncio.Task[None] | None] = set()
        """Those of `_requests` that wait for the guard's permit: nothing of them was sent."""
        self._ending: set[asyncio.Task[None] | None] = set()
        """Those that are waited for, although their partitions go."""
        self._loop = asyncio.get_running_loop()
        destination.join(self.wake, self._released)

    @property
    def is_sending(self) -> bool:
        """Whether requests are under way."""
        return bool(self._requests)

    def sent(self) -> list[Pending]:
        """The intents of the requests under way."""
        return [pending for batch in self._requests.values() for pending in batch]

    def wake(self) -> None:
        """Something may have become possible."""
        self._wake.set()

    def hurry(self) -> None:
        """Nothing more will come to fill a batch: what is ready goes at once."""
        if self._linger:
            self._linger = 0.0
            self.wake()

    async def run(self) -> None:
        """Starts requests for ever; ends by cancellation, which leaves those under way alone."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._start_one(self._loop.time()):  # noqa: ASYNC110  no wait: a turn for the other lanes
                await asyncio.sleep(0)
            self._set_timer(self._loop.time())

    async def finish(self, budget: float) -> None:
        """Waits for the requests under way; what has no answer within `budget` seconds is cancelled."""
        await self._end(tuple(self._requests), budget)

    def leave(self) -> None:
        """After `finish`: the destination goes on without it."""
        self._destination.leave(self.wake, self._released)

    async def let_go(self, budget: float) -> None:
        """As `finish`, for the requests with something of a revoked partition; the others go on."""
        going = [request for request, batch in self._requests.items() if _is_revoked(batch)]
        await self._end(going, budget)

    async def _end(self, requests: Sequence[asyncio.Task[None]], budget: float) -> None:
        if not requests:
            return
        for request in requests:
            if request in self._asking:  # the permit is a commit, and the consumer may itself be waiting for us
                request.cancel()
        self._ending.update(requests)
        await asyncio.wait(requests, timeout=budget)
        for request in requests:
            request.cancel()
        await asyncio.wait(requests)
        self._ending.difference_update(requests)

    def _start_one(self, now: float) -> bool:
        gate = self._destination.gate
        if not gate.may_start(now) or now < self._not_before or not self._may_send():
            return False
        if self.wakes_deletes:
            self._backlog.wake_deletes(now)
        for sort in self._sorts(now):
            if self._is_due(sort, now):
                batch = self._backlog.take(sort, 1 if gate.down else self._most[sort])
                if batch:
                    gate.start()
                    request = self._loop.create_task(self._send(sort, batch))
                    self._requests[request] = batch
                    request.add_done_callback(self._requests.pop)
                    return True
        return False

    def _sorts(self, now: float) -> tuple[Sort, ...]:
        """What may be sent at all."""
        if self._guard is None or not self._guard.is_open or now < self._no_deletes_before or self._asking:
            return ("writes",)
        return ("deletes", "writes")

    def _is_due(self, sort: Sort, now: float) -> bool:
        since = self._backlog.oldest_ready(sort)
        return since is not None and (self._backlog.ready(sort) >= self._most[sort] or now - since >= self._linger)

    def _set_timer(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._may_send():  # whoever changes that wakes it
            return
        times = [self._backlog.next_due() if self.wakes_deletes else None]
        times += [
            since + self._linger for sort in self._sorts(now) if (since := self._backlog.oldest_ready(sort)) is not None
        ]
        next_time = min((time for time in times if time is not None), default=None)
        if next_time is not None:
            gate = self._destination.gate
            if gate.may_start(max(now, gate.throttled_until)):
                next_time = max(next_time, gate.throttled_until, self._not_before, now + 0.001)
                self._timer = self._loop.call_at(next_time, self.wake)

    async def _send(self, sort: Sort, batch: Sequence[Pending]) -> None:
        intents = self._outcomes.certain(batch)
        people = self._backlog.people_of(intents)
        if not self._may_send():  # what was to be sent may have halted the lane, by a warning
            self._undo(batch)
            self._destination.people.release(people)
            self._destination.wake()
            return
        if sort == "deletes" and self._guard is not None and not await self._is_permitted(self._guard, batch, people):
            return
        exchanges.begin()
        call = asyncio.current_task()
        deliver = self._deliver or self._destination.sink.send
        try:
            with leave.given(lambda: self._may_go_on() and (call in self._ending or not _is_revoked(batch))):
                results = await deliver(intents, self._mode)
        except asyncio.CancelledError:
            self._give_up(sort, batch, people)
            raise
        except StateAwayError:
            self._wait_for_state(sort, batch, people)
            return
        except Exception as error:  # noqa: BLE001  a defect in a sink must not lose intents or end the lane
            self._log("sink_failed", error=type(error).__name__, exc_info=True)
            results = [Retry("defect")] * len(batch)
        finally:
            call = None  # what was cancelled has this frame in its traceback, and would keep itself
        self.is_away = False
        now = self._loop.time()
        if sort == "deletes" and self._guard is not None:
            self._guard.not_sent(
                [p for p, result in zip(batch, results, strict=True) if isinstance(result, Retry | Throttled | Halt)]
            )
        self._tell_gate(results, now)
        self._outcomes.settle(batch, results, now)
        # Of a batch each intent's own person comes first; who is only renamed away from is behind them.
        unasked = [who for who, result in zip(people, results, strict=False) if result is UNCHANGED]
        if len(unasked) < len(batch):
            self._metrics.batch_size(len(batch) - len(unasked))
        if unasked:
            self._free_later(unasked, 0.0)
            people = [who for who in people if who not in unasked]
        if sort == "deletes":
            undone = [who for who, result in zip(people, results, strict=True) if _is_undone(result)]
            self._free_later(undone, self._pause["writes"])
            people = [who for who, result in zip(people, results, strict=True) if not _is_undone(result)]
        self._free_later(people, self._pause[sort])
        self._destination.wake()

    async def _is_permitted(self, guard: DeleteGuard, batch: Sequence[Pending], people: Sequence[str]) -> bool:
        """Whether these Deletes may be sent now; where not, they are back in the backlog."""
        asking = asyncio.current_task()
        self._asking.add(asking)
        permitted = False
        try:
            permitted = await guard.permit(batch)
        finally:
            self._asking.discard(asking)
            self.wake()
            if not permitted:
                self._no_deletes_before = self._loop.time() + DENIED_SECONDS
                self._undo(batch)
                self._destination.people.release(people)
                self._destination.wake()
        return permitted

    def _tell_gate(self, results: Sequence[Outcome], now: float) -> None:
        gate, metrics = self._destination.gate, self._destination.metrics
        results = [result for result in results if result is not UNCHANGED]
        if not results:
            gate.dropped()  # nothing was asked
            return
        throttles = [result for result in results if result.__class__ is Throttled]
        retries = [result for result in results if result.__class__ is Retry]
        if throttles:
            metrics.throttled(throttles[0].reason)
            gate.throttled(now, max((t.after for t in throttles if t.after is not None), default=None))
        elif retries and len(retries) == len(results):
            metrics.retry(retries[0].reason)
            gate.failed(now, max((r.after for r in retries if r.after is not None), default=None))
        else:
            gate.succeeded()
        metrics.down(gate.down)
        if gate.throttled_until > now:
            self._loop.call_at(gate.throttled_until, self._destination.wake)

    def _wait_for_state(self, sort: Sort, batch: Sequence[Pending], people: Sequence[str]) -> None:
        """Nothing was sent, since what was delivered last is not known."""
        if sort == "deletes" and self._guard is not None:
            self._guard.not_sent(batch)
        self.is_away = True
        self._not_before = self._loop.time() + AWAY_SECONDS
        self._undo(batch)
        self._destination.people.release(people)
        self._destination.wake()

    def _give_up(self, sort: Sort, batch: Sequence[Pending], people: Sequence[str]) -> None:
        """A request was cancelled; it may have gone out."""
        if sort == "deletes" and self._guard is not None:
            self._guard.not_sent(batch)
        self._undo(batch)
        self._free_later(people, self._pause[sort])
        self._destination.wake()

    def _undo(self, batch: Sequence[Pending]) -> None:
        """Nothing is known to have come of a request: its intents go back."""
        self._destination.gate.dropped()
        now = self._loop.time()
        for pending in batch:
            if not pending.acknowledgement.revoked:
                self._backlog.put_back(pending, now)

    def _free_later(self, people: Sequence[str], pause: float) -> None:
        if pause > 0:
            self._loop.call_later(pause, self._destination.people.release, people)
        else:
            self._destination.people.release(people)

    def _released(self, people: Collection[str]) -> None:
        if self._backlog.released(people, self._loop.time()):
            self._wake.set()


def _is_revoked(batch: Sequence[Pending]) -> bool:
    """Whether something of it is of a partition that was taken away."""
    return any(pending.acknowledgement.revoked for pending in batch)


def _is_undone(result: Outcome) -> bool:
    """Whether a Delete with this outcome surely was not done and will not be done later."""
    return not isinstance(result, Delivered | Retry) or (isinstance(result, Retry) and result.reason in UNSENT)
