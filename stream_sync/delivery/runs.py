"""The runs of a lane, and the rests between them: does what the agenda says.

Invariants:
- While a lane rests its partitions are paused, what is in flight ends, and nothing else is sent.
- After a rest, or a halt, no Delete is sent before what came meanwhile was read: it may cancel it.
- A run takes no more once it has reached its ends; it is over when only Deletes are left that wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stream_sync.delivery.agenda import Agenda, Idle
from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.dispatch import Dispatch
from stream_sync.delivery.guard import DeleteGuard
from stream_sync.delivery.outcomes import Outcomes
from stream_sync.delivery.pending import State
from stream_sync.delivery.ports import Consumer
from stream_sync.delivery.rest import Rest
from stream_sync.delivery.standing import Standing, Why

ASK_AGAIN_SECONDS = 1.0
WHY: dict[Idle, Why] = {"paused": "by_request", "schedule": "schedule"}


class Runs:
    """Of one lane."""

    def __init__(
        self,
        agenda: Agenda,
        backlog: Backlog,
        dispatch: Dispatch,
        outcomes: Outcomes,
        guard: DeleteGuard | None,
        rest: Rest,
        standing: Standing,
        clock: Callable[[], float],
    ) -> None:
        """`clock`: seconds since the epoch."""
        self.agenda = agenda
        self._backlog = backlog
        self._dispatch = dispatch
        self._outcomes = outcomes
        self._guard = guard
        self._rest = rest
        self._standing = standing
        self._clock = clock
        self._anew = agenda.has_ticks
        """Whether the ends are to be asked for before anything is sent."""
        if agenda.has_ticks:
            dispatch.wakes_deletes = False
            dispatch.hurry()

    @property
    def may_send(self) -> bool:
        """Whether requests may start, as far as the agenda goes."""
        return self.agenda.idle is None and not self.agenda.collecting and not self._anew

    def interrupted(self) -> None:
        """For a while nothing is read."""
        self._anew = True

    def look(self, consumer: Consumer | None) -> Idle | None:
        """Looks at the clock; why the lane is to rest."""
        assigned = () if consumer is None else tuple(consumer.assigned.values())
        return self.agenda.look(self._clock(), assigned)

    async def stay_out(self, consumer: Consumer) -> None:
        """Out of the group, until the lane is stopped."""
        await self._rest.outside(lambda: WHY[self.look(consumer) or "schedule"])

    async def turn(self, consumer: Consumer) -> bool:
        """What comes before taking; False where it is time to take."""
        idle = self.look(consumer)
        if idle is not None:
            self.interrupted()
            await self._rest.polling(consumer, lambda: self.look(consumer) == idle and self._goes_on(), WHY[idle])
        elif self._anew:
            await self._begin(consumer)
        elif self.agenda.is_at_ends(tuple(consumer.assigned.values())):
            await self._deliver(consumer)
        else:
            return False
        return True

    async def _begin(self, consumer: Consumer) -> None:
        if self._guard is not None or self.agenda.has_ticks:
            ends = await consumer.ends()
            if ends is None:
                until = self._now() + ASK_AGAIN_SECONDS
                await self._rest.polling(consumer, lambda: self._now() < until, None)
                return
            if self._guard is not None:
                self._guard.hold(ends)
            self.agenda.begin(ends, self._clock(), tuple(consumer.assigned.values()))
        if self.agenda.has_ticks:
            self._backlog.wake_deletes(self._now())
        self._anew = False
        self._dispatch.wake()

    async def _deliver(self, consumer: Consumer) -> None:
        """Sends what the run has collected."""
        self.agenda.collecting = False
        self._check()
        self._dispatch.wake()

        def is_at_work() -> bool:
            self._check()
            at_ends = self.agenda.is_at_ends(tuple(consumer.assigned.values()))
            return at_ends and self._goes_on() and self.look(consumer) is None and not self._is_done()

        await self._rest.polling(consumer, is_at_work, None)
        assigned = tuple(consumer.assigned.values())
        if self._goes_on() and self.agenda.is_at_ends(assigned) and self._is_done():
            self.agenda.end(self._deletes_due(), assigned)
            self.interrupted()
            await consumer.commit()

    def _check(self) -> None:
        if self._guard is not None:
            self._guard.check(self._now())

    def _goes_on(self) -> bool:
        return self._standing.halted is None

    def _is_done(self) -> bool:
        """Whether only Deletes are left that wait."""
        if self._dispatch.is_sending or self._outcomes.writing:
            return False
        if self._backlog.oldest_ready("writes") is not None or self._backlog.oldest_ready("deletes") is not None:
            return False
        return all(each.is_delete and each.state in (State.WAITING, State.FOLLOWING) for each in self._backlog)

    def _deletes_due(self) -> float | None:
        """When the last of the Deletes may be sent, in seconds since the epoch."""
        due = max((each.due for each in self._backlog if each.state is State.WAITING), default=None)
        return None if due is None else self._clock() + due - self._now()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
