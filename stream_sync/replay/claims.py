"""Who of some people the source has now, under whatever key: a Delete of one row's person must not hit another row's.

A model that is rebuilt with another key deletes every row and creates it anew under other key bytes: the person is
gone from one row and there in another.

Invariants: the whole topic is read, from its first record on, since a row may be older than any letter; rows that
retention took are not seen. A row of which nobody knows who it is now stays who it was. Only rows of the people asked
for are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from stream_sync.kafka.forward import Forward
from stream_sync.model import Change, Intent, Record
from stream_sync.replay.rows import Deciphering, RowKey
from stream_sync.routing.newest import Folding
from stream_sync.routing.plan import Person, Standing


class Claims:
    """Rows that are people. Used by one task at a time."""

    def __init__(self, forward: Forward, folding: Folding, decipher: Deciphering, tell: Callable[[int], None]) -> None:
        """`tell(n)`: n more records of the source were read."""
        self._forward = forward
        self._folding = folding
        self._decipher = decipher
        self._tell = tell
        self._asked: set[str] = set()
        self._rows: dict[RowKey, str] = {}

    async def unclaimed(self, deletes: Collection[Intent]) -> list[Intent]:
        """Those of the Deletes whose person no row is as of now."""
        people = {delete.identifier for delete in deletes}
        if not people:
            return []
        if not people <= self._asked:
            self._asked |= people
            self._rows.clear()
            await self._forward.start({number: bounds.low for number, bounds in (await self._forward.bounds()).items()})
        async for records in self._forward.to_end():
            self._tell(len(records))
            for record in records:
                await self._take(record)
        claimed = set(self._rows.values())
        return [delete for delete in deletes if delete.identifier not in claimed]

    async def _take(self, record: Record) -> None:
        change = await self._decipher.decode(record)
        if not isinstance(change, Change) or change.op == "t":
            return  # what cannot be read frees nobody
        row = (record.partition() or 0, record.key())
        member = self._folding.member(change)
        if isinstance(member, Person) and member.identifier in self._asked:
            self._rows[row] = member.identifier
        elif member is not Standing.UNKNOWN:
            self._rows.pop(row, None)
