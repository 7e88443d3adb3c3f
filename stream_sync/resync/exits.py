"""Deletes who left the segment because its `where` was edited, which no row change tells.

Invariants:
- Everybody is found before anybody is deleted, so that the delete budget holds for all of them together.
- Who is still in the segment as another row, or is again when it is looked for the last time, stays.
- Deletes are noted, in Kafka, before they are sent; a resync that was ended deletes the same people once more without
  counting them twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping

from stream_sync.kafka.forward import Forward
from stream_sync.replay.claims import Claims
from stream_sync.replay.replay import Replay, Result, Sends, Withhold
from stream_sync.replay.rows import RowKey
from stream_sync.resync.progress import END
from stream_sync.resync.resync import Pass, Resync
from stream_sync.resync.wishes import State
from stream_sync.routing.newest import Decided

MOST_FOUND = 20_000
"""People to be deleted, in memory."""


class Gone:
    """The rows of who is to be deleted, as `replay.Replay` takes them. Used by one task at a time."""

    def __init__(self, forward: Forward, reading: Pass, rows: Collection[RowKey]) -> None:
        self._forward = forward
        self._reading = reading
        self.wanted: Mapping[RowKey, State] = {row: State() for row in rows}
        self._started = False

    async def look(self) -> set[RowKey]:
        """Reads on to the end as of then; those of its rows of which something came."""
        if not self._started:
            self._started = True
            partitions = {partition for partition, _ in self.wanted}
            starts = self._reading.starts.items()
            await self._forward.start({number: start for number, start in starts if number in partitions})
        changed = set()
        async for records in self._forward.to_end():
            self._reading.tell(len(records))
            for record in records:
                row = (record.partition() or 0, record.key())
                if (state := self.wanted.get(row)) is not None:
                    self._reading.wish.fold(state, *await self._reading.read(record))
                    changed.add(row)
        return changed

    def decide(self, row: RowKey) -> Decided:
        """What to send of a row."""
        return self._reading.wish.decide(self.wanted[row])

    def counts(self, row: RowKey) -> bool:
        """Whether a row is of these."""
        return row in self.wanted


async def found(resync: Resync, partitions: Collection[int]) -> tuple[list[RowKey], int]:
    """The rows whose person is to be deleted, no more than MOST_FOUND and one, and those of which nobody can tell."""
    rows: list[RowKey] = []
    unsure = 0
    for partition in sorted(partitions):
        first = 0
        while first < END and len(rows) <= MOST_FOUND:
            part = await resync.slice(partition, first)
            for row in part.in_order():
                decided = part.decide(row)
                unsure += decided.unsettled is not None
                if decided.deletes and len(rows) <= MOST_FOUND:
                    rows.append(row)
            first = part.before
    return rows, unsure


async def delete(
    gone: Gone,
    claims: Claims,
    sender: Sends,
    withhold: Withhold,
    sent: Callable[[int], None],
    delete_after: float,
) -> Mapping[RowKey, Result]:
    """Deletes them, if they still are to be deleted after `delete_after` seconds; what became of each row."""
    return await Replay(gone, claims, sender, withhold, sent, delete_after=delete_after, writes=False).run()


async def to_be_deleted(gone: Gone, claims: Claims) -> int:
    """How many people it would be now."""
    await gone.look()
    deletes = [intent for row in gone.wanted for intent in gone.decide(row).deletes]
    return len({intent.identifier for intent in await claims.unclaimed(deletes)})


class Budget:
    """Whether so many people may be deleted; see `replay.Withhold`."""

    def __init__(self, left: int, held: Callable[[], Awaitable[int]], note: Callable[[int], Awaitable[None]]) -> None:
        """`left`: how many the budget lets through now; `held`: how many a person has yet to decide about; `note`
        keeps, in Kafka, how many this resync deletes in all."""
        self.left = max(0, left)
        self._held = held
        self._note = note
        self._own = 0
        self.asked = 0
        """How many people were to be deleted."""

    async def withhold(self, count: int) -> str | None:
        """Why so many more may not be deleted now; None where they may, and are counted."""
        self.asked = self._own + count
        if await self._held():
            return "deletes_held"
        if self.asked > self.left:
            return "delete_budget"
        self._own += count
        await self._note(self._own)
        return None
