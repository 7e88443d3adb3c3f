"""Makes it last that letters are done with.

Invariants: the mark comes first, so that nothing that is open is erased; what came meanwhile stays open.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from stream_sync.kafka.marks import Marks
from stream_sync.kafka.put_aside import PutAside


class Left(msgspec.Struct, frozen=True):
    """What a person should know afterwards."""

    not_erased: str | None
    """Why the topic keeps what is done with. Kafka forgets what is marked after `offsets.retention.minutes`."""
    more: int
    """Held deletes that came meanwhile: the latch stays closed for them."""


async def settle_held(put_aside: PutAside, marks: Mapping[int, Marks]) -> Left:
    """Marks held deletes as done with and erases them, so that the latch opens and stays open."""
    ends = dict(put_aside.ends)
    await put_aside.mark(marks)
    why = await put_aside.erase({number: each.before for number, each in marks.items()})
    more = 0
    async for letter, _record in put_aside.read():
        more += letter.offset >= ends.get(letter.partition, 0)
    return Left(why, more)
