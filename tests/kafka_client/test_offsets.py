"""What may be committed of a partition, whatever the order in which its records are settled."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from stream_sync.kafka.offsets import Commit, Offsets

BEYOND_32_BITS = 2**31 + 7


def test_nothing_is_committed_before_something_was_received() -> None:
    assert Offsets(0).commit_position() is None
    assert Offsets(0, committed=5).commit_position() == 5


def test_a_record_without_intents_is_settled_when_it_is_received() -> None:
    offsets = Offsets(0)
    offsets.receive(7, 0)
    assert (offsets.commit_position(), offsets.unsettled) == (8, 0)


def test_the_lowest_unsettled_record_is_committed_next() -> None:
    offsets = Offsets(0)
    for offset in (3, 4, 5):
        offsets.receive(offset, 1)
    offsets.settle([3, 5])
    assert offsets.commit_position() == 4
    offsets.settle([4])
    assert offsets.commit_position() == 6


def test_a_gap_needs_nothing() -> None:
    offsets = Offsets(0)
    offsets.receive(3, 1)
    offsets.receive(90, 1)
    offsets.settle([3])
    assert offsets.commit_position() == 90


def test_the_end_of_a_partition_counts_beyond_the_last_record() -> None:
    offsets = Offsets(0)
    offsets.reach(4)
    offsets.receive(4, 1)
    offsets.reach(6)
    assert offsets.commit_position() == 4
    offsets.settle([4])
    offsets.reach(5)
    assert offsets.commit_position() == 6


@pytest.mark.parametrize("intents", [2, 3])
def test_a_record_of_several_intents_is_settled_with_the_last_of_them(intents: int) -> None:
    offsets = Offsets(0)
    offsets.receive(3, intents)
    for _ in range(intents):
        assert offsets.commit_position() == 3
        offsets.settle([3])
    assert offsets.commit_position() == 4


def test_two_intents_of_one_record_may_be_settled_at_once() -> None:
    offsets = Offsets(0)
    offsets.receive(3, 2)
    offsets.settle([3, 3])
    assert offsets.commit_position() == 4


def test_what_was_committed_never_moves_back() -> None:
    offsets = Offsets(0, committed=10)
    offsets.receive(4, 1)
    assert offsets.commit_position() == 10


def test_offsets_beyond_32_bits() -> None:
    offsets = Offsets(0, committed=BEYOND_32_BITS)
    offsets.receive(BEYOND_32_BITS, 2)
    offsets.settle([BEYOND_32_BITS])
    assert offsets.commit_position() == BEYOND_32_BITS
    offsets.settle([BEYOND_32_BITS])
    assert offsets.commit_position() == BEYOND_32_BITS + 1


class OnePartition(RuleBasedStateMachine):
    """A partition that is received, settled, committed, taken away and given back in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.broker: int | None = None
        self.old: list[tuple[Offsets, list[int]]] = []
        self.assign()

    def assign(self) -> None:
        self.offsets = Offsets(0, self.broker)
        self.next = self.broker or 0
        self.owed: list[int] = []
        self.last: int | None = None

    @rule(gap=st.sampled_from([0, 0, 1, BEYOND_32_BITS]), intents=st.integers(0, 3))
    def receive(self, gap: int, intents: int) -> None:
        offset = self.next + gap
        self.offsets.receive(offset, intents)
        self.owed += [offset] * intents
        self.next = offset + 1

    @rule(beyond=st.integers(0, 3))
    def reach_the_end(self, beyond: int) -> None:
        self.next += beyond
        self.offsets.reach(self.next)

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.integers(0, len(self.owed) - 1), unique=True) if self.owed else st.just([]))
        self.offsets.settle([self.owed[index] for index in chosen])
        self.owed = [offset for index, offset in enumerate(self.owed) if index not in chosen]

    @rule()
    def commit(self) -> None:
        position = self.offsets.commit_position()
        if position is not None:
            assert self.broker is None or position >= self.broker
            self.broker = position
            self.offsets.committed = Commit(position, "")

    @rule()
    def revoke_and_assign_again(self) -> None:
        self.offsets.revoked = True
        self.old.append((self.offsets, self.owed))
        self.assign()

    @rule(data=st.data())
    def an_answer_comes_after_the_revoke(self, data: st.DataObject) -> None:
        for offsets, owed in self.old:
            offsets.settle(owed)
        self.old.clear()

    @invariant()
    def the_position_passes_nothing_unsettled_and_never_moves_back(self) -> None:
        position = self.offsets.commit_position()
        assert self.offsets.unsettled == len(set(self.owed))
        if position is None:
            assert not self.owed
            return
        assert all(position <= offset for offset in self.owed)
        assert self.last is None or position >= self.last
        self.last = position
        if not self.owed and self.offsets.position is not None:
            assert position == self.next


TestOnePartition = OnePartition.TestCase
TestOnePartition.settings = settings(max_examples=40, stateful_step_count=30, deadline=None, derandomize=True)
