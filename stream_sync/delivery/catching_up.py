"""Whether a run until caught up is over; and that people are told where another process keeps it from its end.

Invariants:
- It is over when every partition's end as of the start is reached: of its own with nothing unsettled, of others' as far
  as the group has committed.
- Partitions that others have and do not move are told once; the waiting goes on, for they may be in a run that commits
  late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from stream_sync.delivery.dispatch import Dispatch
from stream_sync.delivery.membership import Membership
from stream_sync.delivery.ports import Consumer
from stream_sync.delivery.runs import Runs

STILL_SECONDS = 30.0
"""How long others' partitions stand still before it is said: they commit every second while they get on, and a request
that is sent again takes some ten seconds."""


class CatchingUp:
    """Of one lane."""

    def __init__(self, runs: Runs, dispatch: Dispatch, membership: Membership, log: Callable[..., None]) -> None:
        self.ends: Mapping[int, int] = {}
        """Partition to where it ended when the lane joined."""
        self._runs = runs
        self._dispatch = dispatch
        self._membership = membership
        self._log = log
        self._behind: Mapping[int, int] = {}
        """Others' partitions that are not done, with what is committed of them."""
        self._since = 0.0
        self._is_told = False

    async def is_over(self, consumer: Consumer) -> bool:
        """Others' partitions count once it is known which these are."""
        if not self._membership.joined:
            return False
        assigned = tuple(consumer.assigned.values())
        if any(o.position is None or o.position < self.ends.get(o.partition, 0) for o in assigned):
            return False  # of an empty partition, too, the end is waited for: it is committed
        self._runs.agenda.collecting = False
        self._dispatch.hurry()
        if any(offsets.unsettled for offsets in assigned):
            return False
        others = {number: end for number, end in self.ends.items() if number not in consumer.assigned}
        return not others or await self._have_caught_up(consumer, others)

    async def _have_caught_up(self, consumer: Consumer, others: Mapping[int, int]) -> bool:
        committed = await consumer.committed(others)
        if committed is None:
            return False
        behind = {number: committed[number] for number, end in others.items() if committed[number] < end}
        now = asyncio.get_running_loop().time()
        if behind != self._behind:
            self._behind, self._since = behind, now
        elif behind and not self._is_told and now - self._since >= STILL_SECONDS:
            self._is_told = True
            self._log(
                "partitions_elsewhere",
                partitions=sorted(behind),
                hint="another process has these partitions of the activation and does not get on, between the runs of "
                "its schedule perhaps: wait for its next run, or stop it; --timeout bounds the wait",
            )
        return not behind
