"""A backlog with renames: two identifiers in one request, chains of them, and the same end as one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

import pytest

from stream_sync.delivery.coalesce import Backlog
from stream_sync.delivery.pending import Pending
from stream_sync.delivery.renames import RenamingBacklog, open_backlog
from stream_sync.model import Intent, Kind
from tests.delivery.parts import Ack, Lane, Told, changed, intent

AFTER = 60.0
ROW = {"x": 1, "y": 2}


class Of(Told):
    """A record of one row."""

    def __init__(self, partition: int, offset: int, row: str) -> None:
        super().__init__(partition, offset)
        self._row = row

    def key(self) -> bytes | None:
        return self._row.encode()


def renamed(old: str, new: str, values: Mapping[str, Any] = ROW, kind: Kind = "insert") -> Intent:
    return Intent(kind, new, "external_id", values, formerly=old)


class Renaming(Lane):
    """A lane of an activation with renames."""

    def __init__(self) -> None:
        super().__init__(AFTER)
        self.backlog = RenamingBacklog(self.people, AFTER, self._settle)
        self.ack = Ack()
        self.last = 0

    def tell(self, wanted: Intent, row: str = "row", ack: Ack | None = None, ts_ms: int | None = None) -> Pending:
        """One record of a row."""
        ack = ack or self.ack
        self.last += 1
        ack.give_out(self.last)
        record = Of(ack.partition, self.last, row)
        pending = self.backlog.add(Pending(wanted, ack, [self.last], record, ts_ms, ts_ms, self.now))
        self.backlog.settle_overtaken()
        return pending

    def free(self, sent: Iterable[Pending]) -> None:
        self.people.release(self.backlog.people_of(pending.intent for pending in sent))

    def sent(self) -> list[str]:
        """All that may be sent now, in words; answered at once."""
        taken = self.take()
        self.answer(taken)
        return [in_words(pending.intent) for pending in taken]

    def answer(self, taken: Iterable[Pending]) -> None:
        """They are delivered."""
        for pending in taken:
            pending.acknowledgement.settle(pending.offsets)
        self.free(taken)

    def drained(self) -> list[str]:
        """All that is sent in the end, in that order."""
        words = []
        while len(self.backlog):
            words += self.sent()
            self.now += AFTER
        assert not self.ack.owed
        return words


def in_words(wanted: Intent) -> str:
    who = wanted.identifier if wanted.formerly is None else f"{wanted.formerly}->{wanted.identifier}"
    return f"{wanted.kind} {who}"


def test_only_activations_with_renames_have_such_a_backlog() -> None:
    lane = Renaming()
    assert type(open_backlog(lane.people, AFTER, lane._settle, renames=False)) is Backlog
    assert type(open_backlog(lane.people, AFTER, lane._settle, renames=True)) is RenamingBacklog


def test_both_identifiers_are_in_the_request() -> None:
    lane = Renaming()
    lane.tell(renamed("a", "b"))
    taken = lane.take()
    assert [in_words(pending.intent) for pending in taken] == ["insert a->b"]
    assert lane.people.busy == {"a", "b"}
    lane.tell(intent("insert", "a"), "other")
    lane.tell(changed("b", ROW, "x"))
    assert lane.take() == []
    lane.answer(taken)
    assert sorted(lane.drained()) == ["insert a", "update b"]


def test_who_leaves_an_address_that_was_anothers_is_renamed_from_their_own() -> None:
    lane = Renaming()
    lane.tell(renamed("zoe", "ben"))
    (refused,) = lane.take()
    lane.backlog.taken_by_another(refused)
    lane.answer([refused])
    lane.tell(renamed("ben", "benjamin"), "the other row")
    assert lane.sent() == ["insert ben->benjamin"], "whose address it is, is renamed as ever"
    lane.tell(renamed("ben", "zora"))
    assert lane.sent() == ["insert zoe->zora"]
    lane.tell(renamed("zora", "ben"))
    assert lane.sent() == ["insert zora->ben"], "it is known for one change"


def test_who_gets_their_own_address_back_is_not_renamed() -> None:
    lane = Renaming()
    lane.tell(renamed("zoe", "ben"))
    (refused,) = lane.take()
    lane.backlog.taken_by_another(refused)
    lane.answer([refused])
    lane.tell(renamed("ben", "zoe"))
    assert lane.sent() == ["insert zoe"]


def test_a_chain_of_renames_is_one() -> None:
    lane = Renaming()
    lane.tell(intent("insert", "a", {"x": 0, "y": 0, "z": 0}))
    lane.tell(renamed("a", "b"))
    lane.tell(changed("b", {"x": 5}, "x"))
    merged = lane.tell(renamed("b", "c", {"x": 5, "y": 3}))
    assert lane.backlog.take("writes", 9) == [merged]
    assert in_words(merged.intent) == "insert a->c"
    assert merged.intent.values == {"x": 5, "y": 3, "z": 0}
    assert merged.offsets == [1, 2, 3, 4]
    assert merged.record.offset() == 4


def test_back_to_the_old_identifier_is_no_rename() -> None:
    lane = Renaming()
    lane.tell(renamed("a", "b"))
    lane.tell(renamed("b", "a", {"x": 9}))
    lane.tell(changed("a", {"y": 7}, "y"))
    assert lane.drained() == ["insert a"]


@pytest.mark.parametrize("busy", ["a", "b"])
def test_it_waits_until_both_are_free(busy: str) -> None:
    lane = Renaming()
    lane.people.occupy([busy])
    lane.tell(renamed("a", "b"))
    assert lane.take() == []
    lane.people.release([busy])
    assert lane.drained() == ["insert a->b"]


def test_somebody_whom_another_lane_took_meanwhile_is_waited_for_and_others_go() -> None:
    lane = Renaming()
    lane.tell(renamed("a", "b"))
    lane.tell(intent("insert", "c"), "other")
    lane.people.occupy(["a"])
    assert lane.sent() == ["insert c"]
    assert lane.sent() == []
    lane.people.release(["a"])
    assert lane.drained() == ["insert a->b"]


def test_what_fails_is_the_first_of_both_again() -> None:
    lane = Renaming()
    lane.tell(renamed("a", "b"))
    taken = lane.take()
    lane.tell(intent("insert", "a", {"x": 9}), "other")
    lane.tell(intent("delete", "b"))
    lane.backlog.put_back(taken[0], lane.now)
    lane.free(taken)
    assert lane.sent() == ["insert a->b"]
    assert sorted(lane.drained()) == ["delete b", "insert a"]


def test_a_delete_of_the_new_identifier_comes_after_it_and_does_not_hide_the_old_one() -> None:
    lane = Renaming()
    lane.tell(renamed("a", "b"))
    lane.tell(intent("delete", "b"))
    assert lane.drained() == ["insert a->b", "delete b"]


def test_a_waiting_delete_of_the_new_identifier_comes_before_it() -> None:
    lane = Renaming()
    lane.tell(intent("delete", "b"), "other")
    lane.tell(renamed("a", "b"))
    assert lane.sent() == []
    assert lane.drained() == ["delete b", "insert a->b"]


def test_a_waiting_delete_of_the_old_identifier_is_cancelled() -> None:
    lane = Renaming()
    lane.tell(intent("delete", "a"), "other")
    lane.tell(renamed("a", "b"))
    assert lane.drained() == ["insert a->b"]
    assert lane.backlog.deletes == 0


def test_an_older_delete_of_another_partition_never_takes_the_renamed_person() -> None:
    lane, other = Renaming(), Ack(1)
    lane.tell(renamed("a", "b"), ts_ms=2000)
    lane.tell(intent("delete", "b"), "other", other, ts_ms=1000)
    assert lane.drained() == ["insert a->b"]
    assert not other.owed


def test_two_rows_that_swap_go_one_after_the_other() -> None:
    lane = Renaming()
    lane.tell(renamed("a", "b"), "first")
    lane.tell(renamed("b", "a"), "second")
    assert lane.drained() == ["insert a->b", "insert b->a"]


def test_what_is_revoked_is_forgotten_with_its_place() -> None:
    lane, other = Renaming(), Ack(1)
    lane.tell(renamed("a", "b"))
    lane.tell(intent("insert", "a"), "other", other)
    lane.ack.revoked = True
    lane.ack.owed.clear()
    lane.backlog.forget_revoked(lane.now)
    assert lane.drained() == ["insert a"]
    assert not len(lane.backlog)


class World:
    """Rows of two partitions with addresses, a lane, and a destination that keeps people by address."""

    def __init__(self, seed: int, *, unique: bool) -> None:
        self.random = Random(seed)
        self.lane = Renaming()
        self.acks = [self.lane.ack] if unique else [self.lane.ack, Ack(1)]
        self.unique = unique
        self.rows: dict[tuple[int, str], tuple[str, dict[str, int]]] = {}
        self.store: dict[str, dict[str, int]] = {}
        self.flights: list[list[Pending]] = []
        self.value = 0

    def step(self) -> None:
        act = self.random.choices([self.change, self.start, self.answer, self.pass_time], [8, 6, 5, 2])[0]
        act()
        busy = [who for batch in self.flights for who in self.lane.backlog.people_of(p.intent for p in batch)]
        assert len(busy) == len(set(busy)), "nobody is in two requests"
        assert set(busy) <= self.lane.people.busy
        assert self.lane.backlog.deletes == sum(pending.is_delete for pending in self.lane.backlog)

    def change(self) -> None:
        number = self.random.randrange(len(self.acks))
        ack, key = self.acks[number], self.random.choice("123")
        taken = {address for address, _ in self.rows.values()}
        free = [address for address in "abcde" if address not in taken or not self.unique]
        self.value += 1
        row = self.rows.get((number, key))
        if row is None:
            address, values = self.random.choice(free), {"x": self.value, "y": self.value}
            wanted = intent("insert", address, values)
        elif self.random.random() < 0.15:
            del self.rows[number, key]
            self.lane.tell(intent("delete", row[0]), key, ack, self.value)
            return
        elif self.random.random() < 0.6 and (others := [each for each in free if each != row[0]]):
            address, values = self.random.choice(others), {**row[1], "x": self.value}
            wanted = renamed(row[0], address, values)
        else:
            address, values = row[0], {**row[1], "x": self.value}
            wanted = changed(address, values, "x")
        self.rows[number, key] = address, values
        self.lane.tell(wanted, key, ack, self.value)

    def start(self) -> None:
        sort = self.random.choice(["writes", "deletes"])
        self.lane.backlog.wake_deletes(self.lane.now)
        batch = self.lane.backlog.take(sort, self.random.randint(1, 3))  # type: ignore[arg-type]
        if batch:
            self.flights.append(batch)

    def answer(self) -> None:
        if not self.flights:
            return
        batch = self.flights.pop(self.random.randrange(len(self.flights)))
        for pending in batch:
            is_lost = self.random.random() < 0.3
            if not is_lost or self.random.random() < 0.5:  # a request without an answer may have been done
                self.apply(pending.intent)
            if is_lost:
                self.lane.backlog.put_back(pending, self.lane.now)
            else:
                pending.acknowledgement.settle(pending.offsets)
        self.lane.free(batch)

    def apply(self, wanted: Intent) -> None:
        if wanted.kind == "delete":
            self.store.pop(wanted.identifier, None)
            return
        if wanted.formerly in self.store:
            if wanted.identifier in self.store:
                assert not self.unique, "the new address is free when its turn comes"
                return
            self.store[wanted.identifier] = self.store.pop(wanted.formerly)
        self.store[wanted.identifier] = {**self.store.get(wanted.identifier, {}), **wanted.to_send}

    def pass_time(self) -> None:
        self.lane.now += self.random.choice([1.0, AFTER])

    def end(self) -> None:
        for _ in range(500):
            if not len(self.lane.backlog) and not self.flights:
                break
            self.lane.now += AFTER
            self.start()
            self.answer()
        assert not len(self.lane.backlog), "somebody waits for ever"
        assert not any(ack.owed for ack in self.acks)
        assert not self.lane.people.busy


@pytest.mark.parametrize("seed", range(12))
def test_addresses_that_wander_end_as_the_rows_say(seed: int) -> None:
    world = World(seed, unique=True)
    for _ in range(300):
        world.step()
    world.end()
    assert world.store == dict(world.rows.values())


@pytest.mark.parametrize("seed", range(12))
def test_nobody_waits_for_ever_whoever_shares_an_address(seed: int) -> None:
    world = World(seed, unique=False)
    for _ in range(300):
        world.step()
    world.end()
