"""Pods of one activation, or of several, around a simulated Kafka and a strict destination: hours in seconds.

Invariants:
- Everything between Kafka and the sink is the service's own: decoder, router, lane, guard, dispatch, metrics.
- One seed, one course of events. Time is virtual; `time.time` of the lane goes with it.
- A pod that dies takes its tasks along in mid-request: whether what was on its way arrives is the destination's dice.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from random import Random
from typing import Any, Literal

import pytest

from stream_sync.activations import plan_of
from stream_sync.config.secrets import Secrets
from stream_sync.config.settings import Activation, DestinationSettings, Source
from stream_sync.config.values import Rate
from stream_sync.contract.virtual_time import run
from stream_sync.delivery.destination import Destination
from stream_sync.delivery.guard import Budget
from stream_sync.delivery.lane import Lane
from stream_sync.delivery.notices import Notices
from stream_sync.delivery.settings import LaneSettings
from stream_sync.formats.decoder import open_decoder
from stream_sync.model import Record, Stage
from stream_sync.observability.metrics import Metrics, Registry
from stream_sync.routing.router import Router
from stream_sync.sandbox.debezium import Row, Table, change, tombstone
from stream_sync.sinks.base import Limits
from stream_sync.state.last import LastDelivered
from tests.simulation.account import Account, StrictSink
from tests.simulation.kafka import Group, Member, Topic

NAMES = ["name", "score", "version"]
STARTED = 1_700_000_000
Remember = Callable[[str, StrictSink, Notices, Callable[..., None]], LastDelivered | None]
_POD: contextvars.ContextVar[Pod | None] = contextvars.ContextVar("pod", default=None)


class Letters:
    """The topics of dead letters and of held deletes of one activation."""

    def __init__(self) -> None:
        self.dead: list[tuple[Record, str]] = []
        self.held: list[Record] = []
        self.released = 0

    async def write(
        self, record: Record, stage: Stage, code: str, message: str, status: int | None, attempts: int
    ) -> None:
        await asyncio.sleep(0.01)
        self.dead.append((record, code))

    async def park(self, record: Record) -> None:
        await asyncio.sleep(0.01)
        self.held.append(record)

    async def unreleased(self) -> int:
        await asyncio.sleep(0.01)
        return len(self.held) - self.released


class Pod:
    """One process, with a lane for each of some activations."""

    def __init__(
        self, world: World, names: Iterable[str], *, from_start: bool = False, until_caught_up: bool = False
    ) -> None:
        self.world = world
        self._until_caught_up = until_caught_up
        self.registry = Registry()
        self.logged: list[str] = []
        metrics = Metrics(self.registry)
        self.sink = StrictSink(world.account, world.limits, world.rate)
        self.destination = Destination("strict", self.sink, metrics.destination("strict"), world.random.random)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.lanes: list[Lane] = []
        self.members: list[Member] = []
        for name in names:
            self._add(name, metrics, from_start)
        context = contextvars.copy_context()
        context.run(_POD.set, self)
        self.runs = [
            asyncio.get_running_loop().create_task(lane.run(member), context=context)
            for lane, member in zip(self.lanes, self.members, strict=True)
        ]

    def _add(self, name: str, metrics: Metrics, from_start: bool) -> None:
        world, letters = self.world, self.world.letters[name]
        source = Source(topic=world.topic.name, before=world.before, types=world.types)
        activation = world.activation
        lane_metrics = metrics.lane(name)
        notices = Notices(lane_metrics, self._log)
        plan = plan_of(activation, DestinationSettings(type="strict"), StrictSink, notices.add)
        decoder = open_decoder(source, plan.columns, notices.add)
        last = world.remember(name, self.sink, notices, self._log)
        router = Router(
            plan,
            activation.mode,
            before_full=source.shows_before,
            whole=False,
            notice=notices.add,
            decode=decoder.decode,
            recalls=last is not None,
        )
        deletes = activation.deletes
        lane = Lane(
            LaneSettings(
                name=name,
                mode=activation.mode,
                key=("id",),
                max_wait=0.05,
                delete_after=deletes.after if deletes else 0.0,
                budget=Budget(deletes.max, deletes.per) if deletes else None,
                mapping="mapping",
                most_people=world.most_people,
                until_caught_up=self._until_caught_up,
                schedule=activation.schedule,
            ),
            decoder,
            router,
            self.destination,
            letters,
            letters,
            notices,
            lane_metrics,
            Secrets(None, lambda _text: None),
            self._log,
            lambda *_args, **_fields: None,
            last=last,
        )
        member = Member(world.groups[name], from_start=from_start)
        member.listener = lane.membership
        self.lanes.append(lane)
        self.members.append(member)

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"stream_sync_{name}", labels) or 0.0

    async def stop(self, budget: float = 5.0) -> None:
        """As SIGTERM does it."""
        for lane in self.lanes:
            lane.stop()
        await asyncio.wait(self.runs)
        await asyncio.gather(*(lane.finish(budget) for lane in self.lanes))
        self._end()

    def die(self) -> None:
        """As SIGKILL does it."""
        for member in self.members:
            member.die()
        self._end()
        self.world.account.forget_order()

    def lose_everything(self) -> None:
        """It stood still for longer than the session's time-out: its requests had no answer, its partitions are gone,
        and it hears of that at its next poll."""
        self.world.account.cut(self.sink)
        self.world.account.forget_order()
        for member in self.members:
            if member in member.group.members:
                member.expel()

    def _end(self) -> None:
        if self in self.world.pods:
            self.world.pods.remove(self)
        for task in self.tasks:
            task.cancel()

    def _log(self, event: str, **fields: Any) -> None:
        self.logged.append(event)
        if event in ("sink_failed", "letter_failed", "lane_halted"):
            self.world.account.wrong.append(f"{event}: {fields}")


class World:
    """The table, its topic, the account, and whoever runs."""

    def __init__(self, seed: int = 0, *, partitions: int = 4, activations: int = 1, **deletes: Any) -> None:
        self.random = Random(seed)
        self.topic = Topic("wh.marts.people", partitions)
        self.account = Account(self.random)
        self.limits = Limits(writes=20, deletes=10, in_flight=4, spacing=0.1)
        self.rate: Rate | None = None
        self.most_people = 2_000
        self.poll_seconds = 0.1
        """How long a lane waits for records; more of it makes long simulations quick."""
        self.types = {"id": "text", "name": "text", "score": "int", "version": "int"}
        self.names = [f"lane{number}" for number in range(activations)]
        self.groups = {name: Group(self.topic, self.random) for name in self.names}
        self.letters = {name: Letters() for name in self.names}
        self.activation = Activation(
            source="people",
            destination="strict",
            mode="mirror",
            identifier={"external_id": "id"},
            attributes={name: name for name in NAMES},
            deletes={"after": 5.0, "max": 1000, "per": 3600.0, **deletes},  # type: ignore[arg-type]
        )
        self.before: Literal["full", "key"] = "full"
        self.remember: Remember = lambda *_: None
        """Makes the last-delivered state of an activation of a pod."""
        self.is_member: Callable[[Row], bool] = lambda _row: True
        """As the activation's `where` says."""
        self.rows: dict[str, Row] = {}
        self.pods: list[Pod] = []
        self._table = Table("wh", "marts", "people", ("id",))
        self._position = 0

    # --- the source ---

    def write(self, who: str, **values: Any) -> None:
        """The row of this key changes, or comes to be."""
        before = self.rows.get(who)
        after = {**(before or {"id": who, "name": who, "score": 0}), **values, "version": self._position + 1}
        self.rows[who] = after
        self._append("u" if before else "c", before, after)

    def delete(self, who: str) -> None:
        """With its tombstone."""
        self._append("d", self.rows.pop(who), None)

    def _append(self, op: Any, before: Row | None, after: Row | None) -> None:
        self._position += 1
        at = asyncio.get_running_loop().time()
        written = change(self._table, op, before, after, STARTED + at, self._position)
        self.topic.append([written, tombstone(written)] if op == "d" else [written])

    def inserts(self, number: int) -> None:
        for each in range(number):
            self.write(f"p{each}")

    # --- who runs ---

    def start(self, names: Iterable[str] | None = None, *, from_start: bool = False) -> Pod:
        pod = Pod(self, self.names if names is None else names, from_start=from_start)
        self.pods.append(pod)
        return pod

    def run_by_hand(self) -> Pod:
        """Until it has caught up, beside whoever runs; `pods` does not have it, for it ends by itself."""
        return Pod(self, self.names, until_caught_up=True)

    def failures(self) -> list[str]:
        """Lanes that ended by themselves."""
        ended = [task for pod in self.pods for task in pod.runs if task.done()]
        return [repr(task.exception()) for task in ended]

    async def settled(self, limit: float = 900.0) -> None:
        """Waits until everything is committed by every lane."""
        await self.until(lambda: all(group.is_at_the_end for group in self.groups.values()), "all is committed", limit)

    async def until(self, condition: Callable[[], bool], what: str, limit: float = 900.0) -> None:
        deadline = asyncio.get_running_loop().time() + limit
        while not condition():
            assert not self.failures(), self.failures()
            assert asyncio.get_running_loop().time() < deadline, f"not within {limit} s: {what}"
            await asyncio.sleep(0.5)

    @property
    def wrong(self) -> list[str]:
        """What must not be: noticed by the account, or in the end state; to be asked when all is settled."""
        expected = {who: {name: row[name] for name in NAMES} for who, row in self.rows.items() if self.is_member(row)}
        kept = {str(record.key()) for letters in self.letters.values() for record in letters.held}
        found = list(self.account.wrong)
        for who in expected.keys() | self.account.people.keys():
            is_held = str(f'{{"id":"{who}"}}'.encode()) in kept
            if expected.get(who) != self.account.people.get(who) and not (is_held and who not in expected):
                found.append(f"{who} is {self.account.people.get(who)} instead of {expected.get(who)}")
        return found

    def most_deleted_within(self, seconds: float) -> int:
        """The most people who were deleted in any window."""
        times = self.account.deleted
        return max((len({who for at, who in times if start <= at < start + seconds}) for start, _ in times), default=0)


@contextlib.asynccontextmanager
async def _running(world: World) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    clock = types.SimpleNamespace(time=lambda: STARTED + loop.time())
    loop.set_task_factory(_make_task)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stream_sync.delivery.lane.time", clock)
        patch.setattr("stream_sync.delivery.outcomes.time", clock)
        for module in ("lane", "rest"):
            patch.setattr(f"stream_sync.delivery.{module}.POLL_SECONDS", world.poll_seconds)
        try:
            yield
        finally:
            for pod in tuple(world.pods):
                pod.die()
            await asyncio.sleep(0)


def _make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    context = options.get("context")
    if (pod := _POD.get() if context is None else context[_POD]) is not None:
        pod.tasks.add(task)
        task.add_done_callback(pod.tasks.discard)
    return task


def simulate(world: World, course: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    """Runs a course of events in virtual time."""

    async def main() -> None:
        async with _running(world):
            await course(world)

    run(main())
