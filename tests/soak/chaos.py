"""The disturbances: what happens to the members, the broker and the destinations, decided by one pair of dice.

Invariants:
- The same seed gives the same kinds in the same order; when each happens is the machine's.
- One disturbance of the broker, and one of a member, at a time.
- Everything that was stopped, frozen or spoilt is mended when `run` returns.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence

from stream_sync.sandbox.faults import Faults
from tests.e2e.members import Member
from tests.e2e.visitors import Visitors
from tests.oracle.destination import Account
from tests.soak.source import POISON
from tests.soak.world import NAME, PARTITIONS, REFUSED, SESSION_MS, TOPIC, World, until

MEMBERS = 3
KINDS = {
    "kill": 26,
    "term": 26,
    "freeze": 10,
    "join and leave": 8,
    "visitors": 3,
    "broker killed": 1.5,
    "broker restarted": 1.5,
    "transaction": 4,
    "transaction aborted": 4,
    "503": 3,
    "500 of a proxy": 3,
    "connections reset": 3,
    "answers lost": 3,
    "throttled": 3,
    "slow": 3,
    "not the vendor": 2,
}
"""How often each, in proportion; one of the first two comes about every fourth second."""
SPOILT = {
    "503": Faults(error=1.0),
    "500 of a proxy": Faults(error=0.3, error_status=500, html=True),
    "connections reset": Faults(reset=0.5),
    "answers lost": Faults(lose_answer=0.5),
    "throttled": Faults(throttle=0.5, throttle_headers="mau", throttle_wait=1.0),
    "slow": Faults(latency=0.3, jitter=2.0),
    "not the vendor": Faults(junk=1.0),
}
MOST_RESTARTS = 20
VISITS_SECONDS = 10.0
JOINED = 0.75
"""The share of the processes that live to own partitions."""
JOIN_LIMIT = 60.0
LONGEST_FREEZE = 9.0
"""Seconds: beyond the session time-out and the poll interval."""


class Chaos:
    """`run` disturbs a world for a while."""

    def __init__(self, world: World, dice: random.Random, period: float) -> None:
        """`period`: mean seconds between two disturbances."""
        self.world = world
        self.done: Counter[str] = Counter()
        self.all_members: list[Member] = []
        self.excused: list[tuple[float, float]] = []
        """When a process could not know that its partitions were another's: it was frozen, or the broker away."""
        self.woke: dict[str, list[float]] = {}
        """By API key: when a process that was frozen went on."""
        self.restarted = 0
        """How often a process that ended by itself was started anew."""
        self._dice = dice
        self._period = period
        self._slots: list[Member] = []
        self._busy: set[int] = set()
        self._broker = asyncio.Lock()
        self._spoilt: dict[str, int] = dict.fromkeys(world.accounts, 0)

    async def run(self, seconds: float) -> None:
        """Starts the members and disturbs; in the end all members run, and nothing is spoilt."""
        self._slots = [await self._new_member() for _ in range(MEMBERS)]
        deadline = time.monotonic() + seconds
        grow_at = time.monotonic() + seconds / 2
        kinds, weights = tuple(KINDS), tuple(KINDS.values())
        async with asyncio.TaskGroup() as disturbances:
            while time.monotonic() < deadline:
                await asyncio.sleep(self._dice.uniform(0, 2 * self._period))
                kind = self._dice.choices(kinds, weights)[0]
                disturbances.create_task(self._disturb(kind, random.Random(self._dice.random())))
                if time.monotonic() > grow_at:
                    grow_at = float("inf")
                    disturbances.create_task(self._grow())
        self.world.calm()

    async def end(self) -> list[Member]:
        """Stops the members in order."""
        for member in self._slots:
            member.signal(signal.SIGTERM)
        ends = await asyncio.gather(*(member.ended() for member in self._slots))
        return [member for member, end in zip(self._slots, ends, strict=True) if end != 0]

    def kill(self) -> None:
        """Whoever still runs."""
        for member in self.all_members:
            if member.is_running:
                member.signal(signal.SIGKILL)

    async def watch(self) -> None:
        """Measures the members for ever, and starts anew who ended by themselves, as a supervisor would."""
        while True:
            await asyncio.sleep(1)
            for member in self.all_members:
                if member.is_running:
                    member.measure()
            for place, member in enumerate(self._slots):
                if place not in self._busy and not member.is_running:
                    self.restarted += 1
                    if self.restarted > MOST_RESTARTS:
                        raise RuntimeError(f"the service does not stay alive: {member.findings}")
                    self._slots[place] = await self._new_member()

    async def _disturb(self, kind: str, dice: random.Random) -> None:
        match kind:
            case "kill" | "term" | "freeze":
                await self._of_member(kind, dice)
            case "join and leave":
                await self._join(dice)
            case "visitors":
                await self._visit(dice)
            case "broker killed" | "broker restarted":
                await self._of_broker(kind, dice)
            case "transaction" | "transaction aborted" if not self._broker.locked():
                async with self._broker:
                    self.done[kind] += 1
                    await self.world.source.transact(commit=kind == "transaction")
            case "transaction" | "transaction aborted":
                pass
            case _:
                await self._spoil(kind, dice)

    async def _of_member(self, kind: str, dice: random.Random) -> None:
        free = [place for place in range(MEMBERS) if place not in self._busy]
        if not free:
            return
        place = dice.choice(free)
        self._busy.add(place)
        member = self._slots[place]
        self.done[kind] += 1
        if kind == "freeze":
            await self._freeze(member, dice.uniform(0.1, LONGEST_FREEZE))
        else:
            member.signal(signal.SIGKILL if kind == "kill" else signal.SIGTERM)
            await self._see_out(member, kind)
            await asyncio.sleep(dice.uniform(0, 1))
            self._slots[place] = await self._new_member()
            await self._live(self._slots[place], dice)
        self._busy.discard(place)

    @staticmethod
    async def _live(member: Member, dice: random.Random) -> None:
        """Until it may be ended: any moment from the interpreter's start on is one, but most are after it joined."""
        if dice.random() < JOINED:
            await until(lambda: member.has_joined or not member.is_running, JOIN_LIMIT)
        await asyncio.sleep(dice.uniform(0, 4))

    async def _freeze(self, member: Member, seconds: float) -> None:
        since = time.monotonic()
        member.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.woke.setdefault(member.key, []).append(time.monotonic())
        member.signal(signal.SIGCONT)
        self.excused.append((since, time.monotonic() + 5))

    async def _join(self, dice: random.Random) -> None:
        self.done["join and leave"] += 1
        member = await self._new_member()
        await self._live(member, dice)
        kind = dice.choice(("kill", "term"))
        self.done[kind] += 1
        member.signal(signal.SIGKILL if kind == "kill" else signal.SIGTERM)
        await self._see_out(member, kind)

    async def _visit(self, dice: random.Random) -> None:
        """Rebalances twice a second for a while."""
        group = f"{NAME}.{dice.choice(tuple(self.world.accounts))}"
        bootstrap, session = self.world.server.bootstrap, SESSION_MS / 1000
        async with Visitors(bootstrap, group, TOPIC, session, dice.randrange(1000)) as visitors:
            await asyncio.sleep(VISITS_SECONDS)
        self.done["visitors"] += visitors.visits

    async def _see_out(self, member: Member, kind: str) -> None:
        status = await member.ended()
        # Before Python has its handlers a SIGTERM just ends the process.
        if kind == "term" and status not in (0, -signal.SIGTERM) and not member.found_no_broker:
            self.world.source.failures.append(f"{member.log.name}: SIGTERM ended it with status {status}")

    async def _of_broker(self, kind: str, dice: random.Random) -> None:
        if self._broker.locked():
            return
        async with self._broker:
            self.done[kind] += 1
            since = time.monotonic()
            if kind == "broker killed":
                await asyncio.to_thread(self.world.server.kill)
                await asyncio.sleep(dice.uniform(0, 5))
                await asyncio.to_thread(self.world.server.start)
            else:
                await asyncio.to_thread(self.world.server.restart)
            self.excused.append((since, time.monotonic() + 10))

    async def _spoil(self, kind: str, dice: random.Random) -> None:
        mode = dice.choice(tuple(self.world.accounts))
        account: Account = self.world.accounts[mode]
        self.done[kind] += 1
        self._spoilt[mode] += 1
        fault = SPOILT[kind]
        account.faults = Faults(
            **{name: getattr(fault, name) for name in fault.__struct_fields__ if name not in ("seed", "reject_where")},
            seed=dice.randrange(1 << 30),
            reject_where={"tier": POISON},
        )
        await asyncio.sleep(dice.uniform(0.5, 6))
        self._spoilt[mode] -= 1
        if not self._spoilt[mode]:
            account.faults = REFUSED

    async def _grow(self) -> None:
        async with self._broker:
            self.done["partition added"] += 1
            await asyncio.to_thread(self.world.kafka.add_partitions, TOPIC, PARTITIONS + 1)
            await asyncio.sleep(3)  # until every producer has seen it
            self.world.source.grow(PARTITIONS)

    async def _new_member(self) -> Member:
        member = Member(f"member-{len(self.all_members)}", self.world.folder, self.world.config)
        self.all_members.append(member)
        await member.start()
        return member


def unexcused(moments: Sequence[float], excused: Sequence[tuple[float, float]]) -> int:
    """How many of these are in none of the spans."""
    return sum(1 for moment in moments if not any(since <= moment <= until for since, until in excused))
