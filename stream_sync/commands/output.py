"""What commands say to people.

Invariants:
- Results go to stdout; problems, warnings and progress to stderr, so that a result can be piped.
- One finding is one line, never wrapped: `acme.yaml: activations.gold.mode (line 31): …`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from stream_sync.config.problems import ConfigError, Problem
from stream_sync.observability.tracebacks import text_of


def result(text: str) -> None:
    """A line of the result."""
    _line(Console(), Text(text))


def note(text: str) -> None:
    """A line beside the result."""
    _line(Console(stderr=True), Text(text))


def tell_failure(message: str) -> None:
    _line(Console(stderr=True), Text.assemble(("failed: ", "bold red"), message))


def tell_defect(error: Exception) -> None:
    """Where it came from, without what it says: that may be a row's value."""
    tell_failure("this is a defect, please report it with these lines")
    for line in text_of(error).splitlines():
        note(line)


def tell_warnings(file: str, warnings: Iterable[Problem]) -> None:
    for warning in warnings:
        _line(Console(stderr=True), Text.assemble(f"{file}: ", ("warning: ", "yellow"), str(warning)))


def tell_finding(file: str, kind: str, finding: Problem) -> None:
    """One line of `validate --live`: what did not answer is for stderr, all else belongs to the result."""
    label = {"unreached": ("not reached: ", "bold red"), "unproven": ("not proven: ", "yellow")}.get(kind, "note: ")
    _line(Console(stderr=kind == "unreached"), Text.assemble(f"{file}: ", label, str(finding)))


def tell_config_error(error: ConfigError) -> None:
    """Every problem, and how many."""
    tell_warnings(error.file, error.warnings)
    console = Console(stderr=True)
    for problem in error.problems:
        at = (problem.at, "bold"), ": " if problem.at else ""
        _line(console, Text.assemble(f"{error.file}: ", *at, problem.message))
    count = len(error.problems)
    _line(console, Text(f"{error.file}: {count} problem{'s' if count != 1 else ''}", style="bold red"))


def how_many(number: int, noun: str, plural: str = "") -> str:
    """`1 letter`, `2,000 letters`; nouns whose plural is no `s` more bring it."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _line(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)
