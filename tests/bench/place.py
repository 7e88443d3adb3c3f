"""Where the contenders run: a real Kafka with the changes on it, the sandbox, the drain, a folder for files.

Invariant: each is a process of its own and none is measured; all end with the `with` block.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tests.bench.encodings import Encoding
from tests.bench.load import PARTITIONS
from tests.bench.processes import run_to_end, serving
from tests.bench.workspace import Workspace
from tests.rig.client import Kafka
from tests.rig.server import KafkaServer

EMPTY = "bench.nothing"
"""The topic without records, for all encodings."""
SEED = 1


class Place(msgspec.Struct, frozen=True):
    """Addresses, and a folder for the runs' files."""

    bootstrap: str
    sandbox: str
    drain: str
    registry: str
    folder: Path

    def expected(self, encoding: Encoding) -> Path:
        """What the sandbox must hold after a run."""
        return self.folder / f"expected.{encoding}.json"

    def workspace(self, run: str) -> Workspace:
        """What the sandbox got in this run of the service."""
        return Workspace(f"{self.sandbox}/sandbox/braze/{run}")


@contextlib.contextmanager
def open_place() -> Iterator[Place]:
    """Starts everything; of the topics only the empty one is there."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stream-sync-bench-")))
        kafka = stack.enter_context(KafkaServer())
        Kafka(kafka.bootstrap).create_topic(EMPTY, PARTITIONS)
        sandbox = [sys.executable, "-m", "stream_sync", "sandbox", "--port", "0"]
        drain = [sys.executable, "-m", "tests.bench.drain"]
        registry = [sys.executable, "-m", "tests.bench.registry"]
        yield Place(
            kafka.bootstrap,
            stack.enter_context(serving(sandbox, folder / "sandbox.log")),
            stack.enter_context(serving(drain, folder / "drain.log")),
            stack.enter_context(serving(registry, folder / "registry.log")),
            folder,
        )


def topic_of(encoding: Encoding) -> str:
    """The topic with the changes in this encoding."""
    return f"bench.customers.{encoding}"


def load(place: Place, encoding: Encoding, changes: int, people: int) -> None:
    """Fills the topic of an encoding."""
    wanted = {
        "--bootstrap": place.bootstrap,
        "--topic": topic_of(encoding),
        "--encoding": encoding,
        "--changes": changes,
        "--people": people,
        "--seed": SEED,
        "--expected": place.expected(encoding),
    }
    run_to_end([sys.executable, "-m", "tests.bench.load", *(str(word) for pair in wanted.items() for word in pair)])


def check(place: Place, workspace: Workspace, encoding: Encoding) -> None:
    """Raises BenchError with the first differences; the workspace is emptied where there are none."""
    run_to_end(check_command(place, workspace, encoding))
    workspace.clear()


def check_command(place: Place, workspace: Workspace, encoding: Encoding) -> Sequence[str]:
    """Ends with 1 where somebody is wrong."""
    return [sys.executable, "-m", "tests.bench.check", str(place.expected(encoding)), workspace.address]
