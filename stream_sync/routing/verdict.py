"""How a row stood to the segment before and after a change, and why: the router's `was` and `is`, for people.

Invariants:
- Pure, and slow: for commands that show some records. The router decides without it, by the same compiled plan.
- A side's standing is what the router takes it for; where it cannot be known, `why` says so in words.
- Values of a row are in `Person` and `Side.read` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from stream_sync.errors import FAULTS
from stream_sync.model import Change, Columns, Row, UnrepresentableError, Value
from stream_sync.routing.careful import CarefulCompiled, ColumnMissingError
from stream_sync.routing.clauses import Ground, clauses, deciding
from stream_sync.routing.compilations import Compilations
from stream_sync.routing.compiled import DataError
from stream_sync.routing.plan import Member, Notice, Person, Plan, Standing

Stands = Literal["in", "outside", "nameless", "unknown", "no_row"]

NOT_SEEN = "the source's `before` is `key`: nothing but the key is known of the row before"
NO_BEFORE = "the record has no row before the change"
UNAVAILABLE = "a column that decides did not come with the record"
MISSING = "the record lacks a column that decides"


class Side(msgspec.Struct, frozen=True):
    """One row image and the segment. `grounds`: the parts of `where` that decided, empty without a `where`."""

    stands: Stands
    person: Person | None = None
    grounds: tuple[Ground, ...] = ()
    why: str = ""
    read: Mapping[str, Value] = {}
    """What the grounds' columns hold."""


class Verdict(msgspec.Struct, frozen=True):
    """What a change was about."""

    was: Side
    now: Side


NO_ROW = Side("no_row")


class Judge:
    """Gives the verdicts of one activation."""

    def __init__(self, plan: Plan, notice: Notice, *, before_full: bool) -> None:
        self._compilations = Compilations(plan, notice)
        self._before_full = before_full
        self._clauses = None if plan.where is None else clauses(plan.where.text)

    def verdict(self, change: Change) -> Verdict:
        """Of one change."""
        columns, before, after = change.columns, change.before, change.after
        if change.incomplete and self._before_full and before is not None and after is not None:
            columns.fill(after, before)
        now = NO_ROW if after is None else self._side(columns, after)
        if change.op in ("r", "c", "t"):
            was = NO_ROW
        elif not self._before_full:
            was = Side("unknown", why=NOT_SEEN)
        elif before is None:
            was = Side("unknown", why=NO_BEFORE)
        else:
            was = self._side(columns, before)
        return Verdict(was, now)

    def _side(self, columns: Columns, row: Row) -> Side:
        compiled = self._compilations.careful(columns)
        try:
            member = compiled.member(row)
            grounds = self._grounds(compiled, row)
            read = {name: columns.reader(name)(row) for ground in grounds for name in ground.columns}
        except UnrepresentableError:
            return Side("unknown", why=UNAVAILABLE)
        except ColumnMissingError:
            return Side("unknown", why=MISSING)
        except DataError as error:
            return Side("unknown", why=str(error))
        except FAULTS as error:
            return Side("unknown", why=type(error).__name__)
        return _side(member, grounds, read)

    def _grounds(self, compiled: CarefulCompiled, row: Row) -> tuple[Ground, ...]:
        if self._clauses is None:
            return ()
        return deciding(self._clauses, compiled.value)(row)[1]


def _side(member: Member, grounds: tuple[Ground, ...], read: Mapping[str, Value]) -> Side:
    match member:
        case Person():
            return Side("in", member, grounds, read=read)
        case Standing.OUTSIDE:
            return Side("outside", None, grounds, read=read)
        case Standing.NAMELESS:
            return Side("nameless", None, grounds, read=read)
        case Standing.UNKNOWN:
            return Side("unknown", None, (), UNAVAILABLE)
