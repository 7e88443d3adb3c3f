"""How much memory the service takes with a long backlog and slow destinations: `python -m tests.bench.memory`, by hand.

Lanes read the same topic, each for an account of its own that takes a few requests a second, so that every backlog in
memory fills up and the rest waits in Kafka. Memory is the kernel's figure for the service's process, Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from tests.bench.contenders import config_of
from tests.bench.place import Place, load, open_place, topic_of
from tests.bench.processes import BenchError

LIMIT = 300.0
"""MB, of three lanes."""
LOOK_SECONDS = 0.2
console = Console(stderr=True)


class Memory(msgspec.Struct, frozen=True):
    """Of one process. `early` and `late`: the most in the second quarter of the time, and in the last, in MB; `peak`:
    ever."""

    lanes: int
    early: float
    late: float
    peak: float
    in_memory: int
    """Intents."""
    in_kafka: int
    """Records that the lanes have not taken yet."""


def many_lanes(config: Mapping[str, Any], lanes: int, rate_limit: str, addresses: str) -> dict[str, Any]:
    """The bench's config with its one activation so many times. `addresses`: of the accounts, with `{}` for the lane's
    number."""
    (activation,) = config["activations"].values()
    (destination,) = config["destinations"].values()
    numbers = range(lanes)
    accounts = {f"d{n}": {**destination, "url": addresses.format(n), "rate_limit": rate_limit} for n in numbers}
    return {
        **config,
        "name": "memory",
        "destinations": accounts,
        "activations": {f"lane-{n}": {**activation, "destination": f"d{n}"} for n in numbers},
    }


def rss(pid: int) -> float:
    """MB that a process holds now."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1000 if found else 0.0


def measure(command: list[str], log: Path, lanes: int, seconds: float) -> Memory:
    """Runs the service for a while, then ends it in order."""
    with running(command, log) as child:
        began, seen = time.monotonic(), list[tuple[float, float]]()
        while (passed := time.monotonic() - began) < seconds:
            if child.poll() is not None:
                raise BenchError(f"ended with {child.returncode}:\n{log.read_text()[-3000:]}")
            seen.append((passed / seconds, rss(child.pid)))
            time.sleep(LOOK_SECONDS)
        metrics = scrape(log)
    return Memory(
        lanes,
        early=max(held for at, held in seen if 0.25 <= at < 0.5),
        late=max(held for at, held in seen if at >= 0.75),
        peak=max(held for _, held in seen),
        in_memory=total(metrics, "pending_intents"),
        in_kafka=total(metrics, "lag_records"),
    )


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(40)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def scrape(log: Path) -> str:
    """The metrics of the service that writes this log."""
    found = re.search(r"http://[0-9.:]+", log.read_text())
    if found is None:
        raise BenchError(f"the service did not say its address:\n{log.read_text()[-3000:]}")
    with urllib.request.urlopen(f"{found[0]}/metrics", timeout=30) as answer:  # noqa: S310  the service's own address
        body: bytes = answer.read()
    return body.decode()


def total(metrics: str, name: str, label: str = "") -> int:
    """The sum of a gauge over its labels, or over those with one that is `label="value"`."""
    found = re.findall(rf"^stream_sync_{name}{{(.*)}} (\S+)$", metrics, re.MULTILINE)
    return sum(int(float(value)) for labels, value in found if label in labels)


def _run(place: Place, lanes: int, args: argparse.Namespace) -> Memory:
    wanted = config_of(place, "json", topic_of("json"))
    config = many_lanes(wanted, lanes, args.rate_limit, f"{place.sandbox}/braze/m{lanes}-{{}}")
    path = place.folder / f"memory-{lanes}.yaml"
    path.write_bytes(msgspec.json.encode(config))
    console.print(f"{lanes} lanes for {args.seconds:.0f} s …")
    command = [sys.executable, "-m", "stream_sync", "run", "-c", str(path)]
    return measure(command, place.folder / f"memory-{lanes}.log", lanes, args.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.memory", description=__doc__, allow_abbrev=False)
    parser.add_argument("--changes", type=int, default=1_000_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--lanes", type=int, nargs="+", default=[3, 10], metavar="N", help="default: 3 10")
    parser.add_argument("--seconds", type=float, default=90.0, metavar="S", help="for each; default: %(default)s")
    parser.add_argument("--rate-limit", default="4/1s", metavar="R", help="of each account; default: %(default)s")
    args = parser.parse_args()
    os.environ["BENCH_RUN"] = "memory"
    with open_place() as place:
        console.print(f"Loading {args.changes:,} changes …")
        load(place, "json", args.changes, args.changes // 2)
        found = [_run(place, lanes, args) for lanes in args.lanes]
    print(f"{args.changes:,} changes; each account takes {args.rate_limit}, 75 people a request")
    print("lanes  2nd quarter  last quarter  peak    intents in memory  records in Kafka")
    for each in found:
        held = f"{each.early:8.0f} MB  {each.late:9.0f} MB  {each.peak:4.0f} MB"
        print(f"{each.lanes:5}  {held}  {each.in_memory:17,}  {each.in_kafka:16,}")
    if any(each.lanes <= 3 and each.peak > LIMIT for each in found):
        sys.exit(f"over {LIMIT:.0f} MB")


if __name__ == "__main__":
    main()
