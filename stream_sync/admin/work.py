"""Replays, releases and discards that somebody asked the console for: one at a time, beside the lanes.

Invariants:
- What is sent goes through the destinations of this process's lanes: within their limits, no person twice at once.
- Nobody is deleted, and no held delete dropped, beyond the number that was agreed to.
- At most MOST_LETTERS letters a job: the rest stays open for the next one. The latest jobs are remembered.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Protocol

from stream_sync.admin import views
from stream_sync.admin.lanes import utc
from stream_sync.config.settings import Config
from stream_sync.delivery.destination import Destination
from stream_sync.errors import StreamSyncError
from stream_sync.kafka.marks import Marks
from stream_sync.kafka.put_aside import PutAside
from stream_sync.replay.desk import Desk, dead_letters, parked
from stream_sync.replay.replay import GOOD_FATES
from stream_sync.replay.selection import Selection
from stream_sync.replay.settled import settle_held

MOST_LETTERS = 10_000
MOST_JOBS = 20
CLOSING_SECONDS = 5.0
STOPPED = "stopped before it was done: what is left stays open"


class BusyError(Exception):
    """Another job is under way."""


class Worker(Protocol):
    """Does what is asked for; `Work`."""

    def start(self, activation: str, action: views.Action, order: views.Order) -> views.Job:
        """Begins. Raises BusyError."""

    def stop(self, number: int) -> views.Job | None:
        """Ends a job early, None where there is none of that number. What is in flight is not taken back."""

    def jobs(self) -> list[views.Job]:
        """The latest first."""

    async def close(self) -> None:
        """Ends what is under way."""


class Running:
    """One job; also the `desk.Watch` of its replay."""

    def __init__(self, number: int, activation: str, action: views.Action, order: views.Order) -> None:
        self.number = number
        self.activation = activation
        self.action = action
        self.order = order
        self.task: asyncio.Task[None] | None = None
        self.letters = 0
        self.planned: Counter[str] = Counter()
        self.results: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self._read = self._sent = 0
        self._started_at = _now()
        self._ended: tuple[views.End, str, str] | None = None

    def read(self, count: int) -> None:
        """See `desk.Watch`."""
        self._read += count

    def sent(self, count: int) -> None:
        """See `desk.Watch`."""
        self._sent += count

    @property
    def is_over(self) -> bool:
        """Whether it ended."""
        return self._ended is not None

    def end(self, state: views.End, message: str) -> None:
        """It is over."""
        self._ended = (state, message, _now())

    def view(self) -> views.Job:
        """As the API shows it."""
        state, message, ended_at = self._ended or ("running", "", None)
        return views.Job(
            id=self.number,
            activation=self.activation,
            action=self.action,
            dry_run=self.order.dry_run,
            state=state,
            started_at=self._started_at,
            ended_at=ended_at,
            records_read=self._read,
            people_sent=self._sent,
            letters=self.letters,
            planned=dict(self.planned),
            results=dict(self.results),
            reasons=dict(self.reasons),
            message=message,
        )


class Work:
    """Does them with `replay/`."""

    def __init__(self, config: Config, lent: Callable[[], Mapping[str, Destination]], log: Callable[..., None]) -> None:
        """`lent`: the destinations of this process's lanes."""
        self._config = config
        self._lent = lent
        self._log = log
        self._jobs: deque[Running] = deque(maxlen=MOST_JOBS)
        self._count = 0

    def start(self, activation: str, action: views.Action, order: views.Order) -> views.Job:
        """See `Worker.start`."""
        if self._jobs and not self._jobs[-1].is_over:
            raise BusyError
        self._count += 1
        job = Running(self._count, activation, action, order)
        self._jobs.append(job)
        job.task = asyncio.create_task(self._do(job))
        job.task.add_done_callback(lambda _: None if job.is_over else job.end("failed", STOPPED))  # before it began
        return job.view()

    def stop(self, number: int) -> views.Job | None:
        """See `Worker.stop`."""
        for job in self._jobs:
            if job.number == number:
                self._cancel(job)
                return job.view()
        return None

    def jobs(self) -> list[views.Job]:
        """See `Worker.jobs`."""
        return [job.view() for job in reversed(self._jobs)]

    async def close(self) -> None:
        """See `Worker.close`."""
        running = [job.task for job in self._jobs if job.task is not None and not job.is_over]
        for job in self._jobs:
            self._cancel(job)
        if running:
            await asyncio.wait(running, timeout=CLOSING_SECONDS)

    @staticmethod
    def _cancel(job: Running) -> None:
        if job.task is not None and not job.is_over:
            job.task.cancel()

    async def _do(self, job: Running) -> None:
        # Said last: who is told that a job is over may ask for the next one at once.
        end: tuple[views.End, str] = ("failed", STOPPED)
        try:
            end = await (self._discard(job) if job.action == "discard" else self._send(job))
        except StreamSyncError as error:
            end = ("failed", str(error))
        except Exception as error:  # noqa: BLE001  a job of the console must not end the service
            self._log("console_job_failed", job=job.number, error=type(error).__name__, exc_info=error)
            end = ("failed", f"it failed ({type(error).__name__}); the log has more, and what is left stays open")
        finally:
            job.end(*end)

    async def _send(self, job: Running) -> tuple[views.End, str]:
        order, release = job.order, job.action == "release"
        put_aside = (parked if release else dead_letters)(self._config, job.activation)
        selection = Selection(order.code, None, None, order.partition, order.offset)
        lent = self._lent()
        async with Desk(self._config, job.activation, job, release=release, agreed=order.agreed, lent=lent) as desk:
            await desk.gather(put_aside, selection, MOST_LETTERS)
            job.letters = len(desk.letters)
            if not desk.letters:
                return "done", f"nothing is open in {put_aside.topic}"
            if order.dry_run:
                planned = await desk.plan()
                job.planned["writes"] = 0 if release else len(planned.writes)
                job.planned["deletes"] = sum(map(len, planned.deletes.values()))
                job.planned.update(each.fate for each in planned.results.values())
                job.planned.update(each.fate for each in desk.letters.values() if each is not None)
                return "done", "this is what would be sent now"
            results = await desk.run()
            marks = desk.marks(put_aside, results)
        message = ""
        if release:
            message = await _settled(put_aside, marks)
        else:
            await put_aside.mark(marks)
        job.results.update(each.fate for each in results.values())
        job.reasons.update(each.code or each.fate for each in results.values() if each.fate not in GOOD_FATES)
        return "incomplete" if job.reasons else "done", message

    async def _discard(self, job: Running) -> tuple[views.End, str]:
        put_aside = parked(self._config, job.activation)
        async for _letter in put_aside.read():
            job.letters += 1
        if job.order.dry_run or not job.letters:
            return "done", "" if job.letters else f"nothing is held in {put_aside.topic}"
        if job.order.agreed is not None and job.letters > job.order.agreed:
            job.reasons["more_than_agreed"] = job.letters
            return "incomplete", f"{job.letters} deletes are held by now: look again before they are dropped"
        marks = {number: Marks(end) for number, end in put_aside.ends.items() if end > 0}
        message = await _settled(put_aside, marks)
        job.results["discarded"] = job.letters
        return "done", message


async def _settled(put_aside: PutAside, marks: Mapping[int, Marks]) -> str:
    left = await settle_held(put_aside, marks)
    said = []
    if left.not_erased:
        said.append(
            f"the topic keeps what is done with, since deleting its records is refused ({left.not_erased}): after "
            "`offsets.retention.minutes` deletes are held again"
        )
    if left.more:
        said.append(f"{left.more} more came to be held meanwhile: nothing opens before they are decided as well")
    return "; ".join(said)


def _now() -> str:
    return utc(time.time())
