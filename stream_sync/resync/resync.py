"""Sends people's newest state, partition by partition and slice by slice, and notes how far it is.

Invariants:
- A row is sent as it is now. After it was sent it is looked again, and what changed meanwhile is sent once more:
  nothing older stays over what the lane sends (see `replay`).
- What is noted as done was answered: what was under way when the process ended is sent again.
- Only so many rows at a time are in memory, however many there are.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from stream_sync.kafka.forward import Commit, Forward
from stream_sync.replay.claims import Claims
from stream_sync.replay.replay import Fate, Replay, Result, Sends, Withhold
from stream_sync.replay.rows import RowKey
from stream_sync.resync.progress import END, Done, place_of
from stream_sync.resync.rows import Chunk, Reading, Slice
from stream_sync.resync.wishes import Wish

MOST_ROWS = 25_000
"""In memory; 2 to 3 kB each."""
MOST_ROUNDS = 20
CHUNK_SECONDS = 20.0
"""What is sent between two notes of how far it is."""
LEAST_CHUNK, MOST_CHUNK = 50, 5_000
"""It begins with the least: at an account that takes one a second it is a minute until the first note."""


class Report(msgspec.Struct):
    """What a resync did."""

    rows: int = 0
    results: Counter[tuple[Fate, str]] = msgspec.field(default_factory=Counter)
    """How many rows, by fate and code; see `replay.Result`."""
    keyless: int = 0
    """Records without a key: of no row that could be followed."""
    incomplete: int = 0
    """Rows sent without a value that the topic no longer tells."""


class Pass(msgspec.Struct, frozen=True):
    """What is read."""

    starts: Mapping[int, int]
    """Partition to the first offset."""
    wish: Wish
    read: Reading
    tell: Callable[[int], None]
    """So many more records were read."""


class Resync:
    """One resync of everybody in the segment. `run` once."""

    def __init__(
        self,
        forward: Forward,
        reading: Pass,
        done: dict[int, Done],
        sender: Sends,
        claims: Claims,
        sent: Callable[[int], None],
        withhold: Withhold,
        delete_after: float,
    ) -> None:
        """`forward`: of the source, with the group that keeps `done`; `withhold` and `delete_after`: for who leaves a
        mirror while they are sent."""
        self._forward = forward
        self._reading = reading
        self.done = done
        self._sender = sender
        self._claims = claims
        self._sent = sent
        self._withhold = withhold
        self._delete_after = delete_after
        self._size = LEAST_CHUNK
        self.report = Report()

    async def run(self) -> Report:
        """Sends what is not done yet. Raises HaltError and StreamSyncError; run again it goes on where it was."""
        for partition in sorted(self._reading.starts):
            while (first := self.done[partition].before) < END:
                rows = await self.slice(partition, first)
                await self._send(rows, partition)
                await self._note(partition, rows.before)
        return self.report

    async def count(self) -> Report:
        """What would be sent, by fate: `delivered` stands for what would be."""
        for partition in sorted(self._reading.starts):
            first = self.done[partition].before
            while first < END:
                rows = await self.slice(partition, first)
                for row in rows.rows:
                    decided = rows.decide(row)
                    if decided.unsettled is not None:
                        self._count(Result("unsettled", decided.unsettled))
                    else:
                        self._count(Result("delivered" if decided.write is not None else "nothing"))
                first = rows.before
        return self.report

    async def slice(self, partition: int, first: int) -> Slice:
        """The rows from a place on, as many as fit into memory."""
        reading = self._reading
        rows = Slice(self._forward, partition, reading.wish, reading.read, MOST_ROWS, reading.tell)
        await rows.find(reading.starts[partition], first)
        self.report.rows += len(rows.rows)
        if first == 0:
            self.report.keyless += rows.keyless
        return rows

    async def _send(self, rows: Slice, partition: int) -> None:
        waiting = rows.in_order()
        while waiting:
            taken = _with_equal_places(waiting, self._size)
            chunk, waiting = waiting[:taken], waiting[taken:]
            began = time.monotonic()
            replay = Replay(
                Chunk(rows, chunk),
                self._claims,
                self._sender,
                self._withhold,
                self._sent,
                delete_after=self._delete_after,
                most_rounds=MOST_ROUNDS,
            )
            results = await replay.run()
            for row in chunk:
                self._count(results[row])
                self.report.incomplete += results[row].fate == "delivered" and rows.lacks(row)
            if taken >= self._size:  # the last few rows of a partition say little of how long many take
                self._size = next_size(taken, time.monotonic() - began)
            await self._note(partition, place_of(chunk[-1][1] or b"") + 1)

    async def _note(self, partition: int, before: int) -> None:
        self.done[partition] = self.done[partition].at(before)
        await note(self._forward, {partition: self.done[partition]}, self._reading.starts)

    def _count(self, result: Result) -> None:
        self.report.results[result.fate, result.code] += 1


async def note(forward: Forward, done: Mapping[int, Done], starts: Mapping[int, int]) -> None:
    """Keeps how far it is. The offset that goes with it tells nothing."""
    await forward.commit({number: Commit(starts[number], each.encode()) for number, each in done.items()})


def next_size(sent: int, seconds: float) -> int:
    """How many rows go into the next chunk, after so many took so long: twice as many at most."""
    return max(
        LEAST_CHUNK, min(MOST_CHUNK, int(sent * CHUNK_SECONDS / max(seconds, 0.001)), 2 * max(sent, LEAST_CHUNK))
    )


def _with_equal_places(rows: Sequence[RowKey], size: int) -> int:
    """How many of the first rows to take so that none of the same place is left."""
    taken = min(size, len(rows))
    while taken < len(rows) and place_of(rows[taken][1] or b"") == place_of(rows[taken - 1][1] or b""):
        taken += 1
    return taken
