"""What is said about SQL that there is not: why, and what to do instead.

Invariants:
- Every refusal says why (unstable, of the session, of many rows, not supported) and what would be right.
"""

from __future__ import annotations

from sqlglot import exp

from stream_sync.routing.expressions.errors import ExpressionError
from stream_sync.routing.expressions.syntax import position_of

_REGEX_SYNTAX = (exp.RegexpLike, exp.RegexpILike, exp.SimilarTo, exp.Glob)


SYNTAX: dict[type[exp.Expr], str] = {
    exp.Query: "a subquery: only the row's own columns are known; compute it in the warehouse",
    exp.Window: "a window function looks at more than one row; compute it in the warehouse",
    exp.Parameter: "a parameter: write the value, or ${VAR} in the config file",
    exp.Placeholder: "a parameter: write the value, or ${VAR} in the config file",
    exp.Star: "* is not a value; name the columns",
    exp.Tuple: "a list of values in parentheses; write one value, or compare with in (…)",
    exp.ByteString: "an E'…' string; write a plain 'text'",
    exp.RawString: "a dollar-quoted string; write 'text', a quote in it as ''",
    exp.AtTimeZone: "at time zone is not supported: all timestamps are UTC here; convert in the warehouse",
    exp.Collate: "collate is not supported: text compares by code point",
    exp.Distinct: "distinct looks at more than one row; compute it in the warehouse",
    exp.Concat: "two quoted literals side by side; write one, or put || between",
    exp.Any: "any(…) belongs after a comparison: 'x' = any(tags)",
    exp.Dot: "a qualified name; only the row's own columns are known: write the column alone",
}


def refusal(tree: exp.Expr) -> ExpressionError:
    """The error for syntax that no rule compiles."""
    position = position_of(tree)
    if isinstance(tree, _REGEX_SYNTAX):
        return regular_expression(position)
    for refused, message in SYNTAX.items():
        if isinstance(tree, refused):
            return ExpressionError(message, position)
    return ExpressionError(f"{type(tree).__name__} is not supported; docs/sql.md lists what is", position)


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


def refuse_function(key: str, position: int | None) -> None:
    """Refuses the functions that are missing for a reason. Raises ExpressionError, or does nothing."""
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
