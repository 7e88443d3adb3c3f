"""The running form of one activation: its own consumer, backlog, pace and offsets.

Invariants:
- A full backlog stops the reading, not the polling: first by waiting, then with paused partitions.
- A record whose schema is not known yet is waited for: nothing of its batch is lost or overtaken.
- Where nothing but a person's run until caught up ever works (`manual`), the lane does not join its group: what a
  service held, that run would wait for in vain.
- The end: stop taking, finish what is in flight, commit, leave the group. In that order.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Literal

from stream_sync.delivery.agenda import Agenda
from stream_sync.delivery.catching_up import CatchingUp
from stream_sync.delivery.destination import Destination
from stream_sync.delivery.dispatch import Dispatch
from stream_sync.delivery.exits import Exits
from stream_sync.delivery.guard import DeleteGuard, Held
from stream_sync.delivery.intake import Intake
from stream_sync.delivery.membership import Membership
from stream_sync.delivery.notices import Notices
from stream_sync.delivery.outcomes import Outcomes
from stream_sync.delivery.pending import Pending
from stream_sync.delivery.ports import Assignment, Consumer, Decoder, Journal, Letters, Remembers, Router, Secrets
from stream_sync.delivery.renames import open_backlog
from stream_sync.delivery.rest import POLL_SECONDS, Rest
from stream_sync.delivery.room import Room
from stream_sync.delivery.runs import Runs
from stream_sync.delivery.settings import LaneSettings
from stream_sync.delivery.standing import LaneStatus, Standing, State
from stream_sync.delivery.upkeep import Upkeep
from stream_sync.errors import HaltError, StreamSyncError, WaitError
from stream_sync.observability.metrics import LaneMetrics

MOST_RECORDS = 500
ANSWER_SECONDS = 1.0
"""How long the first record waits for what the topic's settings say; afterwards it is taken as the worst."""
LAST_TRIES = 10


class Lane:
    """Runs one activation until `stop`, or until it has caught up where that is asked for."""

    def __init__(  # noqa: PLR0913, PLR0917  the parts it is made of, handed in once, in wiring.py
        self,
        settings: LaneSettings,
        decoder: Decoder,
        router: Router,
        destination: Destination,
        letters: Letters,
        held: Held,
        notices: Notices,
        metrics: LaneMetrics,
        secrets: Secrets,
        log: Callable[..., None],
        tell: Callable[..., None],
        journal: Journal | None = None,
        last: Remembers | None = None,
    ) -> None:
        """`log`: for what is out of the ordinary; `tell`: for what is not; `journal`: for what becomes of intents;
        `last`: what was delivered last, None = it is not kept."""
        self._settings = settings
        self._notices = notices
        self._log = log
        self._stop = asyncio.Event()
        self._consumer: Consumer | None = None
        self._has_joined = False
        self._learning: set[asyncio.Task[None]] = set()
        self.standing = Standing(metrics, log, notices)
        notices.halt = self.standing.halt
        self._backlog = open_backlog(
            destination.people, settings.delete_after, self._superseded, renames=settings.renames
        )
        self._outcomes = Outcomes(
            self._backlog,
            destination.gate,
            letters,
            metrics,
            settings.max_consecutive,
            self.standing.halt,
            log,
            journal,
        )
        self._guard: DeleteGuard | None = None
        if settings.budget is not None:
            self._guard = DeleteGuard(
                settings.budget,
                self._backlog,
                held,
                self._outcomes.park,
                self._commit_now,
                notices.add,
                metrics,
                time.time,
            )
        self._dispatch = Dispatch(
            self._backlog,
            destination,
            self._outcomes,
            metrics,
            settings,
            self._guard,
            self._may_send,
            log,
            self._may_go_on,
            None if last is None else last.send,
        )
        self._last = last
        self._exits: Exits | None = None
        if last is not None and settings.mode == "mirror":
            self._exits = Exits(
                self._backlog, destination.people, self._dispatch.sent, last.known, self._early, metrics
            )
        self._intake = Intake(
            decoder,
            router,
            self._backlog,
            notices,
            metrics,
            self._outcomes.refuse,
            self._early,
            settings.key,
            self._exits,
        )
        notices.at_hand = self._intake.record_at_hand
        self._rest = Rest(self._intake, destination, self.standing, secrets, self._dispatch.wake, self._stop)
        agenda = Agenda(settings.schedule, time.time(), paused=settings.paused, once=settings.until_caught_up)
        self._runs = Runs(
            agenda, self._backlog, self._dispatch, self._outcomes, self._guard, self._rest, self.standing, time.time
        )
        self._room = Room(self._backlog, self._outcomes, settings.most_people)
        self._upkeep = Upkeep(
            self._backlog,
            self._dispatch,
            self._guard,
            self._runs,
            self.standing,
            destination,
            notices,
            metrics,
            self._is_sure,
            time.time,
        )
        self.membership = Membership(
            settings,
            self._backlog,
            self._dispatch,
            self._outcomes,
            self._guard,
            destination,
            self.standing,
            notices,
            metrics,
            log,
            tell,
            last,
        )
        """What the consumer's listener must be."""
        self._catching_up = CatchingUp(self._runs, self._dispatch, self.membership, log)

    async def run(self, consumer: Consumer) -> None:
        """Runs until `stop`, until caught up where asked for, or until FatalError. `standing` tells the rest."""
        self._consumer = self.membership.consumer = consumer
        self.standing.tell()
        work = (self._dispatch.run(), self._upkeep.tick(consumer), self._upkeep.look())
        helpers = [asyncio.create_task(each) for each in work]
        for helper in helpers:
            helper.add_done_callback(self._ended)
        try:
            if self._runs.agenda.stays_out:
                await self._runs.stay_out(consumer)
            else:
                await self._join(consumer)
            while not self._stop.is_set():
                await self._turn(consumer)
            for helper in helpers:
                if helper.done():
                    helper.result()
        finally:
            self._stop.set()
            for helper in (*helpers, *self._learning):
                helper.cancel()

    def _ended(self, helper: asyncio.Task[None]) -> None:
        """Without one of its helpers a lane would go on in appearance only."""
        if not helper.cancelled() and helper.exception() is not None:
            self._stop.set()

    def pause(self) -> None:
        """What is in flight ends, nothing more is taken or sent until `resume`. Only this process is told."""
        if not self._runs.agenda.paused:
            self._runs.agenda.paused = True
            self._runs.look(self._consumer)
            self._log("lane_paused")

    def resume(self) -> None:
        """Ends `pause`; a halt, or a schedule, is another matter."""
        if self._runs.agenda.paused:
            self._runs.agenda.paused = False
            self._log("lane_unpaused")

    @property
    def status(self) -> LaneStatus:
        """How it stands."""
        agenda = self._runs.agenda
        assigned = () if self._consumer is None else tuple(self._consumer.assigned.values())
        state: State | Literal["starting"] = "starting" if self._consumer is None else self.standing.state
        return LaneStatus(state, self.standing.reason, agenda.paused, agenda.next_run(time.time(), assigned))

    def watch(self, onlooker: Journal | None) -> None:
        """From now on `onlooker` is told what becomes of intents, None = nobody beside the journal."""
        self._outcomes.watch(onlooker)

    def stop(self) -> None:
        """No more records are taken and no more requests started."""
        self._stop.set()

    async def finish(self, budget: float) -> None:
        """The rest of the end, within `budget` seconds: requests, dead letters, the commit, leaving the group."""
        deadline = self._now() + budget
        await self._dispatch.finish(budget)
        await self._outcomes.finish(max(0.0, deadline - self._now()))
        self._notices.flush(self._now(), last=True)
        if self._consumer is not None:
            try:
                if self._has_joined:
                    await self._commit_last(self._consumer, deadline)
            finally:
                await self._consumer.close()

    async def _commit_last(self, consumer: Consumer, deadline: float) -> None:
        """A commit is refused while the group is rebalanced: only polling ends that, and brings the answer, too."""
        for _ in range(LAST_TRIES):
            commit = asyncio.ensure_future(consumer.commit(wait=True))
            await asyncio.sleep(0)  # it is sent before the first poll, and even where no time is left to wait for it
            try:
                while not commit.done():
                    with contextlib.suppress(StreamSyncError):  # polled all the same; what is wrong was told
                        await consumer.take(1, POLL_SECONDS)
                    if self._now() >= deadline:
                        return
                if commit.result():
                    return
            finally:
                commit.cancel()

    @property
    def polled_at(self) -> float | None:
        """When the consumer was last polled (monotonic seconds); None before it joined: no topic, no polls."""
        return self._consumer.polled_at if self._consumer is not None and self._has_joined else None

    async def _join(self, consumer: Consumer) -> None:
        """Joins the group; where the topic is not there (yet), looks again once a minute."""
        while not self._stop.is_set():
            try:
                self._catching_up.ends = await consumer.start()
            except HaltError as error:
                self.standing.halt(error.reason, message=str(error))
                if self._settings.until_caught_up:
                    self.stop()
                else:
                    await self._rest.for_topic()
            else:
                self._has_joined = self._intake.forgetful = True
                learning = asyncio.create_task(self._learn(consumer))
                self._learning.add(learning)
                await asyncio.wait((learning,), timeout=ANSWER_SECONDS)
                return

    async def _learn(self, consumer: Consumer) -> None:
        self._intake.forgetful = await consumer.compacted()

    async def _turn(self, consumer: Consumer) -> None:
        try:
            if self.standing.halted is not None:
                await self._stay_halted(consumer)
            elif not await self._runs.turn(consumer):
                await (self._make_room(consumer) if self._room.is_full(consumer) else self._take(consumer))
            if self._settings.until_caught_up and await self._catching_up.is_over(consumer):
                self.stop()
        except WaitError as error:
            await self._rest.for_schema(error, consumer)
        except HaltError as error:
            self.standing.halt(error.reason, message=str(error), curable=error.curable)

    async def _take(self, consumer: Consumer) -> None:
        """Takes what is there; raises HaltError and WaitError."""
        if self._last is not None and self._last.needs_proof:
            await self._rest.for_state(self._last.prove, consumer)
        if not self._intake.has_left:
            self._intake.put_by(await consumer.take(MOST_RECORDS, POLL_SECONDS), consumer.assigned)
        if self.standing.halted is not None:  # meanwhile, by what is committed perhaps: it may not be passed
            return
        await self._find_out_exits(consumer)  # those that were taken in before a schema had to be waited for
        if self._exits is not None and self._exits.is_asking:
            return
        self._intake.go_on(self._now())
        await self._find_out_exits(consumer)
        if self._guard is not None:
            self._guard.check(self._now())
        self._dispatch.wake()

    async def _find_out_exits(self, consumer: Consumer) -> None:
        """Returns when it is known who of those that may have left was ever written, or nothing goes on."""
        exits = self._exits
        if exits is not None and exits.is_asking:
            await self._rest.for_state(lambda: exits.find_out(self._now()), consumer)

    async def _make_room(self, consumer: Consumer) -> None:
        """Sends although there is more to collect, until there is room."""
        agenda = self._runs.agenda
        collecting, agenda.collecting = agenda.collecting, False
        self._dispatch.wake()
        await self._rest.for_room(
            consumer,
            lambda: agenda.idle is None and self._room.is_full(consumer),
            lambda: agenda.idle is not None or self._room.is_roomy(consumer),
        )
        agenda.collecting = collecting

    async def _stay_halted(self, consumer: Consumer) -> None:
        if self._settings.until_caught_up:
            self.stop()
        else:
            self._runs.interrupted()
            await self._rest.for_cure(consumer)

    def _superseded(self, pending: Pending) -> None:
        self._outcomes.superseded(pending)

    def _early(self, delete: Pending, assignment: Assignment) -> None:
        if self._guard is not None:
            self._guard.early(delete, assignment)

    async def _commit_now(self) -> bool:
        return self._consumer is not None and await self._consumer.commit(wait=True)

    def _may_send(self) -> bool:
        if self.standing.halted is not None or self._stop.is_set() or self._consumer is None:
            return False
        return self._runs.may_send and self._may_go_on()

    def _may_go_on(self) -> bool:
        """Whether what started may be finished: the partitions are surely ours, and nothing is wrong with the rows."""
        standing = self.standing
        return (standing.halted is None or standing.curable) and self._is_sure()

    def _is_sure(self) -> bool:
        consumer = self._consumer
        return consumer is not None and self._now() - consumer.sure_at < consumer.session_timeout / 2

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
