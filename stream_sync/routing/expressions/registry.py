"""All functions there are, by name.

Invariants:
- What is not here is refused, with its own reason or with the nearest known name.
"""

from __future__ import annotations

import difflib

from stream_sync.routing.expressions import arrays, choice, dates, numeric_functions, text_functions, to_char
from stream_sync.routing.expressions.errors import ExpressionError
from stream_sync.routing.expressions.functions import Function, table
from stream_sync.routing.expressions.refusals import refuse_function

_LOGIC = table(
    {
        "coalesce": ("coalesce(any, …)", "the first that is not NULL", (choice.coalesce, 1, None)),
        "nullif": ("nullif(a, b)", "NULL where both are equal, else a", (choice.nullif, 2, 2)),
        "greatest": ("greatest(any, …)", "the largest; NULLs left out", (choice.extreme("greatest", ">"), 1, None)),
        "least": ("least(any, …)", "the smallest; NULLs left out", (choice.extreme("least", "<"), 1, None)),
    }
)
GROUPS: dict[str, dict[str, Function]] = {
    "NULL and choice": _LOGIC,
    "Text": text_functions.FUNCTIONS,
    "Numbers": numeric_functions.FUNCTIONS,
    "Dates": {**dates.FUNCTIONS, **to_char.FUNCTIONS},
    "Arrays": arrays.FUNCTIONS,
}
"""The registry by the headings of docs/sql.md."""
FUNCTIONS: dict[str, Function] = {name: function for group in GROUPS.values() for name, function in group.items()}
SPECIAL = frozenset({"cast", "extract", "position", "substring", "trim"})
"""Functions with a grammar of their own: functions too, for suggestions."""


def find(name: str, position: int | None) -> Function:
    """The function of a name. Raises ExpressionError with what would be right."""
    key = name.lower()
    if (function := FUNCTIONS.get(key)) is not None:
        return function
    refuse_function(key, position)
    near = difflib.get_close_matches(key, [*FUNCTIONS, *SPECIAL], n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}()?" if near else f"known: {', '.join(sorted({*FUNCTIONS, *SPECIAL}))}"
    raise ExpressionError(f"unknown function {key}(); {hint}", position)
