"""`make soak`: everything at once for some minutes, then quiet, then the oracle's verdict.

    python -m tests.soak.run --minutes 10 --seed 7

Three processes with three lanes each, on a real broker, follow a table that changes all the time, while all that
`chaos` knows happens to them. Exit status 1 with the seed where any promise was broken, or where too little happened
for the verdict to mean anything.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.members import CANARY, command
from tests.oracle.destination import Oracle
from tests.rig.server import KafkaServer
from tests.soak.chaos import Chaos, unexcused
from tests.soak.report import Report
from tests.soak.world import MODES, ROWS, World, is_poison, until

PERIOD = 2.0
"""Mean seconds between two disturbances."""
CHANGES_PER_SECOND = 60
QUIET_LIMIT = 300.0
"""Seconds within which all must be delivered and committed once nothing disturbs any more."""
EMPTIED = 2300
"""Rows that are deleted at once in the end: more than the budget."""
REQUESTS_PER_MINUTE = 100
"""Less of them, or of disturbances than a quarter of what was meant: nothing is proven."""


class Soak:
    """One run."""

    def __init__(self, world: World, chaos: Chaos, seed: int, minutes: float) -> None:
        self.world = world
        self.chaos = chaos
        self.seed = seed
        self.minutes = minutes
        self.wrong: list[str] = []
        self.lost = 0
        self.held = 0

    async def run(self) -> Report:
        """The run's report; nothing of it runs any more."""
        self.world.source.fill(ROWS)
        watching = asyncio.create_task(self.chaos.watch())
        writing = asyncio.create_task(self._write())
        disturbing = asyncio.create_task(self.chaos.run(self.minutes * 60))
        try:
            done, _ = await asyncio.wait((disturbing, watching, writing), return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
            writing.cancel()
            await asyncio.to_thread(self.world.source.flush)
            print("quiet: waiting until all is delivered", flush=True)
            await self._quiet("after the disturbances")
            self._compare("after the disturbances", poisoned=True)
            await self._empty()
            watching.cancel()
            late = await self.chaos.end()
            self.wrong += [f"{member.log.name}: did not stop in order" for member in late]
            await self._replay()
        finally:
            for task in (writing, watching, disturbing):
                task.cancel()
            self.chaos.kill()
        return await self._report()

    async def _write(self) -> None:
        """The table changes, in bursts now and then."""
        dice = random.Random(self.seed + 1)
        while True:
            for _ in range(dice.choice((1, 2, 3, 3, 3, 20 if dice.random() < 0.1 else 3))):
                self.world.source.step()
            self.world.source.poll()
            await asyncio.sleep(3 / CHANGES_PER_SECOND)

    async def _quiet(self, when: str) -> None:
        if not await until(self.world.is_committed, QUIET_LIMIT):
            self.wrong.append(f"{when}: not all was delivered and committed within {QUIET_LIMIT:.0f} s")

    def _compare(self, when: str, *, poisoned: bool) -> None:
        for mode in MODES:
            differing = self.world.wrong(mode, poisoned=poisoned)
            self.lost += len(differing)
            self.wrong += [f"{when}, {mode}: {line}" for line in differing[:5]]

    async def _empty(self) -> None:
        """The table loses more rows than the budget allows: what is held back is held, and nobody else is gone."""
        source = self.world.source
        before = set(self.world.accounts["mirror"].people)
        for who in list(source.rows)[:EMPTIED]:
            source.delete(who)
        await asyncio.to_thread(source.flush)
        await self._quiet("after the table was emptied")
        people = set(self.world.accounts["mirror"].people)
        gone = set(self.world.expected("mirror"))
        kept = {
            (letter.key() or b"").decode()[7:-2]
            for letter in await asyncio.to_thread(self.world.letters, "mirror", "held")
        }
        self.held = len(kept)
        if not self.held:
            self.wrong.append("the table was emptied, and nothing was held")
        unexplained = (people - gone) - kept - source.poisoned
        self.wrong += [f"{who} is still there and not held" for who in sorted(unexplained)[:5]]
        print(f"emptied: {len(before - people)} deleted, {self.held} held", flush=True)

    async def _replay(self) -> None:
        """The cause is mended and the letters are replayed, the held deletes released: then all is as in the table."""
        self.world.cure()
        for mode in MODES:
            await self._command("replay", mode, "dlq", "replay")
        await self._command("release", "mirror", "held", "release", "--yes")
        self._compare("after replaying and releasing", poisoned=False)

    async def _command(self, name: str, mode: str, *arguments: str) -> None:
        who = f"{name}-{mode}"
        self.world.accounts[mode].journal.session(f"{CANARY}-key-of-{who}", time.monotonic())
        status, output = await command(self.world.config, self.world.folder, who, *arguments, "--activation", mode)
        if "Traceback" in output:
            self.wrong.append(f"{' '.join(arguments)} failed with status {status}: {output[-500:]}")
        (self.world.folder / f"{who}.log").write_text(output)

    async def _report(self) -> Report:
        world, chaos = self.world, self.chaos
        for member in chaos.all_members:
            member.tell(world.journals)
        verdicts = {mode: world.verdict(mode, chaos.woke) for mode in MODES}
        self.wrong += [f"{mode}: {line}" for mode, verdict in verdicts.items() for line in verdict.violations]
        self.wrong += world.source.failures
        self.wrong += await asyncio.to_thread(world.disorder)
        self.wrong += [line for member in chaos.all_members for line in member.findings]
        letters = 0
        for mode in MODES:
            found = await asyncio.to_thread(world.letters, mode)
            letters += len(found)
            bad = [letter for letter in found if not is_poison(letter)]
            self.wrong += [f"{mode}: {len(bad)} good records are dead letters"] if bad else []
        crossings = self._crossings()
        self._is_enough(sum(verdict.requests for verdict in verdicts.values()))
        return Report(
            seed=self.seed,
            minutes=self.minutes,
            faults=chaos.done,
            changes=world.source.version,
            verdicts=verdicts,
            lost=self.lost,
            letters=letters,
            held=self.held,
            processes=len(chaos.all_members),
            peak_mb=max((member.peak_kb for member in chaos.all_members), default=0) / 1000,
            crossings=crossings,
            violations=self.wrong,
        )

    def _crossings(self) -> int:
        """How many there were; those of processes that could know are violations."""
        crossings = [
            each for journal in self.world.journals.values() for each in journal.crossings
            if each.first.who != each.second.who
        ]  # fmt: skip
        bad = unexcused([each.second.arrived for each in crossings], self.chaos.excused)
        if bad:
            self.wrong.append(f"{bad} times a person was in requests of two processes at once")
        return len(crossings)

    def _is_enough(self, requests: int) -> None:
        wanted = self.minutes * 60 / PERIOD / 4
        if sum(self.chaos.done.values()) < wanted:
            self.wrong.append(f"void: {sum(self.chaos.done.values())} disturbances, at least {wanted:.0f} were meant")
        if requests < self.minutes * REQUESTS_PER_MINUTE:
            self.wrong.append(f"void: {requests} requests in {self.minutes:g} minutes")


async def soak(minutes: float, seed: int, folder: Path) -> Report:
    """Runs one."""
    dice = random.Random(seed)
    this = asyncio.current_task()
    assert this is not None
    # Whoever ends the soak ends its processes with it.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    with KafkaServer() as server:
        async with Oracle() as oracle:
            world = World(server, oracle, folder, dice)
            return await Soak(world, Chaos(world, random.Random(seed), PERIOD), seed, minutes).run()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None, help="of the dice; printed, so that it can be given again")
    parser.add_argument("--logs", type=Path, default=None, help="keep the service's logs in this folder")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"soak of {arguments.minutes:g} minutes with --seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="stream-sync-soak-") as temporary:
        folder = arguments.logs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = asyncio.run(soak(arguments.minutes, seed, folder))
    print(report.table())
    if report.violations:
        print("\n".join(report.violations))
        sys.exit(f"{len(report.violations)} violations; again with: --minutes {report.minutes:g} --seed {seed}")
    print("clean")


if __name__ == "__main__":
    main()
