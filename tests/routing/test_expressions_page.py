"""docs/sql.md is true: its function table is the registry, what it lists works, and its examples parse."""

import operator
import pathlib
import re
from types import SimpleNamespace

import pytest

from stream_sync.routing.expressions.casts import TARGETS
from stream_sync.routing.expressions.expression import parse, parse_condition
from stream_sync.routing.expressions.registry import FUNCTIONS, GROUPS, SPECIAL
from stream_sync.routing.expressions.to_char import PATTERNS
from tests.routing.test_expressions_postgresql import CASES

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "sql.md"
TEXT = PAGE.read_text(encoding="utf-8")


def table() -> str:
    """The function table as the page should have it: to bring it up to date, paste this."""
    parts = []
    for heading, functions in GROUPS.items():
        rows = [f"| `{function.syntax}` | {function.does} |" for function in functions.values()]
        parts.append("\n".join([f"**{heading}**", "", "| function | gives |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def test_the_function_table_is_the_registry() -> None:
    found = re.search(r"<!-- functions: .*? -->\n\n(.*)\n\n<!-- end of functions -->", TEXT, re.DOTALL)
    assert found is not None
    assert found[1] == table()


def test_every_function_has_answers_of_postgresql() -> None:
    asked = " ".join(sql for sql, *_ in CASES)
    assert [name for name in sorted({*FUNCTIONS, *SPECIAL}) if f"{name}(" not in asked] == []


def test_every_type_for_casts_is_on_the_page() -> None:
    line = re.search(r"Types for casts: .*?\n\n", TEXT, re.DOTALL)
    assert line is not None
    assert [name for name in TARGETS if f"`{name}`" not in line[0]] == []


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_of_the_page_works(pattern: str) -> None:
    assert f"`{pattern}`" in TEXT or f"`{pattern.upper()}`" in TEXT or f"`{pattern.capitalize()}`" in TEXT
    assert parse(f"to_char(at, '{pattern}')").columns == ("at",)


def test_the_example_parses() -> None:
    assert parse_condition(
        "loyalty_tier in ('gold', 'platinum') and churn_score > 0.5 and profile->>'country' = 'SE'"
    ).columns == ("loyalty_tier", "churn_score", "profile")
    assert parse("coalesce(nickname, initcap(first_name))").columns == ("nickname", "first_name")
    row = SimpleNamespace(lifetime_value=1000, tags=["vip"])
    assert (
        parse("case when lifetime_value >= 1000 then 'high' else 'normal' end").bind(operator.attrgetter)(row) == "high"
    )
    assert parse_condition("'vip' = any(tags)").bind(operator.attrgetter)(row) is True
