"""One lane's member of its consumer group, on the one thread that owns it.

Invariants:
- Every call on the confluent_kafka consumer, callbacks included, happens on the owner thread: the library serialises
  calls anyway, and a callback that waited for another thread's call would wait for ever.
- No callback calls `list_topics` (nor `poll`, `consume`, `close`): the library would abort the process at the next
  callback of the same `consume` (`CallState_get` in its `confluent_kafka.c`: the inner call's end forgets the outer).
- The event loop owns the `Offsets`; here they are only handed on.
- No committed offset = from the beginning; a committed offset that is out of range = HaltError(`offset_lost`).
- On revoke the lane gets a bounded time to finish, then what is settled is committed; a lost partition is not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from stream_sync.errors import FatalError, HaltError
from stream_sync.kafka import questions
from stream_sync.kafka.client_log import News
from stream_sync.kafka.commits import Commits, commits_of
from stream_sync.kafka.elsewhere import left_behind
from stream_sync.kafka.offsets import Commit, Offsets
from stream_sync.kafka.progress import decode
from stream_sync.kafka.starting import Start, starts
from stream_sync.kafka.sureness import Sureness
from stream_sync.model import Record

MOST_REVOKE_SECONDS = 20.0
REVOKE_MARGIN = 5.0


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


class Member:
    """The member, and its client. `listener` is told on the event loop."""

    def __init__(
        self,
        properties: Mapping[str, Any],
        topic: str,
        listener: Listener,
        log: Callable[..., None],
        *,
        from_start: bool,
        accept_gap: bool,
    ) -> None:
        self.assigned: dict[int, Offsets] = {}
        """The partitions this process owns now."""
        self.partitions = 0
        """How many partitions the topic has; known after `join`, and again with each assignment."""
        self.session_timeout = float(properties.get("session.timeout.ms", 45_000)) / 1000
        self.sureness = Sureness(time.monotonic(), self.session_timeout / 2)
        self.commits = Commits(topic, self.assigned, self.sureness, self._tell, listener.committed)
        self.is_closing = False
        self._properties = {**properties, "error_cb": self._on_error, "on_commit": self.commits.answered}
        self._topic = topic
        self._listener = listener
        self._log = log
        self._loop: asyncio.AbstractEventLoop  # known from `join` on
        self._news = News()
        self._client: Consumer | None = None
        self._failure: Exception | None = None
        self._halt: HaltError | None = None
        self._from_start = from_start
        self._accept_gap = accept_gap
        self._arrived: list[list[Offsets]] = []
        """Assignments of which the lane was not told yet."""
        self._begun: set[int] = set()
        """The partitions in which this process began once: it starts anew in each only once."""
        self._in_touch_at = time.monotonic()
        """When it last had partitions, or asked for the topic."""

    @property
    def client(self) -> Consumer:
        """Raises FatalError before `join`."""
        if self._client is None:
            raise FatalError("the consumer was used before start(): this is a defect, please report it")
        return self._client

    def join(self, loop: asyncio.AbstractEventLoop) -> dict[int, int]:
        """Joins the group: the last stable offset of every partition. `loop`: where the listener is told. Raises
        HaltError(`topic_missing`, `route_changed`) and FatalError."""
        self._loop = loop
        try:
            return self._join()
        except KafkaException as exception:
            code = exception.args[0].name()
            message = f"Kafka does not answer ({code}): see that `kafka` of the config names a broker that runs"
            if code == "_INVALID_ARG":
                message = "librdkafka does not take the properties of `kafka`: `validate --live` names the one"
            raise FatalError(message) from exception

    def take(self, most: int, wait: float) -> Taken:
        """Up to `most` records; waits `wait` seconds for them. Raises what was found meanwhile."""
        self.sureness.polled(time.monotonic())
        messages = self.client.consume(most, wait)
        self.sureness.polled(time.monotonic())
        if not self.assigned:
            self.sureness.owns_nothing()
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

    def ends(self) -> dict[int, int] | None:
        """The last stable offset of every partition as of now; None where Kafka does not say."""
        timeout = questions.ASK_TIMEOUT
        try:
            self.partitions = max(self.partitions, questions.count_partitions(self.client, self._topic))
            return {
                number: questions.bounds(self.client, self._topic, number, timeout)[1]
                for number in range(self.partitions)
            }
        except KafkaException:
            return None

    def lag(self, taken: Mapping[int, int], ask: bool) -> int:
        """See `questions.lag`; of what is still assigned."""
        still = {number: position for number, position in taken.items() if number in self.assigned}
        return questions.lag(self.client, self._topic, still, ask=ask)

    def backlog(self) -> int | None:
        """See `questions.backlog`; for a member that does not join."""
        try:
            if self._client is None:
                self._client = Consumer(self._properties)
            self._client.poll(0)  # without a subscription it brings no records, only what the client has to say
        except KafkaException:
            return None
        return questions.backlog(self._client, self._topic)

    def close(self) -> None:
        """Leaves the group."""
        if self._client is not None:
            self._client.close()

    def _join(self) -> dict[int, int]:
        if self._client is None:
            self._client = Consumer(self._properties)
        self.partitions = questions.count_partitions(self._client, self._topic)
        if not self.partitions:
            raise HaltError("topic_missing", questions.not_there(self._topic))
        if (other := left_behind(self._client, self._topic)) is not None:
            message = (
                f"the group has worked on topic {other!r} so far: give the activation another name, or delete the "
                "group's offsets of that topic"
            )
            raise HaltError("route_changed", message)
        ends = {number: questions.bounds(self._client, self._topic, number)[1] for number in range(self.partitions)}
        self._subscribe()
        return ends

    def _subscribe(self) -> None:
        self.client.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        self._in_touch_at = time.monotonic()
        self.sureness.anew(self._in_touch_at)  # joining may have taken long

    def _stay_in_touch(self) -> None:
        """Replaces a client that has no partitions and gets no answer, either: see `lasting`."""
        now = time.monotonic()
        if self.assigned:
            self._in_touch_at = now
        elif now - self._in_touch_at > self.session_timeout:
            self._in_touch_at = now
            try:
                questions.count_partitions(self.client, self._topic, questions.ASK_TIMEOUT)
            except KafkaException as exception:
                self._renew(exception.args[0].name())

    def _renew(self, why: str) -> None:
        try:
            new = Consumer(self._properties)
        except KafkaException as exception:  # a certificate that is being changed, say: tried again
            self._log("kafka_event", code=exception.args[0].name())
            return
        self._log("kafka_client_renewed", code=why)
        old, self._client = self.client, new
        old.close()
        self.commits.forget()
        self._subscribe()

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
        low, high = questions.bounds(self.client, self._topic, partition)
        position = offsets.position if offsets.position is not None else offsets.commit_position() or 0
        start = starts(partition, position, offsets.progress, low, high, from_start=False, accept_gap=self._accept_gap)
        offsets.progress.whole_until = start.progress.whole_until
        place = TopicPartition(self._topic, partition, start.offset)
        # Not `seek`: it refuses where the fetching has already stopped for want of an offset.
        self.client.incremental_unassign([place])
        self.client.incremental_assign([place])

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self.is_closing or consumer is not self._client:
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
            self.partitions = max(self.partitions, questions.count_partitions(self.client, self._topic))
        except KafkaException as exception:
            self._log("partitions_not_counted", code=exception.args[0].name())
        arrived, self._arrived = self._arrived, []
        for new in arrived:
            self._tell(self._listener.assigned, new)

    def _start_of(self, consumer: Consumer, committed: TopicPartition) -> Start:
        """Where to begin in a partition. Raises HaltError(`offset_lost`)."""
        number = committed.partition
        low, high = questions.insist(lambda: questions.bounds(consumer, self._topic, number))
        first = number not in self._begun
        self._begun.add(number)
        return starts(
            number,
            None if committed.offset < 0 else committed.offset,
            decode(committed.metadata),
            low,
            high,
            from_start=self._from_start and first,
            accept_gap=self._accept_gap,
        )

    def _positions(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        if not partitions:
            return []
        return list(questions.insist(lambda: consumer.committed(partitions, timeout=questions.METADATA_TIMEOUT)))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._client:  # one that was replaced: it had none
            return
        going = self._going(partitions)
        budget = min(MOST_REVOKE_SECONDS, self.session_timeout / 2)
        try:
            settled = self._wait_for_lane(going, budget)
            # While it closes, librdkafka ends the process at a commit that comes when it thinks that it is done
            # (`rd_kafka_cgrp_terminated`); the lane has committed before.
            if not self.is_closing:
                self.commits.send(consumer, settled)  # librdkafka gives the partitions back when it is answered
        except Exception as exception:  # noqa: BLE001  see _on_assign
            self._fail(exception)
        finally:
            self._forget(going)

    def _wait_for_lane(self, going: Sequence[Offsets], budget: float) -> Mapping[Offsets, Commit]:
        async def finish() -> Mapping[Offsets, Commit]:
            await self._listener.revoked(going, budget)
            return commits_of(going)

        return asyncio.run_coroutine_threadsafe(finish(), self._loop).result(budget + REVOKE_MARGIN)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._client:
            return
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
