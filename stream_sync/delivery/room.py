"""How much a lane keeps in memory: people, letters on their way, records that are unsettled."""

from __future__ import annotations

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.outcomes import Outcomes
from stream_sync.delivery.ports import Consumer

ROOMY = 0.5
"""A paused lane goes on when its backlog is down to this part: a pause throws away what was fetched ahead."""
MOST_UNSETTLED = 200_000
MOST_LETTERS = 1_000


class Room:
    """Of one lane."""

    def __init__(self, backlog: Backlog, outcomes: Outcomes, most_people: int) -> None:
        self._backlog = backlog
        self._outcomes = outcomes
        self._most_people = most_people

    def is_full(self, consumer: Consumer, part: float = 1.0) -> bool:
        """Whether nothing more is to be taken: any of the bounds is reached to this part."""
        return (
            len(self._backlog) >= self._most_people * part
            or self._outcomes.writing >= MOST_LETTERS * part
            or sum(offsets.unsettled for offsets in tuple(consumer.assigned.values())) >= MOST_UNSETTLED * part
        )

    def is_roomy(self, consumer: Consumer) -> bool:
        """Whether a lane that was full may go on."""
        return not self.is_full(consumer, ROOMY)
