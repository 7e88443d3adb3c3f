"""`make bench`: the service beside a loop that only decodes, on a real Kafka and the sandbox, in one run.

Invariants:
- Contenders run one after the other, each in a process of its own, and in turn: a slow minute of the machine hits all.
- A run of the service counts only if the sandbox then holds exactly the right people.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from tests.bench import report
from tests.bench.contenders import CONTENDERS, RUN, Contender
from tests.bench.encodings import Encoding
from tests.bench.load import PARTITIONS
from tests.bench.place import EMPTY, Place, check, check_command, load, open_place, topic_of
from tests.bench.processes import BenchError, Measured, measure, run_to_end
from tests.bench.profile import hottest

console = Console(stderr=True)
SHARE: Mapping[Encoding, int] = {"json": 1, "json-schema": 4, "avro": 4}
"""Each encoding has the changes divided by this: plain JSON is what the goals are about first, and time is limited."""


def main() -> None:
    args = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        console.print("Starting Kafka and the sandbox …")
        with open_place() as place:
            for encoding in dict.fromkeys(contender.encoding for contender in _chosen(args)):
                changes, people = _share(args, encoding)
                console.print(f"Loading {changes:,} changes of {people:,} people, {encoding} …")
                load(place, encoding, changes, people)
            if args.keep:
                _keep(place, args)
            elif args.profile:
                _profile(place, args)
            else:
                _bench(place, args)
    except BenchError as error:
        console.print(f"failed: {error}", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Options go into BENCH_ARGS=…", allow_abbrev=False)
    names = [contender.name for contender in CONTENDERS]
    parser.add_argument("--changes", type=int, default=300_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--people", type=int, metavar="N", help="rows that the table holds at first; default: N/2")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="rounds; default: %(default)s")
    parser.add_argument("--only", action="append", choices=names, help="only this one; may be given several times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured there")
    parser.add_argument(
        "--profile", type=Path, metavar="FILE", help="run the service once under py-spy; stacks go there"
    )
    parser.add_argument("--keep", action="store_true", help="keep everything up and say how to run each by hand")
    args = parser.parse_args()
    if min(args.changes, args.runs, args.people or 1) < 1:
        parser.error("--changes, --people and --runs are at least 1")
    args.people = args.people or max(1, args.changes // 2)
    return args


def _chosen(args: argparse.Namespace) -> list[Contender]:
    return [contender for contender in CONTENDERS if not args.only or contender.name in args.only]


def _share(args: argparse.Namespace, encoding: Encoding) -> tuple[int, int]:
    """How many changes of how many people."""
    return max(1, args.changes // SHARE[encoding]), max(1, args.people // SHARE[encoding])


def _bench(place: Place, args: argparse.Namespace) -> None:
    rounds = []
    for number in range(1, args.runs + 1):
        runs = {}
        for contender in _chosen(args):
            console.print(f"Round {number} of {args.runs}: {contender.name} …")
            changes, _ = _share(args, contender.encoding)
            empty = _run(place, contender, EMPTY, 0, f"{contender.name}-{number}-empty")
            full = _run(place, contender, topic_of(contender.encoding), changes, f"{contender.name}-{number}")
            runs[contender.name] = report.Run(changes, full, empty)
        rounds.append(runs)
    cores = os.cpu_count()
    fewer, _ = _share(args, "avro")
    loaded = f"{args.changes:,} changes ({fewer:,} with schema)"
    title = f"{loaded}, {PARTITIONS} partitions, {cores} cores, Python {platform.python_version()}"
    Console(width=None if sys.stdout.isatty() else 160).print(report.table(rounds, title))
    if args.json:
        about = {"changes": args.changes, "people": args.people, "cores": cores, "python": platform.python_version()}
        args.json.write_bytes(report.as_json(rounds, about))


def _run(place: Place, contender: Contender, topic: str, records: int, run: str) -> Measured:
    workspace = place.workspace(run)
    command = contender.command(place, contender.encoding, topic, records)
    delivers = contender.delivers and records > 0
    log = place.folder / f"{run}.log"
    try:
        if contender.prepare is not None:
            run_to_end(contender.prepare(place, topic, run))
        measured = measure(command, log, {RUN: run}, workspace.has_people if delivers else None)
        if delivers:
            check(place, workspace, contender.encoding)
    except BenchError as error:
        raise BenchError(f"{run}: {error}") from None
    return measured


def _profile(place: Place, args: argparse.Namespace) -> None:
    if (spy := shutil.which("py-spy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")) is None:
        raise BenchError(f"no py-spy found: `{sys.executable} -m pip install py-spy` gets it")
    service = next((contender for contender in _chosen(args) if contender.delivers), None)
    if service is None:
        raise BenchError("only a contender that delivers can be profiled: --only service, for instance")
    console.print(f"Running {service.name} under py-spy …")
    topic, (changes, _) = topic_of(service.encoding), _share(args, service.encoding)
    # Only what holds the interpreter: a thread that waits in a lock of C looks busy otherwise.
    recorder = [spy, "record", "--gil", "--format", "raw", "--rate", "500", "--output", str(args.profile), "--"]
    command = [*recorder, *service.command(place, service.encoding, topic, changes)]
    if service.prepare is not None:
        run_to_end(service.prepare(place, topic, "profile"))
    log = place.folder / "profile.log"
    measure(command, log, {RUN: "profile"})
    try:
        check(place, place.workspace("profile"), service.encoding)
    except BenchError as error:
        # The recorder's exit status is not the service's.
        raise BenchError(f"{error}\n{log.read_text()}") from None
    stacks = args.profile.read_text()
    total = sum(own for own, _, _ in hottest(stacks, sys.maxsize))
    print("  own %  with callees %  function")
    for own, with_callees, function in hottest(stacks):
        print(f"{own / total:7.1%}  {with_callees / total:14.1%}  {function}")


def _keep(place: Place, args: argparse.Namespace) -> None:
    print(f"Kafka {place.bootstrap}; sandbox {place.sandbox}; files {place.folder}\n")
    print(f"By hand, each run of the service with a new {RUN}; see what it did at {place.workspace('1').address}:\n")
    for contender in _chosen(args):
        topic, (changes, _) = topic_of(contender.encoding), _share(args, contender.encoding)
        before = f"{shlex.join(contender.prepare(place, topic, '1'))} && " if contender.prepare is not None else ""
        command = shlex.join(contender.command(place, contender.encoding, topic, changes))
        print(f"  {contender.name}: {before}{RUN}=1 {command}")
        if contender.delivers:
            print(f"  then: {shlex.join(check_command(place, place.workspace('1'), contender.encoding))}")
        print()
    print("Ctrl-C ends everything.", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
