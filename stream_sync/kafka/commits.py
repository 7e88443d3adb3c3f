"""What a member of a group commits, and what the broker says to it.

Invariants:
- Every call happens on the owner thread: see `member`.
- Only what is still the same assignment is committed: the broker does not check ownership.
- A commit is never synchronous: with the coordinator away librdkafka would keep the thread for minutes (three attempts
  of `socket.timeout.ms`), and nothing would be polled. The answer comes in a poll.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from stream_sync.kafka.offsets import Commit, Offsets
from stream_sync.kafka.sureness import Sureness

_NO_MEMBER = frozenset({KafkaError.UNKNOWN_MEMBER_ID, KafkaError.FENCED_INSTANCE_ID})
Places = frozenset[tuple[int, int, str]]
"""What a commit is known by: partition, position and metadata of each."""


class Commits:
    """The commits of one topic."""

    def __init__(
        self,
        topic: str,
        assigned: Mapping[int, Offsets],
        sureness: Sureness,
        tell: Callable[..., None],
        told: Callable[[str | None], None],
    ) -> None:
        """`assigned`: the partitions as they are owned now. `tell` calls something on the event loop: `told`, for one,
        with the error of each commit or None."""
        self._topic = topic
        self._assigned = assigned
        self._sureness = sureness
        self._tell = tell
        self._told = told
        self._awaited: dict[Places, list[asyncio.Future[bool]]] = {}

    def send(
        self, client: Consumer, commits: Mapping[Offsets, Commit], answer: asyncio.Future[bool] | None = None
    ) -> bool:
        """Whether all of it was sent. `answer`, a future of the event loop, is told whether the broker took it."""
        ours = [
            TopicPartition(self._topic, offsets.partition, commit.position, commit.metadata)
            for offsets, commit in commits.items()
            if self._assigned.get(offsets.partition) is offsets
        ]
        if not ours:
            return not commits
        for offsets, commit in commits.items():
            offsets.sent = commit
        if answer is not None:
            self._awaited.setdefault(_places(ours), []).append(answer)
        self._sureness.asked(time.monotonic())
        try:
            client.commit(offsets=ours, asynchronous=True)
        except KafkaException as exception:
            self.answered(exception.args[0], ours)
            return False
        return len(ours) == len(commits)

    def answered(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """The broker's answer, or that there is none."""
        error = error or next((partition.error for partition in partitions if partition.error is not None), None)
        is_member = error is None or error.code() not in _NO_MEMBER
        self._sureness.answered(is_taken=error is None, is_member=is_member)
        for partition in partitions:
            offsets = self._assigned.get(partition.partition)
            if error is None and offsets is not None:
                offsets.committed = Commit(partition.offset, partition.metadata or "")
        for answer in self._awaited.pop(_places(partitions), ()):
            self._tell(_resolve, answer, error is None)
        self._tell(self._told, None if error is None else error.name())

    def forget(self) -> None:
        """The client is another one: what was sent with the old one has no answer any more."""
        unanswered, self._awaited = self._awaited, {}
        for answers in unanswered.values():
            for answer in answers:
                self._tell(_resolve, answer, False)


def commits_of(assignments: Iterable[Offsets], *, again: bool = False) -> dict[Offsets, Commit]:
    """What there is to commit, for the assignments of which something moved since the last commit; with `again` for
    those of which nothing did, too."""
    found = {offsets: offsets.to_commit(again=again) for offsets in assignments}
    return {offsets: commit for offsets, commit in found.items() if commit is not None}


def _places(partitions: Iterable[TopicPartition]) -> Places:
    return frozenset((place.partition, place.offset, place.metadata or "") for place in partitions)


def _resolve(answer: asyncio.Future[bool], is_taken: bool) -> None:
    if not answer.done():
        answer.set_result(is_taken)
