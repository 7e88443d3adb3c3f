"""The quick decision on an ordinary update, as one function that is written out for a plan and the columns of a wire
schema: most records are decided by it, so that a step less in it is worth more than anywhere else.

Invariants:
- It decides what `Router` decides slowly, or nothing at all: None, any of FAULTS, or a broken silence means that there
  is more to it.
- It tells nobody anything: a form that has something to tell breaks the plan's silence.
- Of the config only names and functions are in the text that is compiled, each name as a literal of Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from stream_sync.model import Columns, Intent, Nothing, Omitted, Record, Row, Sent, Value
from stream_sync.routing.plan import IdentifierPart, Plan, Target, identifier_text

Rest = Callable[[Record], dict[str, Sent]]
"""A record's mapped values, worked out once more: so that an intent need not keep its row in memory."""
Stay = Callable[[Row, Row, Record], Intent | Nothing | None]
"""Of the row before and after an update and its record: what is asked for where the person was and is in the segment,
or was and is outside of it."""
OUTSIDE = Nothing("outside")
UNCHANGED = Nothing("unchanged")


def staying(
    plan: Plan,
    columns: Columns,
    where: Callable[[Row], Value] | None,
    value: Callable[[Any], Callable[[Row], Value]],
    rest: Rest,
) -> Stay | None:
    """None where the plan has several identifiers, or rows hold no column themselves. `where` and `value` (of an
    expression): functions of a row."""
    held = {name: columns.held(name) for name in plan.columns}
    if len(plan.identifier) != 1 or None in held.values():
        return None
    writer = _Writer(plan, {name: found for name, found in held.items() if found is not None}, where, value, rest)
    names = writer.names
    exec(compile("\n".join(writer.lines()), "<staying>", "exec"), names)  # noqa: S102  our own text, see the invariants
    stay: Stay = names["stay"]
    return stay


def are_same(was: Sent, now: Sent) -> bool:
    """Whether both are the same in JSON: Python takes true for 1."""
    if was != now:
        return False
    if isinstance(now, list):
        return all(map(are_same, was, now))
    if isinstance(now, dict):
        return all(are_same(was[name], value) for name, value in now.items())
    return (was.__class__ is bool) is (now.__class__ is bool)


class _Writer:
    """Writes one function."""

    def __init__(
        self,
        plan: Plan,
        held: Mapping[str, Any],
        where: Callable[[Row], Value] | None,
        value: Callable[[Any], Callable[[Row], Value]],
        rest: Rest,
    ) -> None:
        self._plan = plan
        self._held = held
        self._value = value
        self.names: dict[str, Any] = {
            "Intent": Intent,
            "Omitted": Omitted,
            "OUTSIDE": OUTSIDE,
            "UNCHANGED": UNCHANGED,
            "identifier_text": identifier_text,
            "rest": rest,
            "are_same": are_same,
            "where": where,
        }
        """What the text names, besides what it defines itself."""

    def lines(self) -> Iterator[str]:
        """The text."""
        (identifier,) = self._plan.identifier
        where, standing = self._plan.where, self._plan.identifier_columns
        if where is not None:
            standing |= {*where.columns}
        yield "def stay(before, after, record):"
        yield f"    moved = {self._differ(sorted(standing))}"
        if where is not None:
            yield "    if where(after) is not True:"
            yield "        return None if moved else OUTSIDE"
        self.names["identify"] = self._value(identifier.expression)
        yield from self._identify(identifier)
        out = "where(before) is not True or " if where is not None else ""
        yield f"    if moved and ({out}identifier_text(identify(before), {identifier.is_email}) != identifier):"
        yield "        return None"
        yield "    found = {}"
        for number, target in enumerate(self._plan.targets):
            if target.expression.columns:
                yield from self._target(number, target)
        intent = f"Intent('update', identifier, {identifier.name!r}, found, False, record, rest)"
        yield f"    return {intent} if found else UNCHANGED"

    def _differ(self, columns: Sequence[str]) -> str:
        pairs = (f"after.{held.attribute} != before.{held.attribute}" for held in map(self._held.__getitem__, columns))
        return " or ".join(pairs) or "False"

    def _identify(self, part: IdentifierPart) -> Iterator[str]:
        held = self._held.get(part.expression.column or "")
        if held is not None and held.read is None:
            yield f"    identifier = after.{held.attribute}"
            yield "    if identifier.__class__ is str:"
            yield f"        identifier = identifier.strip(){'.lower()' if part.is_email else ''}"
            yield "    else:"
            yield f"        identifier = identifier_text(identifier, {part.is_email})"
        else:
            yield f"    identifier = identifier_text(identify(after), {part.is_email})"
        yield "    if not identifier:"
        yield "        return None"

    def _target(self, number: int, target: Target) -> Iterator[str]:
        form, made = f"form_{number}", f"value_{number}"
        self.names[form] = target.silent
        column = target.expression.column
        if column is None:
            self.names[made] = self._value(target.expression)
            now, was = f"{form}({made}(after))", f"{form}({made}(before))"
            surely = False
            yield f"    if {self._differ(target.expression.columns)}:"
        else:
            held = self._held[column]
            now, was = f"{form}(now)", f"{form}(was)"
            if held.read is not None:
                self.names[made] = held.read
                now = f"{form}(None if now is None else {made}(now))"
                was = f"{form}(None if was is None else {made}(was))"
            surely = held.canonical
            yield f"    now = after.{held.attribute}"
            if surely:
                yield f"    if now != before.{held.attribute}:"
            else:
                yield f"    was = before.{held.attribute}"
                yield "    if now != was:"
        yield f"        now = {now}"
        yield "        if now.__class__ is Omitted:"
        yield "            return None"
        if surely:
            yield f"        found[{target.name!r}] = now"
        else:
            yield f"        was = {was}"
            yield "        if was != now or not are_same(was, now):"
            yield f"            found[{target.name!r}] = now"
