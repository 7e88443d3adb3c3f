"""Brings the destination up to date with the rows that some letters are about: each as it is now, once.

Invariants:
- What is sent is the newest state that the source's topic tells. After sending, it is looked again, and what changed
  meanwhile is sent once more: nothing older stays over something newer.
- A row's Deletes come after its write was Delivered, wait as Deletes do, and are sent only if the row still asks for
  them then and no other row of the source is that person.
- Doing it all again changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from stream_sync.model import Delivered, Ignored, Intent, Outcome, Record, Rejected, Unseen
from stream_sync.replay.claims import Claims
from stream_sync.replay.rows import RowKey
from stream_sync.routing.newest import Decided, Newest

Fate = Literal["delivered", "ignored", "nothing", "superseded_or_expired", "refused", "unsettled", "withheld"]
GOOD_FATES: frozenset[Fate] = frozenset(("delivered", "ignored", "nothing", "superseded_or_expired"))
"""With these a letter is done with; with the others it stays open."""
FATE_WORDS: Mapping[Fate, str] = {
    "delivered": "delivered",
    "ignored": "rightly without effect (the destination does not know the person)",
    "nothing": "nothing to send: outside of the segment now, or gone already",
    "superseded_or_expired": "skipped: superseded_or_expired, the source's topic no longer has the record (--force)",
    "refused": "refused again",
    "unsettled": "cannot be decided",
    "withheld": "deletes withheld",
}


class Result(msgspec.Struct, frozen=True):
    """What became of a row. `code` and `message` say why it is not done with, without a person's data."""

    fate: Fate
    code: str = ""
    message: str = ""
    deleted: int = 0
    """How many people were deleted for it."""


NOTHING = Result("nothing")
EXPIRED = Result("superseded_or_expired")
Known = Callable[[Sequence[Intent]], Awaitable[list[bool]]]
"""Whether these people were ever written; see `state.last.LastDelivered`."""
Withhold = Callable[[int], Awaitable[str | None]]
"""Says why so many Deletes may not be sent now, by a code; None where they may."""


class Sends(Protocol):
    """`sending.Sender`."""

    async def send(self, intents: Sequence[tuple[Intent, Record, int | None]]) -> list[Outcome]: ...
    async def settle_down(self) -> None: ...


class HasNewest(Protocol):
    """`rows.Wanted`."""

    @property
    def newest(self) -> Newest: ...


class Looks(Protocol):
    """`rows.Rows`: rows as they are now."""

    @property
    def wanted(self) -> Mapping[RowKey, HasNewest]: ...
    async def look(self) -> Collection[RowKey]: ...
    def decide(self, row: RowKey) -> Decided: ...
    def counts(self, row: RowKey) -> bool: ...


class Planned(msgspec.Struct, frozen=True):
    """What would be sent now."""

    writes: Mapping[RowKey, Intent]
    deletes: Mapping[RowKey, Sequence[Intent]]
    results: Mapping[RowKey, Result]
    """Of the rows that ask for neither."""


class Replay:
    """One replay of all wanted rows. `run` once."""

    def __init__(  # noqa: PLR0913  what it works with and how, handed in once, in desk.py
        self,
        rows: Looks,
        claims: Claims,
        sender: Sends,
        withhold: Withhold,
        tell: Callable[[int], None],
        *,
        delete_after: float,
        writes: bool = True,
        most_rounds: int | None = None,
        known: Known | None = None,
    ) -> None:
        """`tell(n)`: n more people were sent. `writes`: rows that are in the segment are sent; else only Deletes.
        `most_rounds`: a row that changes more often than that while it is sent is left to whoever sends its changes.
        `known`: of the last-delivered state."""
        self._known = known
        self._rows = rows
        self._claims = claims
        self._sender = sender
        self._withhold = withhold
        self._tell = tell
        self._delete_after = delete_after
        self._writes = writes
        self._most_rounds = most_rounds
        self._deleted: set[RowKey] = set()
        self.results: dict[RowKey, Result] = {}

    async def plan(self) -> Planned:
        """What would be sent now. Raises HaltError and StreamSyncError."""
        await self._rows.look()
        writes, deletes, results = await self._decide(self._rows.wanted)
        return Planned(writes, await self._unclaimed(deletes), results)

    async def run(self) -> Mapping[RowKey, Result]:
        """Sends until nothing newer comes; what became of each row. Raises HaltError and StreamSyncError."""
        await self._rows.look()
        pending: Collection[RowKey] = list(self._rows.wanted)
        rounds = 0
        while pending:
            if rounds == self._most_rounds:
                self.results.update(dict.fromkeys(pending, Result("unsettled", "still_changing")))
                break
            rounds += 1
            writes, deletes, results = await self._decide(pending)
            self.results.update(results)
            refused = await self._write(writes)
            deletes = {row: intents for row, intents in deletes.items() if row not in refused}
            changed: set[RowKey] = set()
            if deletes:
                await asyncio.sleep(self._delete_after)
                changed = set(await self._rows.look())
                await self._delete({row: intents for row, intents in deletes.items() if row not in changed})
            await self._sender.settle_down()
            pending = changed.union(await self._rows.look())
        return self.results

    async def _decide(
        self, rows: Iterable[RowKey]
    ) -> tuple[dict[RowKey, Intent], dict[RowKey, Sequence[Intent]], dict[RowKey, Result]]:
        """The writes, the Deletes, and what is known of the other rows without sending."""
        writes: dict[RowKey, Intent] = {}
        deletes: dict[RowKey, Sequence[Intent]] = {}
        results: dict[RowKey, Result] = {}
        unseen: dict[RowKey, Unseen] = {}
        for row in rows:
            decided = self._rows.decide(row) if self._rows.counts(row) else None
            if decided is None or decided.unsettled is not None:
                results[row] = EXPIRED if decided is None else Result("unsettled", decided.unsettled or "")
                continue
            if wants_write := decided.write is not None and (self._writes or row in self._deleted):
                assert decided.write is not None
                writes[row] = decided.write
            if decided.deletes:
                deletes[row] = decided.deletes
            elif not wants_write:
                results[row] = NOTHING
            if decided.unseen is not None:
                unseen[row] = decided.unseen
        for row, delete in (await self._written(unseen)).items():
            deletes[row] = [*deletes.get(row, ()), delete]
            results.pop(row, None)
        return writes, deletes, results

    async def _written(self, unseen: Mapping[RowKey, Unseen]) -> dict[RowKey, Intent]:
        """The Deletes of those whom the activation ever wrote. Raises StateAwayError."""
        if not unseen:
            return {}
        assert self._known is not None, "only with a state somebody is unseen"
        deletes = {row: each.delete for row, each in unseen.items()}
        known = await self._known(list(deletes.values()))
        return {row: delete for (row, delete), is_known in zip(deletes.items(), known, strict=True) if is_known}

    async def _write(self, writes: Mapping[RowKey, Intent]) -> set[RowKey]:
        """Sends the writes; the rows whose write was not taken."""
        rows = sorted(writes, key=lambda row: self._rows.wanted[row].newest.ts_ms or 0)
        outcomes = await self._sender.send([self._sendable(row, writes[row]) for row in rows])
        self.results.update({row: result_of([outcome]) for row, outcome in zip(rows, outcomes, strict=True)})
        self._tell(len(rows))
        return {row for row, outcome in zip(rows, outcomes, strict=True) if not isinstance(outcome, Delivered)}

    async def _delete(self, deletes: Mapping[RowKey, Sequence[Intent]]) -> None:
        """Sends the Deletes of people whom no row is."""
        due = await self._unclaimed(deletes)
        for row in deletes.keys() - due.keys():
            self.results.setdefault(row, NOTHING)
        why = await self._withhold(sum(map(len, due.values()))) if due else None
        if why is not None:
            self.results.update(dict.fromkeys(due, Result("withheld", why)))
            return
        people = [(row, intent) for row, intents in due.items() for intent in intents]
        outcomes = await self._sender.send([self._sendable(row, intent) for row, intent in people])
        by_row: dict[RowKey, list[Outcome]] = {}
        for (row, _intent), outcome in zip(people, outcomes, strict=True):
            by_row.setdefault(row, []).append(outcome)
        for row, found in by_row.items():
            self.results[row] = msgspec.structs.replace(result_of(found), deleted=len(found))
        self._deleted.update(by_row)
        self._tell(len(people))

    async def _unclaimed(self, deletes: Mapping[RowKey, Sequence[Intent]]) -> dict[RowKey, Sequence[Intent]]:
        every = [intent for intents in deletes.values() for intent in intents]
        free = {intent.identifier for intent in await self._claims.unclaimed(every)}
        kept = {row: [i for i in intents if i.identifier in free] for row, intents in deletes.items()}
        return {row: intents for row, intents in kept.items() if intents}

    def _sendable(self, row: RowKey, intent: Intent) -> tuple[Intent, Record, int | None]:
        newest = self._rows.wanted[row].newest
        known = newest.image or newest.gone
        assert known is not None, "what is sent comes from a change"
        return intent, known.record, known.ts_ms


def result_of(outcomes: Sequence[Outcome]) -> Result:
    """What became of a row for which all this was sent: the worst counts."""
    for outcome in outcomes:
        if isinstance(outcome, Rejected):
            return Result("refused", outcome.code, outcome.message)
    if any(isinstance(outcome, Ignored) for outcome in outcomes):
        return Result("ignored")
    return Result("delivered")
