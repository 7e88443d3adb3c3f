"""Sends intents as a lane does (its backlog, gate, retries, outcomes), for a command that wants to know what became of
each.

Invariants:
- `send` returns when every intent has its outcome, or raises HaltError where nothing can go on.
- A row that is refused again writes no second letter: its first one stays. Whoever sends rows that have none says where
  letters go.
- Half of the account's rate limit, or less where asked for, and less again while the destination throttles: lanes of
  other processes that run meanwhile go on. Where it shares a destination with the lanes of its own process, it takes
  its turn among them: neither the limit nor a person is used twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import msgspec

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.destination import Destination
from stream_sync.delivery.dispatch import Dispatch
from stream_sync.delivery.guard import DeleteGuard
from stream_sync.delivery.outcomes import Outcomes
from stream_sync.delivery.pending import Pending
from stream_sync.delivery.ports import Journal, Letters, Remembers, Settled
from stream_sync.errors import HaltError
from stream_sync.model import Delivered, Ignored, Intent, Mode, Outcome, Record, Rejected, Stage, Throttled
from stream_sync.observability.metrics import LaneMetrics
from stream_sync.replay.courtesy import Courtesy

SHARE = 0.5
MOST_AT_ONCE = 5_000
"""Intents in memory."""


class Sending(msgspec.Struct, frozen=True):
    """What of an activation's settings concerns sending; see `dispatch.DispatchSettings`."""

    name: str
    mode: Mode
    max_records: int | None
    most_consecutive: int
    max_wait: float = 0.0
    delete_after: float = 0.0
    share: float = SHARE
    """Of the account's rate limit, at most; less while the destination throttles."""


class Numbers:
    """Which intents have their outcome; see `pending.Acknowledgement`."""

    def __init__(self) -> None:
        self.partition = 0
        self.revoked = False
        self.open: set[int] = set()
        self.done = asyncio.Event()

    def settle(self, offsets: Iterable[int]) -> None:
        """These have their outcome."""
        self.open.difference_update(offsets)
        if not self.open:
            self.done.set()


class Unwritten:
    """The letters of intents that are refused: none; see `delivery.ports.Letters`."""

    async def write(
        self, record: Record, stage: Stage, code: str, message: str, status: int | None, attempts: int
    ) -> None:
        """Nothing: the row has its letter."""

    async def park(self, record: Record) -> None:
        """Nothing."""


class ByRecord:
    """A journal for intents that are numbered here: it is told their records' offsets."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def tell(self, settled: Settled) -> None:
        """See `delivery.ports.Journal`."""
        self._journal.tell(settled._replace(offsets=(settled.record.offset() or 0,)))


class Permitted(DeleteGuard):
    """Lets every Delete through: whoever sends has asked a person, or counted, before."""

    def __init__(self) -> None:
        """None of what a lane's guard needs."""

    @property
    def is_open(self) -> bool:
        """See `DeleteGuard.is_open`."""
        return True

    async def permit(self, deletes: Sequence[Pending]) -> bool:
        """See `DeleteGuard.permit`."""
        return True

    def not_sent(self, deletes: Sequence[Pending]) -> None:
        """See `DeleteGuard.not_sent`."""


class Noted(Outcomes):
    """Outcomes that are also kept, by number."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.results: dict[int, Outcome] = {}
        self.courtesy: Courtesy | None = None

    def settle(self, batch: Sequence[Pending], results: Sequence[Outcome], now: float) -> None:
        """See `Outcomes.settle`."""
        for pending, result in zip(batch, results, strict=True):
            self.results.update(dict.fromkeys(pending.offsets, result))
        if self.courtesy is not None:
            self.courtesy.answered(throttled=any(isinstance(result, Throttled) for result in results))
        super().settle(batch, results, now)


class Sender:
    """`async with Sender(…) as sender`: sends intents of one activation."""

    def __init__(
        self,
        settings: Sending,
        destination: Destination,
        metrics: LaneMetrics,
        log: Callable[..., None],
        *,
        shared: bool = False,
        letters: Letters | None = None,
        journal: Journal | None = None,
        last: Remembers | None = None,
    ) -> None:
        """`shared`: lanes of this process send to the same object. `letters`: where refused rows go that have no letter
        yet; `journal`: is told what becomes of what is sent, by the offset of its record.
        `last`: what was delivered last, None = it is not kept."""
        self._numbers = Numbers()
        self._halted: str | None = None
        self._why = ""
        self._backlog = Backlog(destination.people, settings.delete_after, self._superseded)
        self._outcomes = Noted(
            self._backlog,
            destination.gate,
            letters or Unwritten(),
            metrics,
            settings.most_consecutive,
            self._halt,
            log,
            None if journal is None else ByRecord(journal),
        )
        self._dispatch = Dispatch(
            self._backlog,
            destination,
            self._outcomes,
            metrics,
            settings,
            Permitted(),
            self._may_send,
            log,
            deliver=None if last is None else last.send,
        )
        self._destination = destination
        if not shared:
            name = f"replay of {settings.name}"
            self._outcomes.courtesy = Courtesy(settings.share, lambda share: destination.set_share(name, share))
        self._count = 0

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._dispatch.run())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._running.cancel()
        await self._dispatch.finish(0.0)
        await self._outcomes.finish(0.0)
        self._dispatch.leave()

    async def send(self, intents: Sequence[tuple[Intent, Record, int | None]]) -> list[Outcome]:
        """The outcomes of intents, each with the record and the commit time that it goes by: Delivered, Ignored or
        Rejected. Of several for one person the last one is sent. Raises HaltError."""
        outcomes: list[Outcome] = []
        for first in range(0, len(intents), MOST_AT_ONCE):
            outcomes += await self._send(intents[first : first + MOST_AT_ONCE])
        return outcomes

    async def settle_down(self) -> None:
        """Returns when the destination has surely applied what it answered."""
        await asyncio.sleep(self._destination.sink.limits.spacing)

    async def _send(self, intents: Sequence[tuple[Intent, Record, int | None]]) -> list[Outcome]:
        if not intents:
            return []
        numbers = range(self._count, self._count + len(intents))
        self._count += len(intents)
        self._numbers.open = set(numbers)
        self._numbers.done.clear()
        now = asyncio.get_running_loop().time()
        for number, (intent, record, ts_ms) in zip(numbers, intents, strict=True):
            self._backlog.add(Pending(intent, self._numbers, [number], record, ts_ms, ts_ms, now))
        self._dispatch.wake()
        await self._numbers.done.wait()
        if self._halted is not None:
            raise HaltError(
                self._halted,
                f"nothing more can be sent ({self._halted}): {self._why}; mend it and run this again, it goes on with "
                "what is left",
            )
        results = [self._outcomes.results.pop(number) for number in numbers]
        return [_final(result) for result in results]

    def _halt(self, reason: str, *, message: str | None = None, **_more: object) -> None:
        if self._halted is None:
            self._halted, self._why = reason, message or "the log says why"
        self._numbers.done.set()

    def _may_send(self) -> bool:
        return self._halted is None

    def _superseded(self, pending: Pending) -> None:
        self._outcomes.results.update(dict.fromkeys(pending.offsets, Ignored("superseded")))
        self._numbers.settle(pending.offsets)


def _final(result: Outcome) -> Outcome:
    """What a settled intent's last answer means: one that was never good was given up."""
    if isinstance(result, Delivered | Ignored | Rejected):
        return result
    return Rejected("destination_error", "the destination fails for this person alone, again and again")
