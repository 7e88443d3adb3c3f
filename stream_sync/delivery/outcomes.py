"""What became of the intents of a request: settled, a dead letter, back to the backlog, or the lane halts.

Invariants:
- Delivered, Ignored and Parked settle at once; Rejected settles when Kafka has the dead letter.
- Retry and Throttled put the intent back; only a Retry while the destination takes others counts as an attempt. After
  SPLIT_AFTER attempts a person is sent alone, after twice as many they are Rejected(`destination_error`).
- Where the write of a new identifier is Rejected, the Delete of the old one is not sent. It becomes a letter, too,
  where the write's letter is another record, that does not tell of the old one.
- A person who was rejected, ignored or deleted gets the whole row next time: the base of a delta is in doubt.
- UNCHANGED is as good as delivered: the destination is known to have the person as they are.
- More than `most_consecutive` rejections in a row halt the lane: that is a wrong mapping, not bad rows.
- So does a letter that cannot be written for a reason that is not Kafka's, or into a topic that would lose it.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence

from stream_sync.delivery import exchanges
from stream_sync.delivery.coalesce import SPLIT_AFTER, Backlog
from stream_sync.delivery.pacing import Gate
from stream_sync.delivery.pending import Acknowledgement, Pending
from stream_sync.delivery.ports import Journal, Letters, Settled
from stream_sync.errors import HaltError
from stream_sync.model import (
    DELIVERED,
    UNCHANGED,
    Delivered,
    Halt,
    Ignored,
    Intent,
    Outcome,
    Parked,
    Record,
    Refused,
    Rejected,
    Retry,
    Stage,
    Undecodable,
)
from stream_sync.observability.metrics import LaneMetrics
from stream_sync.observability.table import OutcomeName
from stream_sync.sinks.base import EMAIL_TAKEN

MOST_IN_DOUBT = 100_000
GIVE_UP_AFTER = 2 * SPLIT_AFTER


class Outcomes:
    """Settles one lane's intents."""

    def __init__(
        self,
        backlog: Backlog,
        gate: Gate,
        letters: Letters,
        metrics: LaneMetrics,
        most_consecutive: int,
        halt: Callable[..., None],
        log: Callable[..., None],
        journal: Journal | None = None,
    ) -> None:
        """`journal` is told what became of every intent."""
        self._backlog = backlog
        self._gate = gate
        self._letters = letters
        self._metrics = metrics
        self._most_consecutive = most_consecutive
        self._halt = halt
        self._log = log
        self._journal = self._own_journal = journal
        self._consecutive = 0
        self._doubt: OrderedDict[str, None] = OrderedDict()
        self._writing: dict[asyncio.Task[None], Acknowledgement] = {}

    @property
    def writing(self) -> int:
        """How many dead letters are not acknowledged yet."""
        return len(self._writing)

    def watch(self, onlooker: Journal | None) -> None:
        """From now on `onlooker` is told as the journal is; None = nobody."""
        own = self._own_journal
        self._journal = _Both(own, onlooker) if own is not None and onlooker is not None else onlooker or own

    def certain(self, batch: Sequence[Pending]) -> list[Intent]:
        """The intents as they are to be sent: whole where the person's state at the destination is in doubt."""
        intents = [pending.intent for pending in batch]
        if not self._doubt:
            return intents
        return [
            intent.as_whole() if intent.identifier in self._doubt and not intent.whole else intent for intent in intents
        ]

    def settle(self, batch: Sequence[Pending], results: Sequence[Outcome], now: float) -> None:
        """Takes the outcomes of one request, one per intent."""
        settled: dict[Acknowledgement, list[int]] = {}
        times: list[int] = []
        for pending, result in zip(batch, results, strict=True):
            if result is DELIVERED or result.__class__ is Delivered:
                self._consecutive = 0
                offsets = settled.get(pending.acknowledgement)
                if offsets is None:
                    settled[pending.acknowledgement] = offsets = []
                offsets += pending.offsets
                if pending.ts_ms is not None:
                    times.append(pending.ts_ms)
                if self._journal is not None:
                    self._enter(pending, "delivered")
                if pending.followers:
                    self._backlog.start_following(pending, now)
                if pending.intent.kind == "delete":
                    self._doubt_base(pending.intent.identifier)
                elif self._doubt:
                    self._doubt.pop(pending.intent.identifier, None)
            else:
                self._other(pending, result, now)
        if settled:
            for acknowledgement, offsets in settled.items():
                acknowledgement.settle(offsets)
            self._metrics.outcomes("delivered", sum(map(len, settled.values())))
            wall = time.time()
            self._metrics.freshness([wall - ts / 1000 for ts in times])

    def refuse(self, acknowledgement: Acknowledgement, record: Record, why: Refused | Undecodable) -> None:
        """A record that became no intent because of what is in it: a dead letter."""
        offset = record.offset()
        rejected = Rejected(why.code, why.message)
        self._letter(acknowledgement, [offset or 0], record, why.stage, rejected, 0, None)
        self._count(rejected)

    def park(self, delete: Pending, done: Callable[[], None]) -> None:
        """Puts a Delete aside in the held topic and settles it when Kafka has it; then, or when that was given up, it
        calls `done`."""
        self._metrics.warning("delete_held")

        async def write() -> None:
            try:
                await self._letters.park(delete.record)
                self._settled(delete, "parked", "delete_budget")
            finally:
                done()

        self._write(write(), delete.acknowledgement)

    def superseded(self, pending: Pending) -> None:
        """An intent that no longer has to be sent."""
        self._settled(pending, "ignored", "superseded", sent=False)

    async def finish(self, budget: float) -> None:
        """Waits for dead letters under way; what is not acknowledged within `budget` seconds stays unsettled."""
        await _end(tuple(self._writing), budget)

    async def let_go(self, budget: float) -> None:
        """As `finish`, for the letters of revoked partitions; the others go on: nobody would write them again."""
        await _end([writing for writing, whose in self._writing.items() if whose.revoked], budget)

    def _other(self, pending: Pending, result: Outcome, now: float) -> None:
        if result is UNCHANGED:
            self._settled(pending, "ignored", result.reason, sent=False)
            self._metrics.unchanged(1)
            if pending.followers:
                self._backlog.start_following(pending, now)
        elif isinstance(result, (Ignored, Parked)):
            self._settled(pending, "ignored" if isinstance(result, Ignored) else "parked", result.reason)
            for delete in self._doubted(pending, now):
                self.superseded(delete)
        elif isinstance(result, Rejected):
            if result.code == EMAIL_TAKEN:
                self._backlog.taken_by_another(pending)
            self._reject(pending, result, pending.attempts + 1, now)
        elif isinstance(result, Retry) and self._is_given_up(pending):
            why = Rejected("destination_error", "the destination fails for this person alone, again and again")
            self._reject(pending, why, pending.attempts, now)
        else:
            if not pending.acknowledgement.revoked:
                self._backlog.put_back(pending, now)
            if isinstance(result, Halt):
                self._halt(result.reason, curable=True)

    def _is_given_up(self, pending: Pending) -> bool:
        if self._gate.successes > pending.successes_seen:
            pending.successes_seen = self._gate.successes
            pending.attempts += 1
        return pending.attempts >= GIVE_UP_AFTER

    def _reject(self, pending: Pending, why: Rejected, attempts: int, now: float) -> None:
        self._letter_of(pending, why, attempts)
        self._count(why)
        for delete in self._doubted(pending, now):
            if delete.record.offset() == pending.record.offset():
                self.superseded(delete)
            else:
                message = f"not deleted, since what it waited for was refused: {why.message}"
                self._letter_of(delete, Rejected(why.code, message), 0, sent=False)

    def _letter_of(self, pending: Pending, why: Rejected, attempts: int, *, sent: bool = True) -> None:
        made = exchanges.of_call() if sent else ()
        self._letter(
            pending.acknowledgement, pending.offsets, pending.record, "TASK_PUT", why, attempts, pending.intent, made
        )

    def _count(self, why: Rejected) -> None:
        """One more in a row."""
        self._consecutive += 1
        if self._consecutive > self._most_consecutive:
            message = f"{self._consecutive} in a row were refused, the last one with {why.code}: {why.message}"
            self._halt("too_many_rejections", message=f"{message}; mend it, restart, and replay the dead letters")

    def _doubted(self, pending: Pending, now: float) -> list[Pending]:
        """The base of the person's next change is in doubt; the Deletes that are not to be sent for that."""
        self._doubt_base(pending.intent.identifier)
        return self._backlog.drop_following(pending, now)

    def _doubt_base(self, identifier: str) -> None:
        self._doubt[identifier] = None
        if len(self._doubt) > MOST_IN_DOUBT:
            del self._doubt[next(iter(self._doubt))]

    def _letter(
        self,
        acknowledgement: Acknowledgement,
        offsets: Sequence[int],
        record: Record,
        stage: Stage,
        why: Rejected,
        attempts: int,
        intent: Intent | None,
        made: Sequence[exchanges.Exchange] = (),
    ) -> None:
        self._metrics.dead_letter(why.code)

        async def write() -> None:
            await self._letters.write(record, stage, why.code, why.message, why.status, attempts)
            acknowledgement.settle(offsets)
            if intent is not None:
                self._metrics.outcomes("rejected", len(offsets))
            if self._journal is not None:
                self._journal.tell(Settled(record, offsets, "rejected", intent, why.code, why.status, made))

        self._write(write(), acknowledgement)

    def _write(self, letter: Coroutine[None, None, None], whose: Acknowledgement) -> None:
        writing = asyncio.get_running_loop().create_task(letter)
        self._writing[writing] = whose
        writing.add_done_callback(self._written)

    def _written(self, writing: asyncio.Task[None]) -> None:
        self._writing.pop(writing, None)
        if not writing.cancelled() and (error := writing.exception()) is not None:
            # Its offset stays unsettled for ever: better to halt than to stop committing without a word.
            if isinstance(error, HaltError):
                self._halt(error.reason, message=str(error))
            else:
                self._log("letter_failed", error=type(error).__name__)
                self._halt("letter_failed")

    def _settled(self, pending: Pending, outcome: OutcomeName, why: str, *, sent: bool = True) -> None:
        pending.acknowledgement.settle(pending.offsets)
        self._metrics.outcomes(outcome, len(pending.offsets))
        if self._journal is not None:
            self._enter(pending, outcome, why, sent=sent)

    def _enter(self, pending: Pending, outcome: OutcomeName, why: str = "", *, sent: bool = True) -> None:
        assert self._journal is not None
        made = exchanges.of_call() if sent else ()
        self._journal.tell(Settled(pending.record, pending.offsets, outcome, pending.intent, why, exchanges=made))


class _Both:
    """Two journals that are told the same."""

    def __init__(self, first: Journal, second: Journal) -> None:
        self._first, self._second = first, second

    def tell(self, settled: Settled) -> None:
        """See `delivery.ports.Journal`."""
        self._first.tell(settled)
        self._second.tell(settled)


async def _end(letters: Sequence[asyncio.Task[None]], budget: float) -> None:
    if letters:
        await asyncio.wait(letters, timeout=budget)
    for writing in letters:
        writing.cancel()
