"""Any order of events against the guard of a mirror's Deletes: nobody beyond the budget, nobody who came back, nobody
while the latch is closed; crashes and refused commits included, since what counts is in Kafka."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from prometheus_client import CollectorRegistry

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.guard import Budget, DeleteGuard
from stream_sync.delivery.pending import Pending
from stream_sync.delivery.people import People
from stream_sync.kafka.offsets import Commit, Offsets
from stream_sync.kafka.progress import decode
from stream_sync.kafka.starting import starts
from stream_sync.observability.metrics import Metrics
from tests.delivery.parts import Told, intent

AFTER, MOST, PER = 10.0, 3, 600.0
PEOPLE = {0: [f"a{n}" for n in range(8)], 1: [f"b{n}" for n in range(8)]}


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of what waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


class Kafka:
    """What survives a crash: the source's log, the commits, and the topic of held Deletes."""

    def __init__(self) -> None:
        self.log: dict[int, list[tuple[str, bool]]] = {number: [] for number in PEOPLE}
        self.commits: dict[int, Commit] = {}
        self.held: list[str] = []
        self.released = 0
        self.refuses = False

    async def unreleased(self) -> int:
        return len(self.held) - self.released


class Process:
    """One lane's guard and backlog, from start to crash."""

    def __init__(self, kafka: Kafka, clock: Callable[[], float]) -> None:
        self.kafka = kafka
        self.people = People()
        self.backlog = Backlog(self.people, AFTER, lambda pending: pending.acknowledgement.settle(pending.offsets))
        self._clock = clock
        self.people.listen(self._released)
        self.offsets: dict[int, Offsets] = {}
        self.read: dict[int, int] = {}
        self.parking: list[tuple[Pending, Callable[[], None]]] = []
        for number, log in kafka.log.items():
            commit = kafka.commits.get(number)
            place, metadata = (None, None) if commit is None else commit
            start = starts(number, place, decode(metadata), 0, len(log), from_start=False, accept_gap=False)
            start.progress.whole_until = 0  # the first pass has tests of its own
            self.offsets[number] = Offsets(number, start.committed, start.progress)
            self.read[number] = start.offset
        self.guard = DeleteGuard(
            Budget(MOST, PER),
            self.backlog,
            kafka,
            lambda delete, done: self.parking.append((delete, done)),
            self._commit,
            lambda _code, _name: None,
            Metrics(CollectorRegistry()).lane("gold"),
            clock,
        )
        self.guard.share(tuple(self.offsets.values()), len(PEOPLE))

    def _released(self, identifiers: Collection[str]) -> None:
        self.backlog.released(identifiers, self._clock())

    async def _commit(self) -> bool:
        return self.commit()

    def commit(self) -> bool:
        if not self.kafka.refuses:
            for number, offsets in self.offsets.items():
                if (commit := offsets.to_commit()) is not None:
                    self.kafka.commits[number] = offsets.committed = commit
        return not self.kafka.refuses

    def take_in(self, number: int, most: int, now: float) -> list[tuple[str, bool]]:
        offsets, start = self.offsets[number], self.read[number]
        taken = self.kafka.log[number][start : start + most]
        for offset, (who, is_there) in enumerate(taken, start):
            offsets.receive(offset, 1)
            wanted = intent("insert" if is_there else "delete", who)
            self.backlog.add(Pending(wanted, offsets, [offset], Told(number, offset), None, None, now))
            self.backlog.settle_overtaken()
        self.read[number] = start + len(taken)
        self.guard.check(now)
        return taken


class Guarded(RuleBasedStateMachine):
    """One process after the other on one Kafka."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000.0
        self.kafka = Kafka()
        self.rows = {who for people in PEOPLE.values() for who in people}
        self.deleted: list[tuple[float, str]] = []
        self.gone: set[str] = set()
        """Whom the destination does not have."""

    @initialize()
    def starts(self) -> None:
        self.process = Process(self.kafka, lambda: self.now)
        self.known: dict[str, tuple[bool, float]] = {}
        """Whether a person's newest record that was read is there, and when it was read."""

    @rule(number=st.sampled_from([0, 1]), people=st.sets(st.integers(0, 7), min_size=1, max_size=5))
    def rows_leave(self, number: int, people: Collection[int]) -> None:
        for who in [PEOPLE[number][each] for each in people]:
            if who in self.rows:
                self.rows.discard(who)
                self.kafka.log[number].append((who, False))

    @rule(number=st.sampled_from([0, 1]), people=st.sets(st.integers(0, 7), min_size=1, max_size=5))
    def rows_come(self, number: int, people: Collection[int]) -> None:
        for who in [PEOPLE[number][each] for each in people]:
            self.rows.add(who)
            self.kafka.log[number].append((who, True))

    @rule(number=st.sampled_from([0, 1]), most=st.integers(1, 8))
    def records_are_read(self, number: int, most: int) -> None:
        for who, is_there in self.process.take_in(number, most, self.now):
            self.known[who] = (is_there, self.now)

    @rule(seconds=st.sampled_from([1.0, AFTER / 2, AFTER + 1, PER / 4]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.process.guard.check(self.now)

    @rule()
    def the_latch_is_read(self) -> None:
        at_once(self.process.guard.look())
        self.process.guard.park_latched(self.now)

    @precondition(lambda self: self.process.parking)
    @rule()
    def kafka_has_a_held_delete(self) -> None:
        delete, done = self.process.parking.pop(0)
        self.kafka.held.append(delete.intent.identifier)
        delete.acknowledgement.settle(delete.offsets)
        done()

    @rule()
    def a_person_releases_or_discards(self) -> None:
        self.kafka.released = len(self.kafka.held)

    @rule(refuses=st.booleans())
    def commits_are_refused_or_not(self, refuses: bool) -> None:
        self.kafka.refuses = refuses

    @rule(end=st.sampled_from(["delivered", "delivered", "retry", "crash before", "crash after"]))
    def deletes_are_sent(self, end: str) -> None:
        process = self.process
        process.backlog.wake_deletes(self.now)
        if not process.guard.is_open:
            return
        batch = process.backlog.take("deletes", 4)
        if not at_once(process.guard.permit(batch)):
            self._back(batch)
            return
        assert self.kafka.released == len(self.kafka.held), "a Delete was sent while some are held"
        for who in [delete.intent.identifier for delete in batch]:
            is_there, since = self.known[who]
            assert not is_there, "somebody who came back was deleted"
            assert self.now >= since + AFTER
        if end in ("delivered", "crash after"):
            self.deleted += [(self.now, delete.intent.identifier) for delete in batch]
            self.gone |= {delete.intent.identifier for delete in batch}
        match end:
            case "delivered":
                for delete in batch:
                    delete.acknowledgement.settle(delete.offsets)
                process.people.release([delete.intent.identifier for delete in batch])
            case "retry":
                process.guard.not_sent(batch)
                self._back(batch)
            case _:
                self.the_process_dies()

    def _back(self, batch: Collection[Pending]) -> None:
        for delete in batch:
            self.process.backlog.put_back(delete, self.now)
        self.process.people.release([delete.intent.identifier for delete in batch])

    @rule(
        number=st.sampled_from([0, 1]),
        people=st.sets(st.integers(0, 7), min_size=1, max_size=2),
        seconds=st.sampled_from([AFTER, AFTER, AFTER, AFTER / 2]),
        end=st.sampled_from(["delivered", "crash before", "crash after"]),
    )
    def a_few_leave_and_are_sent(self, number: int, people: Collection[int], seconds: float, end: str) -> None:
        """What most often happens, as one step."""
        self.rows_leave(number, people)
        self.records_are_read(number, 100)
        self.the_latch_is_read()
        self.time_passes(seconds)
        self.deletes_are_sent(end)
        self.it_commits()

    @rule(most=st.integers(1, 8))
    def writes_are_sent(self, most: int) -> None:
        batch = self.process.backlog.take("writes", most)
        for write in batch:
            self.gone.discard(write.intent.identifier)
            write.acknowledgement.settle(write.offsets)
        self.process.people.release([write.intent.identifier for write in batch])

    @rule()
    def it_commits(self) -> None:
        self.process.commit()

    @rule()
    def the_process_dies(self) -> None:
        self.starts()

    @invariant()
    def nobody_is_deleted_beyond_the_budget(self) -> None:
        for start, _ in self.deleted:
            within = {who for at, who in self.deleted if start <= at < start + PER}
            assert len(within) <= MOST

    @invariant()
    def memory_and_metadata_are_bounded(self) -> None:
        for commit in self.kafka.commits.values():
            assert len(commit.metadata) < 4096

    def teardown(self) -> None:
        """In the end everybody who left is deleted or held, nobody else is gone, and everything is committed."""
        self.kafka.refuses = False
        for _ in range(60):
            self.the_latch_is_read()
            for number in PEOPLE:
                self.records_are_read(number, 1000)
            self.time_passes(PER)
            while self.process.parking:
                self.kafka_has_a_held_delete()
            self.deletes_are_sent("delivered")
            self.writes_are_sent(100)
            self.it_commits()
        ends = {number: len(log) for number, log in self.kafka.log.items() if log}
        assert {number: self.kafka.commits[number].position for number in ends} == ends
        assert not self.gone & self.rows
        left = {who for log in self.kafka.log.values() for who, _ in log} - self.rows
        assert left <= self.gone | set(self.kafka.held)


TestGuarded = Guarded.TestCase
TestGuarded.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
