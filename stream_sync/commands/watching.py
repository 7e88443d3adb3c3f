"""How far a command is that reads the source and sends, shown where somebody watches.

Invariants: only on a terminal, on stderr; what was shown is gone when the command ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

SENT = ", {task.fields[sent]} people sent"


class Watching:
    """Shows on a terminal how far it is; see `desk.Watch`."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", read=0, sent=0, total=None)
        self._read = self._sent = 0

    def read(self, count: int) -> None:
        """See `desk.Watch`."""
        self._read += count
        self._progress.update(self._task, read=self._read)

    def sent(self, count: int) -> None:
        """See `desk.Watch`."""
        self._sent += count
        self._progress.update(self._task, sent=self._sent)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Shows nothing while somebody is asked."""
        self._progress.stop()
        yield
        self._progress.start()


@contextmanager
def watching(*, sends: bool = True) -> Iterator[Watching]:
    """Shows how far it is while the block runs, where somebody watches. `sends`: whether anybody is sent."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.fields[read]} records read" + SENT * sends))
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield Watching(progress)
