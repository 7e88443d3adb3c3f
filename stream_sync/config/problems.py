"""What is wrong with a config file, all of it at once, and how it is told to a person.

Invariants:
- A problem has a place (`activations.gold-customers.mode`), a line where one is known, and a message that says what
  would be right.
- Where a value could not be read (an unset variable, a duplicate key), nothing else is said about that place: one
  mistake is one problem.
- What a `${…}` stands for may be a secret, wherever it was put by mistake: it is told as `${…}`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

from stream_sync.errors import StreamSyncError

Place = tuple[str | int, ...]
SHORT = 4
"""Characters; what is shorter is a word of many messages."""


class Problem(NamedTuple):
    """`place` is empty for the file as a whole; `line` is None where there is none."""

    place: str
    line: int | None
    message: str

    @property
    def at(self) -> str:
        """`activations.gold.mode (line 31)`; empty where neither is known."""
        return " ".join(part for part in (self.place, f"(line {self.line})" if self.line else "") if part)

    def __str__(self) -> str:
        return f"{self.at}: {self.message}" if self.at else self.message


class ConfigError(StreamSyncError):
    """The file cannot be used: correct every problem it carries and run `stream-sync validate` again."""

    def __init__(self, file: str, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.file = file
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(f"{file}: {problem}" for problem in self.problems))


class Report:
    """Collects problems and warnings while a file is read, in any order."""

    def __init__(self) -> None:
        self.lines: dict[Place, int] = {}
        self._problems: dict[Place, list[Problem]] = {}
        self._warnings: dict[Place, list[Problem]] = {}
        self._unreadable: set[Place] = set()
        self._filled_in: list[tuple[Place, str, str]] = []

    def filled_in(self, place: Place, reference: str, text: str) -> None:
        """What a reference (`${NAME}`) in the value at a place stands for: no message repeats it."""
        if text:
            self._filled_in.append((place, reference, text))

    def problem(self, place: Place, message: str, line: int | None = -1) -> None:
        """`line` only where it is not the place's own."""
        self._add(self._problems, place, message, line)

    def warning(self, place: Place, message: str) -> None:
        self._add(self._warnings, place, message, -1)

    def unreadable(self, place: Place, message: str) -> None:
        """A problem after which nothing else can be said about the place."""
        self._problems[place] = [Problem(shown_place(place), self.line(place), message)]
        self._unreadable.add(place)

    def same(self, place: Place, moved: Place) -> None:
        """What was unreadable, or filled in, at `place` is so at `moved`, its place after the short forms were written
        out."""
        if place in self._unreadable:
            self._unreadable.add(moved)
        self._filled_in += [
            ((*moved, *at[len(place) :]), reference, text)
            for at, reference, text in self._filled_in
            if at[: len(place)] == place
        ]

    def _add(self, into: dict[Place, list[Problem]], place: Place, message: str, line: int | None) -> None:
        if any(place[:length] in self._unreadable for length in range(1, len(place) + 1)):
            return
        message = self._without_filled_in(place, message)
        problem = Problem(shown_place(place), self.line(place) if line == -1 else line, message)
        at = into.setdefault(place, [])
        if problem not in at:
            at.append(problem)

    def _without_filled_in(self, place: Place, message: str) -> str:
        """The message with references instead of what they stand for; of those in the place itself, which a message may
        take apart, no word is left either."""
        for at, reference, text in self._filled_in:
            is_in_place = at[: len(place)] == place or place[: len(at)] == at
            if is_in_place or len(text) >= SHORT:
                message = message.replace(text, reference)
            if is_in_place:
                for word in re.findall(r"\w{2,}", text):
                    message = re.sub(rf"(?<![\w{{]){word}(?!\w)", "…", message)
        return message

    def clean(self, place: Place) -> bool:
        """Whether nothing was said so far about the place or anything in it."""
        return not any(at[: len(place)] == place for at in self._problems)

    def line(self, place: Place) -> int | None:
        """The line of a place, or of what holds it."""
        for length in range(len(place), 0, -1):
            if (line := self.lines.get(place[:length])) is not None:
                return line
        return None

    @property
    def problems(self) -> list[Problem]:
        return _sorted(self._problems)

    @property
    def warnings(self) -> list[Problem]:
        return _sorted(self._warnings)


def _sorted(found: dict[Place, list[Problem]]) -> list[Problem]:
    return sorted((problem for at in found.values() for problem in at), key=lambda problem: problem.line or 0)


def shown_place(place: Place) -> str:
    """`sources.customers.key[1]`"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or what there is where nothing is near."""
    known = list(known)
    return nearest(word, known) or (f"; it is one of: {', '.join(known)}" if known else "")


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where nothing is near: for what is too much to list."""
    folded = {name.lower().replace("-", "_"): name for name in known}
    near = difflib.get_close_matches(word.lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    return f"; did you mean '{folded[near[0]]}'?" if near else ""
