"""A plan as it is compiled for the wire schemas that come, each once.

Invariants: at most MOST_SCHEMAS are kept, for complete rows and for others; a topic whose schema changes with every
record costs time, not memory.
"""

from __future__ import annotations

from typing import TypeVar

from stream_sync.model import Columns
from stream_sync.routing.careful import CarefulCompiled
from stream_sync.routing.compiled import Compiled
from stream_sync.routing.plan import Notice, Plan

MOST_SCHEMAS = 64
Made = TypeVar("Made", bound=Compiled)


class Compilations:
    """Those of one plan."""

    def __init__(self, plan: Plan, notice: Notice) -> None:
        """`notice` is told what the rows' values give to tell."""
        self._plan = plan
        self._notice = notice
        self._complete: dict[Columns, Compiled] = {}
        self._careful: dict[Columns, CarefulCompiled] = {}

    def complete(self, columns: Columns) -> Compiled:
        """For rows that hold every column."""
        return self._complete.get(columns) or self._compile(Compiled, self._complete, columns)

    def careful(self, columns: Columns) -> CarefulCompiled:
        """For rows in which columns may be absent."""
        return self._careful.get(columns) or self._compile(CarefulCompiled, self._careful, columns)

    def _compile(self, kind: type[Made], known: dict[Columns, Made], columns: Columns) -> Made:
        if len(known) >= MOST_SCHEMAS:
            known.clear()
        compiled = known[columns] = kind(self._plan, columns, self._notice)
        return compiled
