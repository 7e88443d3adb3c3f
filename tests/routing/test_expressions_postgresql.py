"""Every expression of postgresql_answers.jsonl gives what PostgreSQL gave: value, type, scale, or an error."""

import json
import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from stream_sync.routing.expressions.array_input import array_literal
from stream_sync.routing.expressions.errors import EvaluationError, ExpressionError
from stream_sync.routing.expressions.expression import parse
from stream_sync.routing.expressions.interval_input import interval
from tests.routing.ask_postgresql import ANSWERS, COLUMNS


def _moment(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


FROM_TEXT: dict[str, Any] = {
    "boolean": lambda text: text == "true",
    "bigint": int,
    "numeric": Decimal,
    "double precision": float,
    "text": str,
    "date": date.fromisoformat,
    "timestamptz": _moment,
    "time": time.fromisoformat,
    "text[]": array_literal,
    "bigint[]": lambda text: [None if item is None else int(item) for item in array_literal(text)],
    "jsonb": json.loads,
}
FROM_JSON: dict[str, Any] = {
    "numeric": Decimal,
    "double precision": float,
    "real": float,
    "date": date.fromisoformat,
    "timestamp with time zone": _moment,
    "timestamp without time zone": _moment,
    "time without time zone": time.fromisoformat,
    "interval": interval,
    "bytea": lambda text: bytes.fromhex(text[2:]),
}
CASES = [json.loads(line, parse_float=Decimal) for line in ANSWERS.read_text(encoding="utf-8").splitlines()]
ERROR = object()


def answer(sql: str, row: dict[str, str | None]) -> Any:
    values = {name: None if text is None else FROM_TEXT[COLUMNS[name]](text) for name, text in row.items()}
    try:
        return parse(sql).bind(lambda name: lambda row: row[name])(values)
    except (ExpressionError, EvaluationError):
        return ERROR


def plain(value: Any) -> Any:
    """A form in which equal means equal: types told apart, numerics with their scale, NaN equal to itself."""
    if isinstance(value, Decimal):
        return ("numeric", f"{value:f}")
    if isinstance(value, float):
        return ("double", "NaN" if math.isnan(value) else value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return (type(value).__name__, value)


def json_numbers(value: Any) -> Any:
    """JSON numbers of a jsonb answer as the JSON parser of a column gives them."""
    if isinstance(value, dict):
        return {name: json_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [json_numbers(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize(
    ("sql", "row", "expected"), CASES, ids=[f"{one[0]} {place}" for place, one in enumerate(CASES)]
)
def test_gives_what_postgresql_gives(sql: str, row: dict[str, str | None], expected: list[Any] | None) -> None:
    found = answer(sql, row)
    if expected is None:
        assert found is ERROR
        return
    kind, value = expected
    if kind in ("jsonb", "json"):
        assert found == json_numbers(value)
        return
    wanted = value if value is None else FROM_JSON.get(kind, lambda same: same)(value)
    assert plain(found) == plain(wanted)
