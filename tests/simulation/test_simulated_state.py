"""The last-delivered state among pods that die, lose partitions, and find it away, restored or gone: in the end the
destination is as the table.

Invariant: a wrong "unchanged", or a wrong Delete, shows as a person who is not as their row."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest

from stream_sync.delivery.notices import Notices
from stream_sync.errors import StateAwayError
from stream_sync.state.attachment import Subject
from stream_sync.state.last import LastDelivered
from stream_sync.state.sqlite import SqliteStore
from stream_sync.state.sqlite_file import SqliteFile
from stream_sync.state.store import Scope
from tests.simulation.account import StrictSink
from tests.simulation.world import STARTED, Pod, World, simulate

Made = TypeVar("Made")
PEOPLE = 12
STEPS = 60
SEEDS = (1, 104, 120, 124)
"""Some of them show what a claim that is not heeded, or a trust that is not asked for, would do."""


class Inline(SqliteFile):
    """Asked on the loop itself: virtual time waits for no thread."""

    def __init__(self, path: Path, random: Random, stage: Stage) -> None:
        super().__init__(path)
        self._random = random
        self._stage = stage

    async def do(self, work: Callable[[sqlite3.Connection], Made]) -> Made:
        await asyncio.sleep(0.01 * self._random.random())
        if self._stage.is_away or self._random.random() < self._stage.failing:
            raise StateAwayError("away")
        made = work(self._opened())
        await asyncio.sleep(0.01 * self._random.random())
        return made


class Stage:
    """A world with a state, and what can happen to that."""

    def __init__(self, seed: int, folder: Path, activations: int = 1) -> None:
        self.random = Random(seed)
        self.is_away = False
        self.failing = 0.0
        self.world = World(seed, activations=activations, after=2.0)
        self.world.before = "key"
        self.world.poll_seconds = 0.5
        self.world.activation = self.world.activation.model_copy(update={"where": "score > 0"})
        self.world.is_member = lambda row: row["score"] > 0
        self.world.remember = self._remember
        self._file = folder / "state.db"
        self._copy = folder / "copy.db"
        self._files: list[Inline] = []
        self.warned: list[str] = []

    def _remember(self, name: str, sink: StrictSink, notices: Notices, log: Callable[..., None]) -> LastDelivered:
        loop = asyncio.get_running_loop()
        file = Inline(self._file, self.random, self)
        store = SqliteStore(file, clock=lambda: STARTED + loop.time(), doubt_seconds=60.0)
        self._files.append(file)

        def warn(code: str, of: str) -> None:
            self.warned.append(code)
            notices.add(code, of)

        subject = Subject(Scope("account", name), is_mirror=True, reduces=True)
        return LastDelivered(store, subject, b"", sink.send, warn, log)

    def write(self) -> None:
        who = f"p{self.random.randrange(PEOPLE)}"
        if who in self.world.rows and self.random.random() < 0.15:
            self.world.delete(who)
        else:
            self.world.write(who, name=self.random.choice("abc"), score=self.random.randrange(3))

    def start(self) -> Pod:
        return self.world.start()

    def die(self) -> None:
        if self.world.pods:
            self.random.choice(self.world.pods).die()

    def back_up(self) -> None:
        if self._file.exists():
            source, target = sqlite3.connect(self._file), sqlite3.connect(self._copy)
            source.backup(target)
            source.close()
            target.close()

    def restore(self) -> None:
        """Everybody dies, and the file is as it was once, or gone."""
        for pod in tuple(self.world.pods):
            pod.die()
        self.shut()
        for suffix in ("", "-wal", "-shm"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
        if self._copy.exists():
            self._file.write_bytes(self._copy.read_bytes())

    def shut(self) -> None:
        for file in self._files:
            file._shut()
        self._files.clear()

    async def happen(self, *, loses: bool) -> None:
        random, account = self.random, self.world.account
        events: dict[str, Callable[[], Any]] = {
            "start": lambda: self.start() if len(self.world.pods) < 3 else None,
            "die": self.die,
            "lose": lambda: random.choice(self.world.pods).lose_everything() if self.world.pods else None,
            "away": lambda: setattr(self, "is_away", True),
            "back": lambda: setattr(self, "is_away", False),
            "flaky": lambda: setattr(self, "failing", random.choice((0.0, 0.2))),
            "fail": lambda: setattr(account, "failing", random.choice((0.0, 0.0, 0.3))),
            "refuse": lambda: account.refused.symmetric_difference_update({f"p{random.randrange(PEOPLE)}"}),
        }
        if loses:
            events |= {"back up": self.back_up, "restore": self.restore}
        for _ in range(STEPS):
            for _ in range(random.randrange(4)):
                self.write()
            if random.random() < 0.5:
                events[random.choice(list(events))]()
            await asyncio.sleep(random.choice((0.05, 0.3, 2.0, 30.0)))
        self.is_away, self.failing, account.failing = False, 0.0, 0.0
        account.refused.clear()
        if not self.world.pods:
            self.start()
        for who in range(PEOPLE):  # whom the account refused is written once more
            if f"p{who}" in self.world.rows:
                self.world.write(f"p{who}", name="z")
        await self.world.settled()


def run(seed: int, folder: Path, *, loses: bool) -> Stage:
    stage = Stage(seed, folder)

    async def course(_world: World) -> None:
        stage.start()
        try:
            await stage.happen(loses=loses)
        finally:
            stage.shut()

    simulate(stage.world, course)
    return stage


@pytest.mark.parametrize("seed", SEEDS)
def test_in_the_end_the_destination_is_as_the_table_and_who_left_is_gone(seed: int, tmp_path: Path) -> None:
    stage = run(seed, tmp_path, loses=False)

    assert stage.world.wrong == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_state_that_was_lost_or_restored_is_never_believed(seed: int, tmp_path: Path) -> None:
    stage = run(seed, tmp_path, loses=True)

    left = [who for who in stage.world.account.people if not stage.world.is_member(stage.world.rows.get(who, NOBODY))]
    wrong = [text for text in stage.world.wrong if text.split()[0] not in left]
    assert wrong == []
    if left:
        assert "state_forgotten" in stage.warned, "who stays is told of"


NOBODY = {"score": 0}
