"""One lane's Kafka consumer, owned by one thread.

Invariants:
- Every call on the confluent_kafka consumer, callbacks included, happens on the owner thread: the library serialises
  calls anyway, and a callback that waited for another thread's call would wait for ever.
- No callback calls `list_topics` (nor `poll`, `consume`, `close`): the library would abort the process at the next
  callback of the same `consume` (`CallState_get` in its `confluent_kafka.c`: the inner call's end forgets the outer).
- The event loop owns the `Offsets`: what to commit is worked out there, and the owner thread commits it only for
  partitions that are still the same assignment (the broker does not check ownership).
- Nothing cancels a running `consume`: a cancelled one would lose its records.
- No committed offset = from the beginning; a committed offset that is out of range = HaltError(`offset_lost`).
- On revoke the lane gets a bounded time to finish, then what is settled is committed; a lost partition is not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from stream_sync.errors import FatalError, HaltError
from stream_sync.kafka.cleanup import is_compacted
from stream_sync.kafka.client_log import News
from stream_sync.kafka.elsewhere import left_behind
from stream_sync.kafka.offsets import Commit, Offsets
from stream_sync.kafka.polls import Polls
from stream_sync.kafka.progress import decode
from stream_sync.kafka.starting import Start, starts
from stream_sync.model import Record

Result = TypeVar("Result")

METADATA_TIMEOUT = 10.0
INSIST_SECONDS = 30.0
"""How long a question must be answered whose failure would end the process."""
INSIST_PAUSE = 0.2
_FORBIDDEN = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED})
ASK_TIMEOUT = 2.0
COMMIT_SECONDS = 10.0
"""How long the answer to a commit is waited for."""
REVOKE_MARGIN = 5.0


Places = frozenset[tuple[int, int, str]]
"""What a commit is known by: partition, position and metadata of each."""


class Taken(NamedTuple):
    """What one `take` brought: records in each partition's order, and the partitions' ends reached after them."""

    records: list[Record]
    ends: list[tuple[int, int]]


class Listener(Protocol):
    """The lane, told on the event loop when partitions come and go."""

    def assigned(self, offsets: Sequence[Offsets]) -> None: ...

    async def revoked(self, offsets: Sequence[Offsets], budget: float) -> None:
        """Finishes what is in flight for these within `budget` seconds; afterwards nothing of them is sent."""

    def lost(self, offsets: Sequence[Offsets]) -> None: ...

    def committed(self, error: str | None) -> None: ...


class LaneConsumer:
    """The source of one lane's records."""

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
        """`admin`: the properties of a client that looks at the topic's settings."""
        self._properties = {
            **properties,
            "group.id": group,
            "error_cb": self._on_error,
            "on_commit": self._on_commit,
        }
        self._topic = topic
        self._listener = listener
        self._log = log
        """For what is out of the ordinary."""
        self._news = News()
        self._owner = ThreadPoolExecutor(1, thread_name_prefix=f"kafka-{group}")
        self._consumer: Consumer | None = None
        self._failure: Exception | None = None
        self._halt: HaltError | None = None
        self._closing = False
        self._admin = admin
        self._from_start = from_start
        self._accept_gap = accept_gap
        self._answers: dict[Places, list[asyncio.Future[bool]]] = {}
        """Who waits for the answer to which commit. Owner thread only."""
        self._arrived: list[list[Offsets]] = []
        """Assignments of which the lane was not told yet."""
        self._begun: set[int] = set()
        """The partitions in which this process began once: it starts anew in each only once."""
        self.session_timeout = float(properties.get("session.timeout.ms", 45_000)) / 1000
        self.assigned: dict[int, Offsets] = {}
        """The partitions this process owns now. Changed on the owner thread only."""
        self.partitions = 0
        """How many partitions the topic has; known after `start`, and again with each assignment."""
        self._polls = Polls(time.monotonic(), self.session_timeout / 2)
        self._in_touch_at = time.monotonic()
        """When it last had partitions, or was asked."""

    @property
    def polled_at(self) -> float:
        """When the consumer was last polled (monotonic seconds) and sure of its partitions: see `polls`."""
        return self._polls.at

    async def start(self) -> dict[int, int]:
        """Joins the group and returns the last stable offset of every partition as of now.

        Raises HaltError(`topic_missing`) where the topic is not there, FatalError where Kafka does not answer.
        """
        self._loop = asyncio.get_running_loop()
        return await self._run(self._start)

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
        return await self._run(self._take, most, wait)

    async def pause(self) -> None:
        """No more records until `resume`; what was fetched ahead is dropped. Polling must go on."""
        await self._run(lambda: self._client.pause(self._client.assignment()))

    async def resume(self) -> None:
        """Ends `pause`, for the partitions assigned now."""
        await self._run(lambda: self._client.resume(self._client.assignment()))

    async def commit(self, *, wait: bool = False) -> bool:
        """Commits what is settled. With `wait`: whether the broker took all of it, as it says within COMMIT_SECONDS;
        the answer comes by polling, which must go on meanwhile."""
        commits = commits_of(tuple(self.assigned.values()))
        if not commits:
            return True
        answer: asyncio.Future[bool] | None = self._loop.create_future() if wait else None
        sent = await self._run(self._commit, commits, answer)
        if answer is None or not sent:
            return sent
        done, _ = await asyncio.wait((answer,), timeout=COMMIT_SECONDS)
        return bool(done) and answer.result()

    async def reached(self, ends: Mapping[int, int]) -> bool:
        """Whether the group has committed up to these offsets, whoever of its members did it."""
        return await self._run(self._reached, ends)

    async def ends(self) -> dict[int, int] | None:
        """The last stable offset of every partition as of now; None where Kafka does not say."""
        return await self._run(self._ends)

    async def lag(self, *, ask: bool = False) -> int:
        """Records in Kafka beyond what was taken, as far as the client knows; with `ask` the broker is asked, since a
        client that fetches nothing learns nothing."""
        taken = {number: _taken(offsets) for number, offsets in tuple(self.assigned.items())}
        return await self._run(self._lag, taken, ask)

    async def close(self) -> None:
        """Leaves the group and ends the owner thread. Commits nothing: `commit` is to be called before."""
        self._closing = True
        try:
            if self._consumer is not None:
                await self._run(self._consumer.close)
        finally:
            self._owner.shutdown(wait=False)

    @property
    def _client(self) -> Consumer:
        if self._consumer is None:
            raise FatalError("the consumer was used before start(): this is a defect, please report it")
        return self._consumer

    async def _run(self, call: Callable[..., Result], *args: Any) -> Result:
        return await self._loop.run_in_executor(self._owner, call, *args)

    # --- on the owner thread from here on -----------------------------------------------------------------------

    def _start(self) -> dict[int, int]:
        try:
            return self._join()
        except KafkaException as exception:
            code = exception.args[0].name()
            message = f"Kafka does not answer ({code}): see that `kafka` of the config names a broker that runs"
            raise FatalError(message) from exception

    def _join(self) -> dict[int, int]:
        if self._consumer is None:
            self._consumer = Consumer(self._properties)
        topic = self._client.list_topics(self._topic, timeout=METADATA_TIMEOUT).topics[self._topic]
        if topic.error is not None or not topic.partitions:
            message = (
                f"topic {self._topic!r} does not exist or may not be read: create it, or mend the source's `topic`"
            )
            raise HaltError("topic_missing", message)
        if (other := left_behind(self._client, self._topic)) is not None:
            message = (
                f"the group has worked on topic {other!r} so far: give the activation another name, or delete the "
                "group's offsets of that topic"
            )
            raise HaltError("route_changed", message)
        self.partitions = len(topic.partitions)
        ends = {
            number: self._client.get_watermark_offsets(TopicPartition(self._topic, number), timeout=METADATA_TIMEOUT)[1]
            for number in topic.partitions
        }
        self._subscribe()
        self._polls = Polls(time.monotonic(), self.session_timeout / 2)  # joining may have taken long
        return ends

    def _subscribe(self) -> None:
        self._client.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        self._in_touch_at = time.monotonic()

    def _stay_in_touch(self) -> None:
        """Replaces a client that has no partitions and gets no answer, either: see `lasting`."""
        now = time.monotonic()
        if self.assigned:
            self._in_touch_at = now
        elif now - self._in_touch_at > self.session_timeout:
            self._in_touch_at = now
            try:
                self._client.list_topics(self._topic, timeout=ASK_TIMEOUT)
            except KafkaException as exception:
                self._log("kafka_client_renewed", code=exception.args[0].name())
                self._client.close()
                self._consumer = Consumer(self._properties)
                self._subscribe()

    def _take(self, most: int, wait: float) -> Taken:
        self._polls.note(time.monotonic())
        messages = self._client.consume(most, wait)
        self._polls.note(time.monotonic())
        self._stay_in_touch()
        if self._arrived:
            self._welcome()
        if self._failure is not None:
            raise self._failure
        if self._halt is not None:
            halt, self._halt = self._halt, None
            raise halt
        records = cast(list[Record], [message for message in messages if message.error() is None])
        ends: list[tuple[int, int]] = []
        if len(records) != len(messages):
            for message in messages:
                self._note_event(message, ends)
        return Taken(records, ends)

    def _reached(self, ends: Mapping[int, int]) -> bool:
        wanted = [TopicPartition(self._topic, number) for number in ends]
        try:
            found = self._client.committed(wanted, timeout=METADATA_TIMEOUT)
        except KafkaException:
            return False
        return all(position.offset >= ends[position.partition] for position in found)

    def _ends(self) -> dict[int, int] | None:
        try:
            topic = self._client.list_topics(self._topic, timeout=METADATA_TIMEOUT).topics[self._topic]
            self.partitions = max(self.partitions, len(topic.partitions))
            return {
                number: self._client.get_watermark_offsets(TopicPartition(self._topic, number), timeout=ASK_TIMEOUT)[1]
                for number in range(self.partitions)
            }
        except KafkaException:
            return None

    def _lag(self, taken: Mapping[int, int], ask: bool) -> int:
        lag = 0
        for number, position in taken.items():
            if number not in self.assigned:
                continue
            place = TopicPartition(self._topic, number)
            try:
                _low, high = self._client.get_watermark_offsets(place, timeout=ASK_TIMEOUT, cached=not ask)
            except KafkaException:
                ask = False  # one silent broker is waited for once
                _low, high = self._client.get_watermark_offsets(place, cached=True)
            lag += max(0, high - position)  # not known yet = -1001
        return lag

    def _note_event(self, message: Message, ends: list[tuple[int, int]]) -> None:
        error = message.error()
        if error is None:
            return
        code, partition, offset = error.code(), message.partition(), message.offset()
        if code == KafkaError._PARTITION_EOF and partition is not None and offset is not None:
            ends.append((partition, offset))
        elif code == KafkaError._AUTO_OFFSET_RESET and partition is not None:
            self._overtaken(partition)
        else:
            self._log("kafka_event", code=error.name())

    def _overtaken(self, partition: int) -> None:
        """Retention took what the lane had not read yet."""
        offsets = self.assigned.get(partition)
        if offsets is None:
            return
        low, high = self._client.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=METADATA_TIMEOUT)
        position = offsets.position if offsets.position is not None else offsets.commit_position() or 0
        start = starts(partition, position, offsets.progress, low, high, from_start=False, accept_gap=self._accept_gap)
        offsets.progress.whole_until = start.progress.whole_until
        place = TopicPartition(self._topic, partition, start.offset)
        # Not `seek`: it refuses where the fetching has already stopped for want of an offset.
        self._client.incremental_unassign([place])
        self._client.incremental_assign([place])

    def _commit(self, commits: Mapping[Offsets, Commit], answer: asyncio.Future[bool] | None = None) -> bool:
        """Whether all of it was sent. Never synchronous: with the coordinator away librdkafka would keep the thread for
        minutes (three attempts of `socket.timeout.ms`), and nothing would be polled."""
        ours = [
            TopicPartition(self._topic, offsets.partition, commit.position, commit.metadata)
            for offsets, commit in commits.items()
            if self.assigned.get(offsets.partition) is offsets
        ]
        if not ours:
            return not commits
        if answer is not None:
            self._answers.setdefault(_places(ours), []).append(answer)
        try:
            self._client.commit(offsets=ours, asynchronous=True)
        except KafkaException as exception:
            self._on_commit(exception.args[0], ours)
            return False
        return len(ours) == len(commits)

    def _on_commit(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        error = error or next((partition.error for partition in partitions if partition.error is not None), None)
        for partition in partitions:
            offsets = self.assigned.get(partition.partition)
            if error is None and offsets is not None:
                offsets.committed = Commit(partition.offset, partition.metadata or "")
        for answer in self._answers.pop(_places(partitions), ()):
            self._tell(_answered, answer, error is None)
        self._tell(self._listener.committed, None if error is None else error.name())

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._closing:
            return
        try:
            found = [self._start_of(consumer, committed) for committed in self._positions(consumer, partitions)]
            new = [Offsets(start.partition, start.committed, start.progress) for start in found]
            places = [TopicPartition(self._topic, start.partition, start.offset) for start in found]
            consumer.incremental_assign(places)
            consumer.resume(places)
            self.assigned.update({offsets.partition: offsets for offsets in new})
            self._arrived.append(new)
        except HaltError as error:
            self._halt = error
        except Exception as exception:  # noqa: BLE001  an exception out of this callback leaves a silent zombie
            self._fail(exception)

    def _welcome(self) -> None:
        """Tells of the partitions that came. New ones of the topic count: limits and budgets are shared by them."""
        try:
            topic = self._client.list_topics(self._topic, timeout=METADATA_TIMEOUT).topics[self._topic]
        except KafkaException as exception:
            self._log("partitions_not_counted", code=exception.args[0].name())
        else:
            self.partitions = max(self.partitions, len(topic.partitions))
        arrived, self._arrived = self._arrived, []
        for new in arrived:
            self._tell(self._listener.assigned, new)

    def _start_of(self, consumer: Consumer, committed: TopicPartition) -> Start:
        """Where to begin in a partition. Raises HaltError(`offset_lost`)."""
        place = TopicPartition(self._topic, committed.partition)
        low, high = _insist(lambda: consumer.get_watermark_offsets(place, timeout=METADATA_TIMEOUT))
        offset = None if committed.offset < 0 else committed.offset
        first = committed.partition not in self._begun
        self._begun.add(committed.partition)
        return starts(
            committed.partition,
            offset,
            decode(committed.metadata),
            low,
            high,
            from_start=self._from_start and first,
            accept_gap=self._accept_gap,
        )

    def _positions(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        if not partitions:
            return []
        return list(_insist(lambda: consumer.committed(partitions, timeout=METADATA_TIMEOUT)))

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        going = self._going(partitions)
        budget = min(20.0, self.session_timeout / 2)
        try:
            settled = self._wait_for_lane(going, budget)
            # While it closes, librdkafka ends the process at a commit that comes when it thinks that it is done
            # (`rd_kafka_cgrp_terminated`); the lane has committed before.
            if not self._closing:
                self._commit(settled)  # librdkafka gives the partitions back when it is answered
        except Exception as exception:  # noqa: BLE001  see _on_assign
            self._fail(exception)
        finally:
            self._forget(going)

    def _wait_for_lane(self, going: Sequence[Offsets], budget: float) -> Mapping[Offsets, Commit]:
        async def finish() -> Mapping[Offsets, Commit]:
            await self._listener.revoked(going, budget)
            return commits_of(going)

        return asyncio.run_coroutine_threadsafe(finish(), self._loop).result(budget + REVOKE_MARGIN)

    def _on_lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        going = self._going(partitions)
        self._forget(going)
        self._tell(self._listener.lost, going)

    def _going(self, partitions: Iterable[TopicPartition]) -> list[Offsets]:
        return [self.assigned[p.partition] for p in partitions if p.partition in self.assigned]

    def _forget(self, going: Sequence[Offsets]) -> None:
        for offsets in going:
            offsets.revoked = True
            self.assigned.pop(offsets.partition, None)

    def _on_error(self, error: KafkaError) -> None:
        if self._news.is_new(error.name()):
            self._log("kafka_error", code=error.name())
        if error.fatal():
            self._fail(FatalError(f"Kafka client: {error.name()}: it cannot go on, restart the process"))

    def _fail(self, exception: Exception) -> None:
        if self._failure is None:
            what = exception.args[0].name() if isinstance(exception, KafkaException) else type(exception).__name__
            self._failure = FatalError(f"Kafka client: {what} in a callback: restart the process")
            self._failure.__cause__ = exception

    def _tell(self, call: Callable[..., None], *args: Any) -> None:
        self._loop.call_soon_threadsafe(call, *args)


def _insist(ask: Callable[[], Result]) -> Result:
    """Asks again for a while where the broker is away, a leader is being elected or a partition is very new; what the
    credentials do not allow is raised at once."""
    deadline = time.monotonic() + INSIST_SECONDS
    while True:
        try:
            return ask()
        except KafkaException as exception:
            if time.monotonic() > deadline or exception.args[0].code() in _FORBIDDEN:
                raise
        time.sleep(INSIST_PAUSE)


def _places(partitions: Iterable[TopicPartition]) -> Places:
    return frozenset((place.partition, place.offset, place.metadata or "") for place in partitions)


def _answered(answer: asyncio.Future[bool], is_taken: bool) -> None:
    if not answer.done():
        answer.set_result(is_taken)


def _taken(offsets: Offsets) -> int:
    """The next offset to be taken, as far as this process knows."""
    if offsets.position is not None:
        return offsets.position
    return 0 if offsets.committed is None else offsets.committed.position


def commits_of(assignments: Iterable[Offsets]) -> dict[Offsets, Commit]:
    """What there is to commit, for the assignments of which something moved since the last commit."""
    found = {offsets: offsets.to_commit() for offsets in assignments}
    return {offsets: commit for offsets, commit in found.items() if commit is not None}
