"""What a lane does while it takes no records: it stays in its group, with its partitions paused, and goes on polling;
where it never takes any it stays outside.

Invariants:
- What the consumer brings in spite of a pause (a partition that came meanwhile) is put by, never dropped.
- Where the wait may be short nothing is paused: a pause throws away what was fetched ahead.
- A halted lane keeps its offsets; where the destination or the schema registry was the reason it re-reads its secrets
  and probes, at once where one of them has changed and else once a minute, and goes on when the destination takes it
  back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from stream_sync.delivery.destination import Destination
from stream_sync.delivery.dispatch import AWAY_SECONDS
from stream_sync.delivery.intake import Intake
from stream_sync.delivery.ports import Consumer, Secrets
from stream_sync.delivery.standing import Standing, Why
from stream_sync.errors import HaltError, StateAwayError, WaitError
from stream_sync.model import Delivered

POLL_SECONDS = 0.1
PROBE_SECONDS = 60.0
PATIENCE_SECONDS = 5.0


class Rest:
    """The rests of one lane. Each ends at once when `stop` is set."""

    def __init__(
        self,
        intake: Intake,
        destination: Destination,
        standing: Standing,
        secrets: Secrets,
        wake: Callable[[], None],
        stop: asyncio.Event,
    ) -> None:
        """`wake`: lets the lane look whether it may send."""
        self._intake = intake
        self._destination = destination
        self._standing = standing
        self._secrets = secrets
        self._tried = 0
        """The version of the secrets that the last probe tried."""
        self._wake = wake
        self._stop = stop

    async def for_cure(self, consumer: Consumer) -> None:
        """Halted: polls for a while, or until a secret changed; then probes the destination where it was the reason."""
        until = self._now() + PROBE_SECONDS
        if self._standing.curable:
            self._secrets.refresh()
        await self.polling(consumer, lambda: self._now() < until and not self._may_be_cured, None)
        if self._standing.curable and not self._stop.is_set():
            self._secrets.refresh()
            self._tried = self._secrets.version
            answer = await self._destination.sink.probe()
            if isinstance(answer, Delivered) and self._standing.curable:  # still: something worse may have come up
                self._standing.resume()
                self._wake()

    @property
    def _may_be_cured(self) -> bool:
        return self._standing.curable and self._secrets.version != self._tried

    async def for_topic(self) -> None:
        """Halted before it joined: looks again after a while."""
        if not await self._stopped_within(PROBE_SECONDS):
            self._standing.resume()

    async def for_schema(self, needed: WaitError, consumer: Consumer) -> None:
        """Until the first record that is left can be read; goes on polling where that takes long."""
        self._standing.rest("schema_registry")
        self._wake()
        try:
            await self._for_answer(asyncio.ensure_future(needed.ready()), "schema_registry", consumer)
        except HaltError as error:
            self._standing.halt(error.reason, message=str(error), curable=error.curable)

    async def for_state(self, ask: Callable[[], Awaitable[None]], consumer: Consumer) -> None:
        """Until the last-delivered state has answered; goes on polling where that takes long."""
        await self._for_answer(asyncio.ensure_future(_insist(ask)), "state", consumer)

    async def _for_answer(self, answer: asyncio.Future[None], why: Why, consumer: Consumer) -> None:
        """Until it is there, or nothing goes on. Raises what it raises."""
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            for seconds in (POLL_SECONDS, self._patience(consumer) - POLL_SECONDS):
                await asyncio.wait((answer, stopping), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                if not answer.done():
                    self._standing.rest(why)
            if not answer.done():
                still = lambda: not answer.done() and self._standing.halted is None  # noqa: E731  said once
                await self.polling(consumer, still, why)
            if answer.done():
                answer.result()
        finally:
            answer.cancel()
            stopping.cancel()
            if not self._standing.takes:
                self._standing.rest(None)

    async def for_room(self, consumer: Consumer, is_full: Callable[[], bool], is_roomy: Callable[[], bool]) -> None:
        """Until the backlog is not full any more; once paused, until it is roomy."""
        deadline = self._now() + self._patience(consumer)
        while is_full() and self._now() < deadline:
            if await self._stopped_within(POLL_SECONDS):
                return
        if is_full():
            await self.polling(consumer, lambda: not is_roomy() and self._standing.halted is None, "backlog_full")

    async def polling(self, consumer: Consumer, still: Callable[[], bool], why: Why | None) -> None:
        """Keeps the membership with all partitions paused for as long as `still` says. `why`: what the lane shows; None
        for nothing but that it works."""
        await consumer.pause()
        self._standing.rest(why)
        try:
            while still() and not self._stop.is_set():
                assigned = set(consumer.assigned.values())
                self._intake.put_by(await consumer.take(1, POLL_SECONDS), consumer.assigned)
                if set(consumer.assigned.values()) != assigned:
                    await consumer.pause()
        finally:
            self._standing.rest(None)
            if not self._stop.is_set():
                await consumer.resume()

    async def outside(self, why: Callable[[], Why]) -> None:
        """Until `stop`, without having joined. `why`: what the lane shows."""
        while not await self._stopped_within(POLL_SECONDS):
            self._standing.rest(why())

    async def _stopped_within(self, seconds: float) -> bool:
        """Waits; whether `stop` came meanwhile."""
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True

    @staticmethod
    def _patience(consumer: Consumer) -> float:
        return min(PATIENCE_SECONDS, consumer.session_timeout / 4)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


async def _insist(ask: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await ask()
        except StateAwayError:
            await asyncio.sleep(AWAY_SECONDS)
