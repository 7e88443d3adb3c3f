"""From the runs' measurements to the table and the JSON: medians, and ratios within a round.

Invariants: pure. A ratio compares two runs of one round, since the machine's speed drifts; its median is reported.
Rates are shown twice: for the whole process, and without what the same process costs on an empty topic, which a
service that runs for weeks pays once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import msgspec
from rich.table import Table

from tests.bench.contenders import CONTENDERS, Contender
from tests.bench.processes import Measured


class Run(msgspec.Struct, frozen=True):
    """One contender in one round: with the full topic, and with an empty one."""

    records: int
    full: Measured
    empty: Measured

    @property
    def per_second(self) -> float:
        return self.records / self.full.wall

    @property
    def per_cpu_second(self) -> float:
        return self.records / self.full.cpu

    @property
    def per_running_cpu_second(self) -> float:
        """Without the start and the end."""
        return self.records / max(1e-9, self.full.cpu - self.empty.cpu)


Rounds = Sequence[Mapping[str, Run]]
"""By contender's name."""


class Summary(msgspec.Struct, frozen=True):
    """The medians of one contender. Times in seconds, memory in bytes."""

    name: str
    per_second: float
    per_cpu_second: float
    ratio: float | None
    per_running_cpu_second: float
    running_ratio: float | None
    start_cpu: float
    peak: float
    first: float | None


def summaries(rounds: Rounds) -> list[Summary]:
    """Of every contender that ran, in the order of CONTENDERS."""
    return [_summary(contender, rounds) for contender in CONTENDERS if contender.name in rounds[0]]


def _summary(contender: Contender, rounds: Rounds) -> Summary:
    runs = [each[contender.name] for each in rounds]
    firsts = [run.full.first for run in runs if run.full.first is not None]
    return Summary(
        contender.name,
        median(run.per_second for run in runs),
        median(run.per_cpu_second for run in runs),
        _ratio(contender, rounds, lambda run: run.per_cpu_second),
        median(run.per_running_cpu_second for run in runs),
        _ratio(contender, rounds, lambda run: run.per_running_cpu_second),
        median(run.empty.cpu for run in runs),
        median(run.full.peak for run in runs),
        median(firsts) if firsts else None,
    )


def _ratio(contender: Contender, rounds: Rounds, rate: Callable[[Run], float]) -> float | None:
    if contender.name == contender.yardstick or contender.yardstick not in rounds[0]:
        return None
    return median(rate(each[contender.name]) / rate(each[contender.yardstick]) for each in rounds)


def table(rounds: Rounds, title: str) -> Table:
    """What `make bench` prints."""
    shown = Table(title=title, title_justify="left", caption_justify="left", caption=_CAPTION)
    shown.add_column("")
    for heading in ("a second", "a CPU second", "× naive", "… running", "× naive", "start CPU", "peak RSS", "first"):
        shown.add_column(heading, justify="right", no_wrap=True)
    what = {contender.name: contender.what for contender in CONTENDERS}
    for each in summaries(rounds):
        shown.add_row(
            f"[bold]{each.name}[/]: {what[each.name]}",
            f"{each.per_second:,.0f}",
            f"{each.per_cpu_second:,.0f}",
            "" if each.ratio is None else f"{each.ratio:.2f}",
            f"{each.per_running_cpu_second:,.0f}",
            "" if each.running_ratio is None else f"{each.running_ratio:.2f}",
            f"{each.start_cpu:.2f} s",
            f"{each.peak / 1e6:.0f} MB",
            "" if each.first is None else f"{each.first:.2f} s",
        )
    return shown


_CAPTION = (
    "Changes a second, all threads' CPU time; medians. Running: without what the same process costs on an empty topic. "
    "First: from the process's start to the first request that the sandbox took."
)


def as_json(rounds: Rounds, about: Mapping[str, Any]) -> bytes:
    """Everything measured, for a script."""
    found = {"about": about, "summary": summaries(rounds), "rounds": rounds}
    return msgspec.json.format(msgspec.json.encode(found), indent=2)
