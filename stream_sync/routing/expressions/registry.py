"""All functions there are, and what is said about those there are not.

Invariants:
- A name is refused with the reason that fits it: unstable, an aggregate, a regular expression, or unknown with the
  nearest known name.
"""

from __future__ import annotations

import difflib

from stream_sync.routing.expressions import arrays, dates, logic, numeric_functions, text_functions, to_char
from stream_sync.routing.expressions.errors import ExpressionError
from stream_sync.routing.expressions.functions import Function, table

_LOGIC = table(
    {
        "coalesce": ("coalesce(any, …)", "the first that is not NULL", (logic.coalesce, 1, None)),
        "nullif": ("nullif(a, b)", "NULL where both are equal, else a", (logic.nullif, 2, 2)),
        "greatest": ("greatest(any, …)", "the largest; NULLs left out", (logic.extreme("greatest", ">"), 1, None)),
        "least": ("least(any, …)", "the smallest; NULLs left out", (logic.extreme("least", "<"), 1, None)),
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

UNSTABLE_REASON = "nobody leaves 'active in the last 30 days' without a row change: compute the flag in the warehouse"
_UNSTABLE = {
    "now", "age", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday",
    "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "random",
    "random_normal", "setseed", "gen_random_uuid", "uuid_generate_v1", "uuid_generate_v4", "uuidv4", "uuidv7",
    "nextval", "currval", "lastval", "getdate", "sysdate", "today", "rand", "uuid", "newid", "txid_current",
}  # fmt: skip
_SESSION = {
    "current_user", "session_user", "current_role", "current_catalog", "current_schema", "user", "version",
    "current_setting", "pg_backend_pid", "inet_client_addr", "current_database",
}  # fmt: skip
_UNSTABLE_WORDS = {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
_SESSION_WORDS = {"current_user", "session_user", "current_role", "current_catalog", "current_schema", "user"}
_AGGREGATES = {
    "count", "sum", "avg", "min", "max", "array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg",
    "jsonb_object_agg", "bool_and", "bool_or", "every", "stddev", "variance", "percentile_cont",
    "percentile_disc", "mode", "corr", "row_number", "rank", "dense_rank", "ntile", "lag", "lead",
    "first_value", "last_value", "nth_value",
}  # fmt: skip
_REGEX = {
    "regexp_replace", "regexp_match", "regexp_matches", "regexp_like", "regexp_substr", "regexp_count",
    "regexp_instr", "regexp_split_to_array", "regexp_split_to_table",
}  # fmt: skip
_INSTEAD = {
    "if": "case when … then … else … end",
    "iff": "case when … then … else … end",
    "ifnull": "coalesce",
    "nvl": "coalesce",
    "isnull": "is null",
    "len": "length",
    "charindex": "position(part in text)",
    "instr": "position(part in text)",
    "ucase": "upper",
    "lcase": "lower",
    "year": "extract(year from …)",
    "month": "extract(month from …)",
    "day": "extract(day from …)",
    "date_format": "to_char",
    "try_cast": "cast",
    "safe_cast": "cast",
    "contains": "position(part in text) > 0, or like",
    "log": "no logarithm: compute it in the warehouse",
}


def unstable(name: str, position: int | None) -> ExpressionError:
    """The refusal of something whose value changes without a change of the row."""
    return ExpressionError(f"{name} is not allowed: {UNSTABLE_REASON}", position)


def regular_expression(position: int | None) -> ExpressionError:
    """The refusal of PostgreSQL's regular expressions: Python's differ, and can take for ever."""
    message = "regular expressions are not supported; use like, ilike, starts_with or split_part, or the warehouse"
    return ExpressionError(message, position)


def check_name(name: str, position: int | None) -> None:
    """Refuses the words that PostgreSQL reads as calls without parentheses, not as columns."""
    key = name.lower()
    if key in _UNSTABLE_WORDS:
        raise unstable(key, position)
    if key in _SESSION_WORDS:
        raise ExpressionError(f'{key} depends on the database session; for a column of that name: "{name}"', position)


def find(name: str, position: int | None) -> Function:
    """The function of a name. Raises ExpressionError with what would be right."""
    key = name.lower()
    if (function := FUNCTIONS.get(key)) is not None:
        return function
    if key in _UNSTABLE:
        raise unstable(f"{key}()", position)
    if key in _SESSION:
        raise ExpressionError(f"{key}() depends on the database session; only the row's columns are known", position)
    if key in _AGGREGATES:
        message = f"{key}() looks at more than one row; compute it in the warehouse and use its column"
        raise ExpressionError(message, position)
    if key in _REGEX:
        raise regular_expression(position)
    if key in _INSTEAD:
        raise ExpressionError(f"{key}() is not a known function; use {_INSTEAD[key]}", position)
    near = difflib.get_close_matches(key, [*FUNCTIONS, *SPECIAL], n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}()?" if near else f"known: {', '.join(sorted({*FUNCTIONS, *SPECIAL}))}"
    raise ExpressionError(f"unknown function {key}(); {hint}", position)
