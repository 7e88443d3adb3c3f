"""Any order of receiving, settling, committing, losing and getting back partitions: what is committed is done, what is
done is committed in the end."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stream_sync.kafka.commits import commits_of
from stream_sync.kafka.offsets import Commit, Offsets
from stream_sync.kafka.progress import decode
from stream_sync.kafka.starting import starts

PARTITIONS = (0, 1)
PER = 600.0


class Work:
    """What one assignment gave out and has not back yet."""

    def __init__(self, offsets: Offsets) -> None:
        self.offsets = offsets
        self.owed: list[int] = []


class Members(RuleBasedStateMachine):
    """One process on two partitions; the broker keeps what it commits. Old assignments' work may come back late."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000.0
        self.log: dict[int, list[tuple[int, int]]] = {number: [] for number in PARTITIONS}
        """(offset, intents) of each record; the offsets between are gaps."""
        self.end = dict.fromkeys(PARTITIONS, 0)
        self.broker: dict[int, Commit] = {}
        self.work: dict[int, Work] = {}
        self.late: list[Work] = []
        self.done: dict[int, set[int]] = {number: set() for number in PARTITIONS}
        self.noted: dict[int, int] = dict.fromkeys(PARTITIONS, 0)
        """Deletes counted within `PER` by what the broker has."""
        self.under_way: list[dict[Offsets, Commit]] = []
        for number in PARTITIONS:
            self._assign(number)

    def _assign(self, number: int) -> None:
        commit = self.broker.get(number)
        place, metadata = (None, None) if commit is None else commit
        start = starts(number, place, decode(metadata), 0, self.end[number], from_start=False, accept_gap=False)
        self.work[number] = Work(Offsets(number, start.committed, start.progress))
        self.next = {**getattr(self, "next", {}), number: start.offset}

    # --- the source ---

    @rule(number=st.sampled_from(PARTITIONS), gaps=st.lists(st.integers(0, 3), min_size=1, max_size=5), data=st.data())
    def records_are_written(self, number: int, gaps: Collection[int], data: st.DataObject) -> None:
        for gap in gaps:
            self.log[number].append((self.end[number] + gap, data.draw(st.sampled_from([0, 1, 1, 2]))))
            self.end[number] = self.log[number][-1][0] + 1

    @rule(number=st.sampled_from(PARTITIONS))
    def a_transaction_ends(self, number: int) -> None:
        """With a marker that nobody receives."""
        self.end[number] += 1

    # --- the process ---

    @rule(number=st.sampled_from(PARTITIONS), most=st.integers(1, 6), as_run=st.booleans())
    def records_are_received(self, number: int, most: int, as_run: bool) -> None:
        if number not in self.work:
            return
        work = self.work[number]
        taken = [(offset, intents) for offset, intents in self.log[number] if offset >= self.next[number]][:most]
        if as_run and all(intents == 1 for _, intents in taken):
            work.offsets.received([offset for offset, _ in taken], taken[-1][0] + 1 if taken else 0)
        else:
            for offset, intents in taken:
                work.offsets.receive(offset, intents)
        for offset, intents in taken:
            work.owed += [offset] * intents
            if not intents:
                self.done[number].add(offset)
        if taken:
            self.next[number] = taken[-1][0] + 1

    @rule(number=st.sampled_from(PARTITIONS))
    def the_end_is_reached(self, number: int) -> None:
        if number in self.work and not [offset for offset, _ in self.log[number] if offset >= self.next[number]]:
            self.work[number].offsets.reach(self.end[number])

    @rule(number=st.sampled_from(PARTITIONS), data=st.data())
    def some_are_settled(self, number: int, data: st.DataObject) -> None:
        if number in self.work and self.work[number].owed:
            self._settle(self.work[number], data)

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def an_answer_comes_after_the_partition_went(self, data: st.DataObject) -> None:
        """It may even be the same partition of the same process again."""
        work = self.late.pop(data.draw(st.integers(0, len(self.late) - 1)))
        if work.owed:
            self._settle(work, data)

    def _settle(self, work: Work, data: st.DataObject) -> None:
        chosen = data.draw(st.sets(st.integers(0, len(work.owed) - 1), min_size=1))
        offsets = [work.owed[index] for index in chosen]
        work.owed = [offset for index, offset in enumerate(work.owed) if index not in chosen]
        work.offsets.settle(offsets)
        self.done[work.offsets.partition] |= {offset for offset in offsets if offset not in work.owed}

    @rule(number=st.sampled_from(PARTITIONS), count=st.integers(1, 3))
    def deletes_are_counted(self, number: int, count: int) -> None:
        if number in self.work:
            self.work[number].offsets.progress.note_deletes(count, self.now, PER)

    # --- commits ---

    @rule()
    def a_commit_begins(self) -> None:
        if commits := commits_of([work.offsets for work in self.work.values()]):
            self.under_way.append(commits)

    @precondition(lambda self: self.under_way)
    @rule(is_taken=st.booleans())
    def a_commit_is_answered(self, is_taken: bool) -> None:
        """In the order in which they were asked for; of a partition that went meanwhile nothing is committed."""
        for offsets, commit in self.under_way.pop(0).items():
            work = self.work.get(offsets.partition)
            if is_taken and work is not None and work.offsets is offsets:
                before = self.broker.get(offsets.partition)
                assert before is None or commit.position >= before.position, "what was committed moved back"
                self.broker[offsets.partition] = offsets.committed = commit

    @rule(number=st.sampled_from(PARTITIONS), commits_first=st.booleans())
    def a_partition_goes(self, number: int, commits_first: bool) -> None:
        if number not in self.work:
            return
        if commits_first:
            self.under_way.clear()
            self.a_commit_begins()
            if self.under_way:
                self.a_commit_is_answered(True)
        work = self.work.pop(number)
        work.offsets.revoked = True
        self.late.append(work)

    @rule(number=st.sampled_from(PARTITIONS))
    def a_partition_comes(self, number: int) -> None:
        if number not in self.work:
            self._assign(number)

    @rule()
    def the_process_dies(self) -> None:
        self.under_way.clear()
        self.late.clear()
        self.work.clear()
        for number in PARTITIONS:
            self._assign(number)

    # --- what always holds ---

    @invariant()
    def what_is_committed_is_done(self) -> None:
        for number, commit in self.broker.items():
            assert {offset for offset, _ in self.log[number] if offset < commit.position} <= self.done[number]

    @invariant()
    def what_would_be_committed_passes_nothing_unsettled(self) -> None:
        for work in self.work.values():
            position = work.offsets.commit_position()
            assert work.offsets.unsettled == len(set(work.owed))
            assert position is None or all(position <= offset for offset in work.owed)

    @invariant()
    def counted_deletes_are_never_forgotten_by_a_commit(self) -> None:
        for number, commit in self.broker.items():
            kept = decode(commit.metadata)
            counted = 0 if kept is None else kept.deletes_within(self.now, PER)
            assert counted >= self.noted[number]
            self.noted[number] = counted

    def teardown(self) -> None:
        """In the end everything is committed, to the very end of the log."""
        self.under_way.clear()
        for number in PARTITIONS:
            self.a_partition_comes(number)
            self.records_are_received(number, 10_000, False)
            work = self.work[number]
            work.offsets.settle(work.owed)
            self.done[number] |= set(work.owed)
            work.owed = []
            self.the_end_is_reached(number)
        self.a_commit_begins()
        if self.under_way:
            self.a_commit_is_answered(True)
        self.what_is_committed_is_done()
        for number in PARTITIONS:
            if self.end[number]:
                assert self.broker[number].position == self.end[number]
        assert commits_of([work.offsets for work in self.work.values()]) == {}


TestMembers = Members.TestCase
TestMembers.settings = settings(max_examples=80, stateful_step_count=40, deadline=None, derandomize=True)
