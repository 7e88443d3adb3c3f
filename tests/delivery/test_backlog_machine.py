"""Any order of events against a backlog: nobody twice in flight, nothing lost, nothing early, and the same end as one
after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.pending import Pending, State
from stream_sync.delivery.people import People
from stream_sync.model import Intent
from tests.delivery.parts import Ack, Told, changed, intent

AFTER = 60.0
PEOPLE = {0: ("a", "b", "shared"), 1: ("c", "d", "shared")}
"""Whom the rows of a partition may be; only one is in both."""
ANSWERS = ["delivered", "delivered", "rejected", "retry"]

Row = dict[str, int]


class Backlogs(RuleBasedStateMachine):
    """One lane, two partitions, a destination that keeps people."""

    def __init__(self) -> None:
        super().__init__()
        self.people = People()
        self.backlog = Backlog(self.people, AFTER, self._superseded)
        self.people.listen(self._released)
        self.now = 1000.0
        self.ts_ms = 0
        self.offset = 0
        self.value = 0
        self.acks = {number: Ack(number) for number in PEOPLE}
        self.early = dict.fromkeys(PEOPLE, False)
        """Whether Deletes of the partition are deferred until its first pass is over."""
        self.rows: dict[tuple[int, str], Row] = {}
        self.flights: list[list[Pending]] = []
        self.pauses: list[list[str]] = []
        self.store: dict[str, Row] = {}
        self.doubt: set[str] = set()
        self.unlike: dict[str, int] = {}
        """People who are rightly not as their row: up to this offset something of theirs was not to be delivered."""
        self.added: dict[tuple[int, str], float] = {}
        self.first: dict[tuple[int, str], set[tuple[str, int]]] = {}
        """What must be Delivered (who, at which offset) before a Delete of somebody may be sent."""
        self.delivered: set[tuple[str, int]] = set()
        self.sent_up_to: dict[tuple[int, str], int] = {}

    # --- the source ---------------------------------------------------------------------------------------------

    @rule(number=st.sampled_from([0, 1]), who=st.integers(0, 2), names=st.sets(st.sampled_from("xyz"), min_size=1))
    def a_row_is_written(self, number: int, who: int, names: set[str]) -> None:
        person = PEOPLE[number][who]
        row = self.rows.get((number, person))
        self._record()
        if row is None:
            row = dict.fromkeys("xyz", self._new_value())
            wanted = intent("insert", person, row)
        else:
            row = {**row, **{name: self._new_value() for name in names}}
            wanted = changed(person, row, *names) if len(names) < 3 else intent("update", person, row)
        self.rows[number, person] = row
        self._add(number, wanted)

    @rule(number=st.sampled_from([0, 1]), who=st.integers(0, 2))
    def a_row_is_deleted(self, number: int, who: int) -> None:
        person = PEOPLE[number][who]
        if self.rows.pop((number, person), None) is not None:
            self._record()
            self._add(number, intent("delete", person))

    @rule(number=st.sampled_from([0, 1]), who=st.integers(0, 2), to=st.integers(1, 2))
    def a_row_becomes_somebody_else(self, number: int, who: int, to: int) -> None:
        old, new = PEOPLE[number][who], PEOPLE[number][(who + to) % 3]
        if (number, old) not in self.rows or (number, new) in self.rows:
            return
        self._record(intents=2, number=number)
        row = self.rows[number, new] = self.rows.pop((number, old))
        insert = self._add(number, intent("insert", new, row), given_out=True)
        delete = self._add(number, intent("delete", old), given_out=True)
        self.backlog.follow(delete, insert)
        if delete.is_delete:
            self.first.setdefault((number, old), set()).add((new, self.offset))

    def _record(self, intents: int = 0, number: int = 0) -> None:
        self.offset += 1
        self.ts_ms += self.offset % 2
        if intents:
            self.acks[number].give_out(self.offset, intents)

    def _new_value(self) -> int:
        self.value += 1
        return self.value

    def _add(self, number: int, wanted: Intent, *, given_out: bool = False) -> Pending:
        ack = self.acks[number]
        if not given_out:
            ack.give_out(self.offset)
        at = number, wanted.identifier
        self.added[at] = self.now
        if wanted.kind != "delete":
            self.first.pop(at, None)
        record = Told(number, self.offset)
        pending = self.backlog.add(Pending(wanted, ack, [self.offset], record, self.ts_ms, self.ts_ms, self.now))
        self.backlog.settle_overtaken()
        if wanted.kind == "delete" and self.early[number]:
            self.backlog.defer(pending, ack)
        return pending

    # --- time and partitions ------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.5, 3.0, 30.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(number=st.sampled_from([0, 1]), early=st.booleans())
    def a_partition_is_taken_away_and_comes_back(self, number: int, early: bool) -> None:
        old = self.acks[number]
        old.revoked = True
        self.backlog.forget_revoked(self.now)
        self.acks[number] = Ack(number)
        self.early[number] = early
        for at in [at for at in (*self.rows, *self.added) if at[0] == number]:
            # What was not sent comes again from the committed offset; here it is as if it had never been.
            self.unlike[at[1]] = self.offset
            self.first.pop(at, None)
        self.rows = {at: row for at, row in self.rows.items() if at[0] != number}

    @precondition(lambda self: any(self.early.values()))
    @rule()
    def a_first_pass_is_over(self) -> None:
        for number, ack in self.acks.items():
            self.early[number] = False
            self.backlog.start_deferred(PEOPLE[number], ack, self.now)

    # --- the destination ----------------------------------------------------------------------------------------

    @rule(sort=st.sampled_from(["writes", "deletes"]), most=st.integers(1, 4))
    def a_request_starts(self, sort: Any, most: int) -> None:
        self.backlog.wake_deletes(self.now)
        busy = set(self.people.busy)
        batch = self.backlog.take(sort, most)
        people = [pending.intent.identifier for pending in batch]
        assert len(batch) <= most
        assert len(set(people)) == len(people)
        assert not busy & set(people)
        for pending in batch:
            self._check_sent(pending, sort)
        if batch:
            self.flights.append(batch)

    def _check_sent(self, pending: Pending, sort: str) -> None:
        number = pending.acknowledgement.partition
        at = number, pending.intent.identifier
        assert not pending.acknowledgement.revoked
        assert pending.is_delete is (sort == "deletes")
        assert pending.offsets == sorted(pending.offsets)
        assert pending.offsets[-1] == pending.record.offset()
        assert pending.offsets[0] > self.sent_up_to.get(at, 0) or pending.attempts
        self.sent_up_to[at] = pending.offsets[-1]
        if pending.is_delete:
            assert self.now >= self.added[at] + AFTER
            assert not self.early[number]
            assert self.first.get(at, set()) <= self.delivered, "a Delete came before the Insert that it follows"

    @precondition(lambda self: self.flights)
    @rule(which=st.integers(0, 3), answers=st.lists(st.sampled_from(ANSWERS), min_size=4, max_size=4))
    def an_answer_comes(self, which: int, answers: Sequence[str]) -> None:
        batch = self.flights.pop(which % len(self.flights))
        for pending, answer in zip(batch, answers, strict=False):
            match answer:
                case "delivered":
                    self._deliver(pending)
                case "rejected":
                    self.doubt.add(pending.intent.identifier)
                    self._let_differ(pending)
                    for delete in self.backlog.drop_following(pending, self.now):
                        self._superseded(delete)
                    pending.acknowledgement.settle(pending.offsets)
                case "retry" if not pending.acknowledgement.revoked:
                    pending.attempts += 1
                    self.backlog.put_back(pending, self.now)
        self.pauses.append([pending.intent.identifier for pending in batch])

    def _deliver(self, pending: Pending) -> None:
        person = pending.intent.identifier
        wanted = pending.intent.as_whole() if person in self.doubt else pending.intent
        self.doubt.discard(person)
        if pending.is_delete:
            self.store.pop(person, None)
            self.doubt.add(person)
        else:
            self.store[person] = {**self.store.get(person, {}), **wanted.to_send}
        if self.unlike.get(person, self.offset) < pending.offsets[-1]:
            del self.unlike[person]
        pending.acknowledgement.settle(pending.offsets)
        self.delivered |= {(person, offset) for offset in pending.offsets}
        self.backlog.start_following(pending, self.now)

    @rule(person=st.sampled_from(["a", "b", "c", "d", "shared"]))
    def another_lane_sends_somebody(self, person: str) -> None:
        if person not in self.people.busy:
            self.people.occupy([person])
            self.pauses.append([person])

    @precondition(lambda self: self.pauses)
    @rule()
    def a_pause_ends(self) -> None:
        self.people.release(self.pauses.pop(0))

    @rule()
    def deletes_are_put_aside(self) -> None:
        for delete in self.backlog.take_deletes(self.now):
            self._let_differ(delete)
            delete.acknowledgement.settle(delete.offsets)
            self.first.pop((delete.acknowledgement.partition, delete.intent.identifier), None)
        assert self.backlog.deletes == 0

    def _released(self, identifiers: Collection[str]) -> None:
        self.backlog.released(identifiers, self.now)

    def _superseded(self, pending: Pending) -> None:
        assert pending.is_delete
        assert pending.state is State.GONE
        at = pending.acknowledgement.partition, pending.intent.identifier
        self._let_differ(pending)
        self.first.pop(at, None)
        self.delivered |= {(at[1], offset) for offset in pending.offsets}
        pending.acknowledgement.settle(pending.offsets)

    def _let_differ(self, pending: Pending) -> None:
        person = pending.intent.identifier
        self.unlike[person] = max(self.unlike.get(person, 0), pending.offsets[-1])

    # --- what always holds --------------------------------------------------------------------------------------

    @invariant()
    def nobody_is_in_two_requests(self) -> None:
        people = [pending.intent.identifier for batch in self.flights for pending in batch]
        assert len(people) == len(set(people))
        assert set(people) <= self.people.busy

    @invariant()
    def everything_is_settled_or_held(self) -> None:
        held = [*self.backlog, *(pending for batch in self.flights for pending in batch)]
        for ack in self.acks.values():
            offsets = sorted(o for pending in held if pending.acknowledgement is ack for o in pending.offsets)
            assert offsets == sorted(ack.owed.elements())

    @invariant()
    def what_is_here_is_counted(self) -> None:
        assert self.backlog.deletes == sum(pending.is_delete for pending in self.backlog)
        assert len(self.backlog) == len({pending.intent.identifier for pending in self.backlog})

    @invariant()
    def a_person_has_few_intents_a_partition(self) -> None:
        here = list(self.backlog)
        for person in {pending.intent.identifier for pending in here}:
            chain = [pending.acknowledgement for pending in here if pending.intent.identifier == person]
            assert len(chain) <= 2 * len(PEOPLE)

    def teardown(self) -> None:
        """Everything is sent in the end, and every person who is one row's is as that row."""
        if any(self.early.values()):
            self.a_first_pass_is_over()
        for _ in range(200):
            for batch in self.flights:
                for pending in batch:
                    self._deliver(pending)
                self.pauses.append([pending.intent.identifier for pending in batch])
            self.flights.clear()
            for paused in self.pauses:
                self.people.release(paused)
            self.pauses.clear()
            if not len(self.backlog):
                break
            self.now += AFTER
            self.a_request_starts("deletes", 4)
            self.a_request_starts("writes", 4)
        assert not len(self.backlog), "somebody waits for ever"
        assert not any(ack.owed for ack in self.acks.values())
        for number, people in PEOPLE.items():
            for person in _own(people):
                if person not in self.unlike:
                    assert self.store.get(person) == self.rows.get((number, person))


def _own(people: Iterable[str]) -> list[str]:
    return [person for person in people if person != "shared"]


TestBacklogs = Backlogs.TestCase
TestBacklogs.settings = settings(max_examples=25, stateful_step_count=25, deadline=None, derandomize=True)


@pytest.mark.parametrize("seed", range(40))
def test_long_lives(seed: int) -> None:
    """The same, with far more steps than hypothesis takes."""
    random = Random(seed)
    world = Backlogs()
    steps: dict[Callable[[], object], int] = {
        lambda: world.a_row_is_written(random.randrange(2), random.randrange(3), {random.choice("xyz")}): 10,
        lambda: world.a_row_is_deleted(random.randrange(2), random.randrange(3)): 4,
        lambda: world.a_row_becomes_somebody_else(random.randrange(2), random.randrange(3), random.randint(1, 2)): 6,
        lambda: world.time_passes(random.choice([0.5, 3.0, 30.0])): 5,
        lambda: world.a_request_starts(random.choice(["writes", "deletes"]), random.randint(1, 4)): 8,
        lambda: world.flights and world.an_answer_comes(random.randrange(4), random.choices(ANSWERS, k=4)): 6,
        lambda: world.another_lane_sends_somebody(random.choice("abcd")): 1,
        lambda: world.pauses and world.a_pause_ends(): 9,
        lambda: any(world.early.values()) and world.a_first_pass_is_over(): 1,
        lambda: random.random() < 0.2 and world.a_partition_is_taken_away_and_comes_back(random.randrange(2), True): 1,
        lambda: random.random() < 0.2 and world.deletes_are_put_aside(): 1,
    }
    for _ in range(random.choice([30, 100, 400])):
        random.choices(list(steps), list(steps.values()))[0]()
        world.nobody_is_in_two_requests()
        world.everything_is_settled_or_held()
        world.what_is_here_is_counted()
        world.a_person_has_few_intents_a_partition()
    world.teardown()
