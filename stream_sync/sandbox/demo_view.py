"""The demo as it is watched: a table that renews itself on a terminal, a plain line now and then elsewhere.

Invariants: shows what is given and works nothing out; what the terminal held before stays above it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stream_sync.sandbox.demo_config import Lane

PLAIN_SECONDS = 3.0
WIDE = 100
"""Columns of a terminal that has room for what the lines mean."""
LATEST = 6
"""How many of the latest changes are shown."""
_STATE_STYLES = {"running": "green", "paused": "yellow", "waiting": "yellow", "halted": "bold red"}


class LaneReading(NamedTuple):
    """One activation, measured. `behind`: the age in seconds of the oldest change that is not there yet; `p50` and
    `p95`: seconds that so many deliveries did not exceed."""

    lane: Lane
    changes: int
    intents: int
    unchanged: int
    requests: int
    people: int
    behind: float
    p50: float | None
    p95: float | None
    dead_letters: int
    state: str


class Moment(NamedTuple):
    """The demo at one moment. `elapsed` in seconds."""

    elapsed: float
    doing: str
    rows: int
    written: int
    latest: Sequence[str]
    lanes: Sequence[LaneReading]


class View:
    """`with View(console) as view:` shows each `Moment` given to `show`, and leaves the last one standing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._told_at = -math.inf

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, moment: Moment, *, last: bool = False) -> None:
        """`last`: nothing follows, so a plain line is due."""
        if self._live is not None:
            self._live.update(_picture(moment, is_wide=self._console.width >= WIDE), refresh=True)
        elif last or moment.elapsed - self._told_at >= PLAIN_SECONDS:
            self._told_at = moment.elapsed
            self._console.print(_line(moment), soft_wrap=True, highlight=False, markup=False)


def _picture(moment: Moment, *, is_wide: bool) -> RenderableType:
    top = Text.assemble(
        (f"{moment.elapsed:4.0f} s  ", "bold"),
        f"{moment.doing}\n",
        (f"        {moment.rows:,} rows in the warehouse, {moment.written:,} changes written to Kafka", "dim"),
    )
    table = Table(box=None, padding=(0, 2 if is_wide else 1, 0, 0))
    table.add_column("", no_wrap=True)
    for reading in moment.lanes:
        lane = reading.lane
        head = Text.assemble(lane.activation, (f"\n{lane.mode}", "dim"), f"\n{lane.vendor.capitalize()}")
        table.add_column(head, justify="right", no_wrap=True)
    if is_wide:
        table.add_column("", style="dim")
    for name, cell, meaning in _LINES:
        table.add_row(name, *(cell(lane) for lane in moment.lanes), *([_on_one_line(meaning)] if is_wide else []))
    latest = [_on_one_line(words, "dim") for words in moment.latest[-LATEST:]]
    return Group(top, Text(), table, Text(), *latest, *[Text()] * (LATEST - len(latest)))


def _on_one_line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _line(moment: Moment) -> str:
    lanes = "".join(f"\n        {_lane(reading)}" for reading in moment.lanes)
    return f"{moment.elapsed:4.0f} s  {moment.doing}: {moment.rows:,} rows, {moment.written:,} changes written{lanes}"


def _lane(reading: LaneReading) -> str:
    lane = reading.lane
    return (
        f"{lane.activation} ({lane.mode}, {lane.vendor}, {reading.state}): {reading.changes:,} changes, "
        f"{reading.intents:,} intents, {reading.unchanged:,} unchanged, {reading.requests:,} requests, "
        f"{reading.people:,} people there, {_behind(reading)} behind, dead letters: {reading.dead_letters:,}"
    )


def _letters(lane: LaneReading) -> Text:
    return Text(f"{lane.dead_letters:,}", style="bold red" if lane.dead_letters else "")


def _behind(lane: LaneReading) -> str:
    return f"{lane.behind:.1f} s"


def _freshness(lane: LaneReading) -> str:
    return "–" if lane.p50 is None or lane.p95 is None else f"≤ {lane.p50:g} / {lane.p95:g} s"


def _state(lane: LaneReading) -> Text:
    return Text(lane.state, style=_STATE_STYLES.get(lane.state, ""))


_LINES: tuple[tuple[str, Callable[[LaneReading], Text | str], str], ...] = (
    ("changes", lambda lane: f"{lane.changes:,}", "read from Kafka"),
    ("unchanged", lambda lane: f"{lane.unchanged:,}", "nothing mapped changed"),
    ("intents", lambda lane: f"{lane.intents:,}", "inserts, updates, deletes"),
    ("requests", lambda lane: f"{lane.requests:,}", "to the vendor"),
    ("people", lambda lane: f"{lane.people:,}", "in the workspace"),
    ("behind", _behind, "the oldest change not there yet"),
    ("fresh p50 / p95", _freshness, "from commit to delivery"),
    ("dead letters", _letters, "refused for good"),
    ("state", _state, ""),
)
