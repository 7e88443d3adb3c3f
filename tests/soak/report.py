"""What a soak found: the figures as a table, and every violation as a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.oracle.verdict import Verdict


class Report(NamedTuple):
    """`violations` empty = clean."""

    seed: int
    minutes: float
    faults: Mapping[str, int]
    changes: int
    verdicts: Mapping[str, Verdict]
    lost: int
    """People who were not as the source says once all was quiet, and once the dead letters were replayed."""
    letters: int
    held: int
    processes: int
    peak_mb: float
    crossings: int
    """People in requests of two processes at once, one of which could not know."""
    violations: Sequence[str]

    def table(self) -> str:
        """For people, and for the docs: Markdown."""
        total = _Total(self.verdicts)
        rows: list[tuple[str, object]] = [
            ("minutes", f"{self.minutes:g}, seed {self.seed}"),
            ("changes of the table", f"{self.changes:,}"),
            *((f"fault: {kind}", count) for kind, count in sorted(self.faults.items())),
            ("processes of the service", self.processes),
            ("requests", f"{total.requests:,}"),
            ("people written", f"{total.writes:,}"),
            ("people deleted", f"{total.deletes:,}"),
            ("duplicates (the same version again)", f"{total.duplicates:,}"),
            ("dead letters", self.letters),
            ("deletes held when the table was emptied", f"{self.held:,}"),
            ("**lost**", self.lost),
            ("**inversions**", total.inversions),
            ("… under way when its sender was frozen", total.late),
            ("**never said by the source**", total.inventions),
            ("**a person in two requests of one process**", total.overlaps),
            ("… of two, one frozen or cut off", self.crossings),
            ("**deletes beyond the budget**", total.beyond_budget),
            ("**forbidden by the mode, or malformed**", total.forbidden),
            ("peak RSS of a process, three lanes", f"{self.peak_mb:.0f} MB"),
        ]
        width = max(len(name) for name, _ in rows)
        lines = [f"| {name:<{width}} | {value!s:>16} |" for name, value in rows]
        return "\n".join([f"| {'':<{width}} | {'':>16} |", f"|{'-' * (width + 2)}|{'-' * 17}:|", *lines])


class _Total:
    """Over all activations."""

    def __init__(self, verdicts: Mapping[str, Verdict]) -> None:
        every = list(verdicts.values())
        self.requests = sum(each.requests for each in every)
        self.writes = sum(each.writes for each in every)
        self.deletes = sum(each.deletes for each in every)
        self.duplicates = sum(each.duplicates for each in every)
        self.inversions = sum(len(each.inversions) for each in every)
        self.late = sum(each.late for each in every)
        self.inventions = sum(len(each.inventions) for each in every)
        self.overlaps = sum(len(each.overlaps) for each in every)
        self.forbidden = sum(len(each.forbidden) for each in every)
        self.beyond_budget = sum(each.beyond_budget for each in every)
