"""What Kafka tells of the way that a row's records went: the outcomes topic, the letters, what is committed.

Invariants:
- Only what is written is told. Where the outcomes topic tells nothing of a record, its delivery is unknown.
- Nothing is committed and no group is joined.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

import msgspec

from stream_sync.kafka.forward import Commit, Forward
from stream_sync.kafka.outcomes import Told, outcomes
from stream_sync.kafka.put_aside import Letter, PutAside

Place = tuple[int, int]
"""A source record: partition and offset."""


class Delivery(msgspec.Struct, frozen=True):
    """What is known of one record after it was decided."""

    told: tuple[Told, ...] = ()
    """Its outcomes, oldest first: one for each intent, and again where it was sent again."""
    letter: Letter | None = None
    held: Letter | None = None
    settled: bool | None = None
    """Whether the lane has committed beyond it; None where the lane has committed nothing."""


class Deliveries:
    """Looks up what became of records of one topic."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._told: dict[Place, list[Told]] = defaultdict(list)
        self._letters: dict[Place, Letter] = {}
        self._held: dict[Place, Letter] = {}
        self._committed: Mapping[int, Commit] = {}

    async def read(
        self,
        places: Collection[Place],
        outcomes_topic: Forward,
        dead_letters: PutAside,
        held: PutAside,
        committed: Mapping[int, Commit],
        since_ms: int | None,
    ) -> None:
        """Reads all that concerns these records; outcomes from a time on where one is given. Raises StreamSyncError."""
        self._committed = committed
        async for told in outcomes(outcomes_topic, since_ms):
            if told.topic == self._topic:
                for offset in told.offsets:
                    if (told.partition, offset) in places:
                        self._told[told.partition, offset].append(told)
        for put_aside, found in ((dead_letters, self._letters), (held, self._held)):
            async for letter, _record in put_aside.read(done=True):
                place = letter.source_partition, letter.source_offset
                if letter.source_topic == self._topic and place in places:
                    found[place] = letter

    def of(self, place: Place) -> Delivery:
        """What is known of one record."""
        committed = self._committed.get(place[0])
        return Delivery(
            tuple(self._told.get(place, ())),
            self._letters.get(place),
            self._held.get(place),
            None if committed is None else place[1] < committed.offset,
        )
