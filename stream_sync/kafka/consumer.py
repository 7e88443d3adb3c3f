"""The source of one lane's records, for the event loop: every call is made on the thread that owns the group's member.

Invariants:
- What to commit is worked out on the event loop, which owns the `Offsets`; the owner thread only sends it.
- Nothing cancels a running `take`: a cancelled one would lose its records.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from confluent_kafka import KafkaException

from stream_sync.kafka import questions
from stream_sync.kafka.cleanup import is_compacted
from stream_sync.kafka.commits import commits_of
from stream_sync.kafka.member import Listener, Member, Taken
from stream_sync.kafka.offsets import Commit, Offsets

Result = TypeVar("Result")

COMMIT_SECONDS = 10.0
"""How long the answer to a commit is waited for."""


class LaneConsumer:
    """Made before the event loop runs, used inside of it."""

    def __init__(
        self,
        properties: Mapping[str, Any],
        topic: str,
        group: str,
        listener: Listener,
        log: Callable[..., None],
        *,
        admin: Mapping[str, Any],
        from_start: bool = False,
        accept_gap: bool = False,
    ) -> None:
        """`admin`: the properties of a client that looks at the topic's settings. `log`: for what is out of the
        ordinary."""
        self._topic = topic
        self._log = log
        self._admin = admin
        self._owner = ThreadPoolExecutor(1, thread_name_prefix=f"kafka-{group}")
        self._member = Member(
            {**properties, "group.id": group}, topic, listener, log, from_start=from_start, accept_gap=accept_gap
        )
        self.session_timeout = self._member.session_timeout
        """Seconds."""

    @property
    def assigned(self) -> Mapping[int, Offsets]:
        """The partitions this process owns now. Changed on the owner thread only."""
        return self._member.assigned

    @property
    def partitions(self) -> int:
        """How many partitions the topic has; known after `start`, and again with each assignment."""
        return self._member.partitions

    @property
    def polled_at(self) -> float:
        """When it was last polled; monotonic seconds."""
        return self._member.sureness.polled_at

    @property
    def sure_at(self) -> float:
        """When it was last sure of its partitions (monotonic seconds): see `sureness`."""
        return self._member.sureness.sure_at

    async def start(self) -> dict[int, int]:
        """Joins the group and returns the last stable offset of every partition as of now.

        Raises HaltError(`topic_missing`) where the topic is not there, FatalError where Kafka does not answer.
        """
        return await self._run(self._member.join, asyncio.get_running_loop())

    async def compacted(self) -> bool:
        """Whether the topic is compacted; where the broker does not say, it is taken as not."""
        try:
            return await asyncio.to_thread(is_compacted, self._admin, self._topic)
        except (KafkaException, TimeoutError) as exception:
            code = exception.args[0].name() if isinstance(exception, KafkaException) else "_TIMED_OUT"
            self._log("cleanup_policy_unknown", topic=self._topic, code=code, hint="taken as not compacted")
            return False

    async def take(self, most: int, wait: float) -> Taken:
        """Up to `most` records; waits `wait` seconds for them. Raises what the client found: HaltError, FatalError."""
        taken = await self._run(self._member.take, most, wait)
        if self._member.sureness.needs_proof(time.monotonic()):
            commits = commits_of(tuple(self.assigned.values()), again=True)
            if commits:
                await self._send(commits)
        return taken

    async def pause(self) -> None:
        """No more records until `resume`; what was fetched ahead is dropped. Polling must go on."""
        await self._run(lambda: self._member.client.pause(self._member.client.assignment()))

    async def resume(self) -> None:
        """Ends `pause`, for the partitions assigned now."""
        await self._run(lambda: self._member.client.resume(self._member.client.assignment()))

    async def commit(self, *, wait: bool = False) -> bool:
        """Commits what is settled. With `wait`: whether the broker took all of it, as it says within COMMIT_SECONDS;
        the answer comes by polling, which must go on meanwhile."""
        commits = commits_of(tuple(self.assigned.values()))
        if not commits:
            return True
        answer: asyncio.Future[bool] | None = asyncio.get_running_loop().create_future() if wait else None
        sent = await self._send(commits, answer)
        if answer is None or not sent:
            return sent
        done, _ = await asyncio.wait((answer,), timeout=COMMIT_SECONDS)
        return bool(done) and answer.result()

    async def committed(self, partitions: Iterable[int]) -> dict[int, int] | None:
        """What the group has committed of these partitions, whoever of its members did it, negative = nothing; None
        where Kafka does not say."""
        return await self._run(lambda: questions.committed(self._member.client, self._topic, partitions))

    async def ends(self) -> dict[int, int] | None:
        """The last stable offset of every partition as of now; None where Kafka does not say."""
        return await self._run(self._member.ends)

    async def lag(self, *, ask: bool = False) -> int:
        """Records in Kafka beyond what was taken, as far as the client knows; with `ask` the broker is asked, since a
        client that fetches nothing learns nothing."""
        taken = {number: _taken(offsets) for number, offsets in tuple(self.assigned.items())}
        return await self._run(self._member.lag, taken, ask)

    async def backlog(self) -> int | None:
        """Records in Kafka beyond what the group has committed, in all partitions, asked without joining it; None where
        Kafka does not say."""
        return await self._run(self._member.backlog)

    async def close(self) -> None:
        """Leaves the group and ends the owner thread. Commits nothing: `commit` is to be called before."""
        self._member.is_closing = True
        try:
            await self._run(self._member.close)
        finally:
            self._owner.shutdown(wait=False)

    async def _send(self, commits: Mapping[Offsets, Commit], answer: asyncio.Future[bool] | None = None) -> bool:
        return await self._run(lambda: self._member.commits.send(self._member.client, commits, answer))

    async def _run(self, call: Callable[..., Result], *args: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._owner, call, *args)


def _taken(offsets: Offsets) -> int:
    """The next offset to be taken, as far as this process knows."""
    if offsets.position is not None:
        return offsets.position
    return 0 if offsets.committed is None else offsets.committed.position
