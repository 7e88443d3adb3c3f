"""Everything that replaying or releasing the letters of one activation needs, wired.

Invariants: what is opened here is closed here; two commands at once do no harm beyond sending twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Protocol, Self

from stream_sync.config.settings import Activation, Config
from stream_sync.delivery.destination import Destination
from stream_sync.journal import Journals
from stream_sync.kafka.forward import Forward
from stream_sync.kafka.held import HeldTopic
from stream_sync.kafka.held import topic_of as held_topic
from stream_sync.kafka.letter_topics import dead_letter_topic
from stream_sync.kafka.letters import Letters
from stream_sync.kafka.marks import Marks, marked
from stream_sync.kafka.outcomes import Work
from stream_sync.kafka.properties import admin_properties, consumer_properties, producer_properties
from stream_sync.kafka.put_aside import Kept, Letter, PutAside
from stream_sync.model import Intent, Record
from stream_sync.observability import logs
from stream_sync.observability.metrics import Metrics, Registry
from stream_sync.replay.claims import Claims
from stream_sync.replay.recognising import recognise
from stream_sync.replay.replay import EXPIRED, GOOD_FATES, Planned, Replay, Result
from stream_sync.replay.rows import Deciphering, Rows
from stream_sync.replay.selection import Selection
from stream_sync.replay.sending import Sender, Sending
from stream_sync.routing.newest import Folding
from stream_sync.wiring import RunOptions, Wiring

NO_KEY = Result("unsettled", "no_key", "a record without a key is of no row that could be looked up")
OTHER_TOPIC = Result("unsettled", "other_topic", "the source of the config is another topic than the letter's")


class Watch(Protocol):
    """Is told how far it is."""

    def read(self, count: int) -> None:
        """So many more records of the source were read."""

    def sent(self, count: int) -> None:
        """So many more people were sent."""


def dead_letters(config: Config, activation: str) -> PutAside:
    """The dead letters of an activation."""
    return _put_aside(config, dead_letter_topic(config.name, activation))


def parked(config: Config, activation: str) -> PutAside:
    """The parked Deletes of an activation."""
    return _put_aside(config, held_topic(config.name, activation))


def _put_aside(config: Config, topic: str) -> PutAside:
    return PutAside(consumer_properties(config.kafka), admin_properties(config.kafka), topic)


class Desk:
    """`async with Desk(…) as desk`: the letters of one activation and what sends their rows.
    `gather` or `want`, then `plan`, then `run`."""

    def __init__(
        self,
        config: Config,
        activation: str,
        watch: Watch,
        *,
        release: bool = False,
        agreed: int | None = None,
        lent: Mapping[str, Destination] | None = None,
    ) -> None:
        """`release`: of parked Deletes; else a replay of dead letters. `agreed`: how many people may be deleted at
        most, None = whatever else allows it. `lent`: the destinations of the lanes of this process, where there are
        such."""
        self._config = config
        self._name = activation
        self._watch = watch
        self._release = release
        self._agreed = agreed
        self._lent = lent
        self._settings: Activation = config.activations[activation]
        self.letters: dict[Letter, Result | None] = {}
        """Those that are wanted; the result of those that need no row."""
        self._open: dict[int, list[int]] = {}
        """The offsets of the letters that were open when `gather` read them, by partition."""
        self._log: Callable[..., None] = logs.logger(activation=activation).warning

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            await self._open_all(opened)
            self._opened = opened.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._opened.aclose()

    async def _open_all(self, opened: AsyncExitStack) -> None:
        config, name, settings = self._config, self._name, self._settings
        kafka = consumer_properties(config.kafka)
        self._producer = Letters(producer_properties(config.kafka), admin_properties(config.kafka), self._log)
        opened.callback(self._producer.close)
        self._wiring = Wiring(config, Metrics(Registry()), self._producer, RunOptions((name,)), self._lent)
        opened.push_async_callback(self._wiring.close)
        self._held = HeldTopic(admin_properties(config.kafka), held_topic(config.name, name), self._log)
        opened.push_async_callback(asyncio.to_thread, self._held.close)
        parts = self._wiring.parts(name)
        self._topic = parts.source.topic
        group = f"{config.name}.{name}.replay"
        rows, claims = Forward(kafka, self._topic, group), Forward(kafka, self._topic, group)
        opened.push_async_callback(rows.close)
        opened.push_async_callback(claims.close)
        folding = Folding(
            parts.plan, parts.router, settings.mode, parts.notices.add, before_full=parts.source.shows_before
        )
        decipher = Deciphering(parts, parts.source.key)
        self.rows = Rows(rows, folding, decipher, self._watch.read)
        sending = Sending(name, settings.mode, settings.batch.max_records, settings.dead_letters.max_consecutive)
        shared = self._lent is not None
        last = self._wiring.last_delivered(name, parts.destination, parts.notices.add)
        if last is not None:
            lane = Forward(kafka, self._topic, f"{config.name}.{name}")
            opened.push_async_callback(lane.close)
            await recognise(last, await lane.committed())
        journals = Journals(config)
        opened.push_async_callback(journals.close)
        partitions = len(await rows.bounds())
        work: Work = "release" if self._release else "replay"
        journal = journals.of(name, parts.notices.add, lambda: partitions, work)
        self._sender = Sender(
            sending, parts.destination, parts.metrics, self._log, shared=shared, journal=journal, last=last
        )
        await opened.enter_async_context(self._sender)
        self._replay = Replay(
            self.rows,
            Claims(claims, folding, decipher, self._watch.read),
            self._sender,
            self._withhold,
            self._watch.sent,
            delete_after=settings.deletes.after if settings.deletes else 0.0,
            writes=not self._release,
            known=_all_known if self._release else None if last is None else last.known,
        )

    async def gather(
        self, put_aside: PutAside, selection: Selection, limit: int | None = None, *, force: bool = False
    ) -> None:
        """Wants the open letters that are meant; of more than `limit` those that come first. `force`: as `want`."""
        async for letter, record in put_aside.read():
            self._open.setdefault(letter.partition, []).append(letter.offset)
            if selection.has(letter) and (limit is None or len(self.letters) < limit):
                await self.want(letter, record, force=force)

    def marks(self, put_aside: PutAside, results: Mapping[Letter, Result]) -> dict[int, Marks]:
        """What is done with now, of the letters that `gather` read."""
        done = {(letter.partition, letter.offset) for letter, result in results.items() if result.fate in GOOD_FATES}
        return {
            number: marked([offset for offset in self._open.get(number, ()) if (number, offset) not in done], end)
            for number, end in put_aside.ends.items()
            if end > 0
        }

    async def want(self, letter: Letter, record: Record, *, force: bool = False) -> None:
        """Wants a letter's row. `force`: it goes by the letter's own copy where the source lost the record."""
        result = None
        if letter.key is None:
            result = NO_KEY
        elif letter.source_topic != self._topic:
            result = OTHER_TOPIC
        else:
            by_copy = (force or self._release) and not letter.is_cut
            await self.rows.want(letter, Kept(letter, record) if by_copy else None, force=force)
        self.letters[letter] = result

    async def plan(self) -> Planned:
        """What would be sent now."""
        return await self._replay.plan()

    async def run(self) -> dict[Letter, Result]:
        """Sends; what became of each letter."""
        results = await self._replay.run()
        return {
            letter: own if own is not None else results.get(letter.row, EXPIRED) for letter, own in self.letters.items()
        }

    async def _withhold(self, count: int) -> str | None:
        """Nobody is deleted beyond what was agreed to. A replay deletes no more than the budget lets a lane either, and
        nobody while a person has yet to decide."""
        if not self._release:
            if await self._held.unreleased():
                return "deletes_held"
            deletes = self._settings.deletes
            if deletes is not None and count > deletes.max:
                return "delete_budget"
        if self._agreed is not None:
            if count > self._agreed:
                return "more_than_agreed"
            self._agreed -= count
        return None


async def _all_known(deletes: Sequence[Intent]) -> list[bool]:
    """Of people whose Delete is parked: the state knew them then, and may have been lost since."""
    return [True] * len(deletes)
