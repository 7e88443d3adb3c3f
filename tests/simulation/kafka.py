"""Kafka as one lane sees it, in memory and in virtual time: a topic's log, a consumer group, and its members.

Invariants:
- The parts that decide are the service's own: `Offsets`, `Progress`, `starts`; here is only what a broker does.
- Every call of a member waits for the one before, as on the real consumer's owner thread: a callback of a rebalance
  holds up commits meanwhile.
- A partition has one owner: it is given out anew only when the old owner let it go, left, or was expelled.
- A commit is checked when it is made: it never moves back within an assignment.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from random import Random
from typing import NamedTuple

from stream_sync.kafka.commits import commits_of
from stream_sync.kafka.member import Listener
from stream_sync.kafka.offsets import Commit, Offsets
from stream_sync.kafka.progress import decode
from stream_sync.kafka.starting import starts
from stream_sync.kafka.sureness import Sureness
from stream_sync.sandbox.debezium import Written

COMMIT_SECONDS = 0.02
"""How long the broker takes to answer a commit."""


class Stored:
    """One record as the broker gives it out."""

    def __init__(self, topic: str, partition: int, offset: int, written: Written) -> None:
        self._at = topic, partition, offset
        self._written = written

    def topic(self) -> str:
        return self._at[0]

    def partition(self) -> int:
        return self._at[1]

    def offset(self) -> int:
        return self._at[2]

    def key(self) -> bytes | None:
        return self._written.key or None

    def value(self) -> bytes | None:
        return self._written.value

    def headers(self) -> list[tuple[str, bytes | None]]:
        return list(self._written.headers)

    def timestamp(self) -> tuple[int, int]:
        return 1, 0


class Taken(NamedTuple):
    """See `delivery.ports.Batch`."""

    records: list[Stored]
    ends: list[tuple[int, int]]


class Topic:
    """A log a partition. None is an offset that no record has: compaction, or a transaction's marker."""

    def __init__(self, name: str, partitions: int) -> None:
        self.name = name
        self.logs: list[list[Stored | None]] = [[] for _ in range(partitions)]

    def append(self, written: Iterable[Written]) -> None:
        """Each key into its own partition."""
        for record in written:
            number = sum(record.key) % len(self.logs)
            self.logs[number].append(Stored(self.name, number, len(self.logs[number]), record))

    def gap(self, partition: int, offsets: int = 1) -> None:
        """The next offsets of a partition hold no record."""
        self.logs[partition] += [None] * offsets

    @property
    def ends(self) -> dict[int, int]:
        return {number: len(log) for number, log in enumerate(self.logs)}


class Group:
    """The consumer group of one activation: what it committed, and who owns what."""

    def __init__(self, topic: Topic, random: Random) -> None:
        self.topic = topic
        self.random = random
        self.committed: dict[int, Commit] = {}
        self.members: list[Member] = []
        self.owners: dict[int, Member] = {}
        self.targets: dict[int, Member] = {}
        self.refuse_commits = 0.0
        """Share of the commits that are refused."""

    @property
    def is_at_the_end(self) -> bool:
        """Whether everything in the topic is committed."""
        done = {number: commit.position for number, commit in self.committed.items()}
        return all(done.get(number, 0) == end for number, end in self.topic.ends.items())

    def join(self, member: Member) -> None:
        self.members.append(member)
        self.share_out()

    def leave(self, member: Member) -> None:
        """Or it was expelled: its partitions are free at once."""
        self.members.remove(member)
        self.owners = {number: owner for number, owner in self.owners.items() if owner is not member}
        self.share_out()

    def share_out(self) -> None:
        """A new generation: everybody learns at their next poll what is theirs."""
        members = self.random.sample(self.members, len(self.members))
        numbers = range(len(self.topic.logs)) if members else ()
        self.targets = {number: members[number % len(members)] for number in numbers}


class Answer(NamedTuple):
    """To a commit, at some time."""

    at: float
    commits: Mapping[Offsets, Commit]
    is_refused: bool
    is_whole: bool
    taken: asyncio.Future[bool]


class Member:
    """A lane's consumer: see `delivery.ports.Consumer`."""

    def __init__(self, group: Group, session_timeout: float = 6.0, *, from_start: bool = False) -> None:
        self.group = group
        self.session_timeout = session_timeout
        self._sureness = Sureness(_now(), session_timeout / 2)
        self.assigned: dict[int, Offsets] = {}
        self.partitions = len(group.topic.logs)
        self.listener: Listener | None = None
        self._from_start = from_start
        self._begun: set[int] = set()
        self._next: dict[int, int] = {}
        self._told: dict[int, int] = {}
        self._paused: set[int] = set()
        self._answers: list[Answer] = []
        self._owner = asyncio.Lock()
        self._is_dead = self._is_closing = False

    @property
    def polled_at(self) -> float:
        return self._sureness.polled_at

    @property
    def sure_at(self) -> float:
        return self._sureness.sure_at

    async def start(self) -> dict[int, int]:
        self.group.join(self)
        return self.group.topic.ends

    async def compacted(self) -> bool:
        return False

    async def take(self, most: int, wait: float) -> Taken:
        async with self._owned():
            self._sureness.polled(_now())
            await self._rebalance()
            taken = self._fetch(most)
            if not taken.records and not taken.ends:
                await asyncio.sleep(wait)
                taken = self._fetch(most)
            self._answer()
            self._sureness.polled(_now())
            if not self.assigned:
                self._sureness.owns_nothing()
        if self._sureness.needs_proof(_now()):
            commits = commits_of(tuple(self.assigned.values()), again=True)
            async with self._owned():
                self._commit(commits)
        return taken

    async def pause(self) -> None:
        async with self._owned():
            self._paused = set(self.assigned)

    async def resume(self) -> None:
        async with self._owned():
            self._paused.clear()

    async def commit(self, *, wait: bool = False) -> bool:
        commits = commits_of(tuple(self.assigned.values()))
        if not commits:
            return True
        async with self._owned():
            taken = self._commit(commits)
        return not wait or await taken

    async def committed(self, partitions: Iterable[int]) -> dict[int, int] | None:
        done = self.group.committed
        return {number: done[number].position if number in done else -1001 for number in partitions}

    async def ends(self) -> dict[int, int] | None:
        return self.group.topic.ends

    async def lag(self, *, ask: bool = False) -> int:
        return sum(len(log) - self._next.get(number, 0) for number, log in enumerate(self.group.topic.logs))

    async def backlog(self) -> int | None:
        done = self.group.committed
        return sum(
            end - (done[number].position if number in done else 0) for number, end in self.group.topic.ends.items()
        )

    async def close(self) -> None:
        self._is_closing = True
        async with self._owned():
            if self in self.group.members:
                await self._let_go(self.assigned.keys())
                self.group.leave(self)

    def die(self) -> None:
        """The process is gone: nothing of it is heard any more, and the broker notices."""
        self._is_dead = True
        if self in self.group.members:
            self.group.leave(self)

    def expel(self) -> None:
        """It stood still, and the broker did not hear of it for too long: it learns at its next poll and joins anew."""
        self._sureness.polled_at = float("-inf")
        self.group.leave(self)
        self.group.join(self)

    @contextlib.asynccontextmanager
    async def _owned(self) -> AsyncIterator[None]:
        async with self._owner:
            if self._is_dead:
                await asyncio.Event().wait()
            yield

    async def _rebalance(self) -> None:
        group = self.group
        lost = [number for number in self.assigned if group.owners.get(number) is not self]
        if lost:
            gone = [self._forget(number) for number in lost]
            self._tell(lambda listener: listener.lost(gone))
        await self._let_go([number for number in self.assigned if group.targets.get(number) is not self])
        free = [number for number in group.targets if number not in group.owners and number not in self.assigned]
        new = [self._begin(number) for number in free if group.targets[number] is self]
        if new:
            self._tell(lambda listener: listener.assigned(new))

    async def _let_go(self, numbers: Collection[int]) -> None:
        going = [self.assigned[number] for number in numbers]
        if not going or self.listener is None:
            return
        await self.listener.revoked(going, self.session_timeout / 2)
        if not self._is_closing:
            self._commit(commits_of(going))
        for offsets in going:
            self._forget(offsets.partition)
            self.group.owners.pop(offsets.partition, None)

    def _forget(self, number: int) -> Offsets:
        offsets = self.assigned.pop(number)
        offsets.revoked = True
        self._paused.discard(number)
        return offsets

    def _begin(self, number: int) -> Offsets:
        group = self.group
        group.owners[number] = self
        commit = group.committed.get(number)
        start = starts(
            number,
            commit.position if commit else None,
            decode(commit.metadata) if commit else None,
            0,
            len(group.topic.logs[number]),
            from_start=self._from_start and number not in self._begun,
            accept_gap=False,
        )
        self._begun.add(number)
        self._next[number] = start.offset
        self._told.pop(number, None)
        self.assigned[number] = Offsets(number, start.committed, start.progress)
        return self.assigned[number]

    def _fetch(self, most: int) -> Taken:
        records: list[Stored] = []
        ends = []
        for number in self.assigned:
            log, place = self.group.topic.logs[number], self._next[number]
            if number in self._paused:
                continue
            while place < len(log) and len(records) < most:
                if (record := log[place]) is not None:
                    records.append(record)
                place += 1
            self._next[number] = place
            if place == len(log) and self._told.get(number) != place:
                self._told[number] = place
                ends.append((number, place))
        return Taken(records, ends)

    def _commit(self, commits: Mapping[Offsets, Commit]) -> asyncio.Future[bool]:
        ours = {each: commit for each, commit in commits.items() if self.assigned.get(each.partition) is each}
        owned = {each: commit for each, commit in ours.items() if self.group.owners.get(each.partition) is self}
        is_refused = len(owned) < len(ours) or self.group.random.random() < self.group.refuse_commits
        if not is_refused:
            for offsets, commit in owned.items():
                before = self.group.committed.get(offsets.partition)
                assert self._from_start or before is None or commit.position >= before.position, "a commit moved back"
                self.group.committed[offsets.partition] = commit
        if not ours:
            nothing: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            nothing.set_result(not commits)
            return nothing
        self._sureness.asked(_now())
        is_whole = not is_refused and len(ours) == len(commits)
        answer = Answer(_now() + COMMIT_SECONDS, ours, is_refused, is_whole, asyncio.get_running_loop().create_future())
        self._answers.append(answer)
        return answer.taken

    def _answer(self) -> None:
        """What the broker has answered is told in polls."""
        while self._answers and self._answers[0].at <= _now():
            answer = self._answers.pop(0)
            self._sureness.answered(is_taken=not answer.is_refused)
            if not answer.is_refused:
                for offsets, commit in answer.commits.items():
                    offsets.committed = commit
            if not answer.taken.done():
                answer.taken.set_result(answer.is_whole)
            refusal = "REBALANCE_IN_PROGRESS" if answer.is_refused else None
            self._tell(lambda listener, refusal=refusal: listener.committed(refusal))  # type: ignore[misc]

    def _tell(self, call: Callable[[Listener], None]) -> None:
        if self.listener is not None and not self._is_dead:
            call(self.listener)


def _now() -> float:
    return asyncio.get_running_loop().time()
