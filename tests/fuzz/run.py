"""`make fuzz`: a million damaged records through every decoder. Never a crash, a hang, a second for a megabyte.

Invariants: an input is known by the run's seed and its number, and `--only NUMBER` runs it again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import FrameType

from tests.formats.reading import Held
from tests.fuzz.mutations import MEGABYTE, mutated
from tests.fuzz.targets import COLUMNS, targets
from tests.fuzz.trial import trial

HANGS = 20
"""Seconds after which an input counts as hanging."""
SECONDS_PER_MEGABYTE = 1.0
MOST_MEMORY = 1024
"""Megabytes of a process, its fixtures included."""
CHUNK = 2_000


@dataclass
class Seen:
    """What became of some inputs."""

    results: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By target and result."""
    slowest: dict[str, tuple[float, int, int]] = field(default_factory=dict)
    """By target: seconds, bytes, number."""
    failures: list[str] = field(default_factory=list)
    memory: int = 0
    """Megabytes, the most that a process had."""

    def add(self, other: Seen) -> None:
        self.results += other.results
        for name, slow in other.slowest.items():
            self.slowest[name] = max(slow, self.slowest.get(name, slow))
        self.failures += other.failures
        self.memory = max(self.memory, other.memory)


def fuzz(seed: int, numbers: Iterable[int]) -> Seen:
    """Runs these inputs."""
    seen = Seen()
    readers = [(target, target.open()) for target in targets()]
    signal.signal(signal.SIGALRM, _hang)
    for number in numbers:
        rng = random.Random(f"{seed}:{number}")
        target, decoders = readers[number % len(readers)]
        record = mutated(rng.choice(target.records), rng)
        held = Held(record.value, record.key, record.headers)
        started = time.thread_time()
        try:
            signal.setitimer(signal.ITIMER_REAL, HANGS)
            result = trial(rng.choice(decoders), held, COLUMNS)
        except Exception:  # noqa: BLE001  whatever it is, it is what is looked for
            result = "FAILED"
            seen.failures.append(f"input {number} ({target.name}):\n{traceback.format_exc(limit=-4)}")
        took = time.thread_time() - started
        signal.setitimer(signal.ITIMER_REAL, 0)
        size = len(record.value or b"") + len(record.key or b"")
        seen.results[target.name, result] += 1
        seen.slowest[target.name] = max(seen.slowest.get(target.name, (0.0, 0, 0)), (took, size, number))
        if took > SECONDS_PER_MEGABYTE * max(1.0, size / MEGABYTE):
            seen.failures.append(f"input {number} ({target.name}): {took:.2f} s for {size} bytes")
    seen.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return seen


def table(seen: Seen, seconds: float) -> str:
    """The report."""
    results = sorted({result for _, result in seen.results}, key=lambda r: (r not in ("change", "no change"), r))
    rows = [["", "inputs", *results, "slowest"]]
    for name in dict.fromkeys(name for name, _ in seen.results):
        counts = [seen.results[name, result] for result in results]
        took, size, _ = seen.slowest[name]
        slow = f"{took * 1000:.0f} ms ({size / 1000:.0f} kB)"
        rows.append([name, f"{sum(counts):,}", *(f"{count:,}" for count in counts), slow])
    turned = list(zip(*rows, strict=True))  # there are more results than targets
    widths = [max(len(row[column]) for row in turned) for column in range(len(turned[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in turned]
    total = seen.results.total()
    lines.append(f"\n{total:,} inputs in {seconds:.0f} s; at most {seen.memory} MB in a process")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="run this input again")
    args = parser.parse_args(arguments)
    chunks: list[Iterable[int]] = [range(at, min(at + CHUNK, args.inputs)) for at in range(0, args.inputs, CHUNK)]
    if args.only is not None:
        chunks = [(args.only,)]
    started, seen = time.monotonic(), Seen()
    with multiprocessing.get_context("fork").Pool(args.processes) as pool:
        for done, part in enumerate(pool.imap_unordered(_chunk, ((args.seed, chunk) for chunk in chunks)), start=1):
            seen.add(part)
            if done % 50 == 0:
                print(f"{done * CHUNK:,} inputs", file=sys.stderr, flush=True)
    print(table(seen, time.monotonic() - started))
    for failure in seen.failures[:20]:
        print(f"\n{failure}")
    if seen.failures:
        print(f"\n{len(seen.failures)} failures; again: make fuzz FUZZ_ARGS='--seed {args.seed} --only NUMBER'")
    if seen.memory > MOST_MEMORY:
        print(f"\nmore than {MOST_MEMORY} MB")
    return 1 if seen.failures or seen.memory > MOST_MEMORY else 0


def _chunk(work: tuple[int, Iterable[int]]) -> Seen:
    return fuzz(*work)


def _hang(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"not done within {HANGS} s")


if __name__ == "__main__":
    sys.exit(main())
