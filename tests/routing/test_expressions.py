"""The interface of expressions: what is read, what is refused and with which words, what a row's fault becomes."""

import operator
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from stream_sync.model import UnrepresentableError
from stream_sync.routing.expressions.expression import (
    EvaluationError,
    Expression,
    ExpressionError,
    parse,
    parse_condition,
)


def value(sql: str, **row: Any) -> Any:
    return parse(sql).bind(operator.attrgetter)(SimpleNamespace(**row))


def refused(sql: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as raised:
        parse(sql)
    return raised.value


def fault(sql: str, **row: Any) -> str:
    with pytest.raises(EvaluationError) as raised:
        value(sql, **row)
    return str(raised.value)


def test_tells_its_text_and_the_columns_it_reads_in_order() -> None:
    expression = parse("""coalesce(nick, "First Name", nick) || ' ' || last""")
    assert expression.text == """coalesce(nick, "First Name", nick) || ' ' || last"""
    assert expression.columns == ("nick", "First Name", "last")
    assert expression.column is None


@pytest.mark.parametrize(
    ("sql", "positions"),
    [
        ("now() > a and foo(b)", [0, 14]),
        ("case when foo(a) then bar(b) else c end", [10, 22]),
        ("a in (foo(1), b, now())", [6, 17]),
        ("case foo(a) when 1 then 2 else now() end", [5, 31]),
        ("case when a = 1 then foo(a) else foo(b) end", [21, 33]),
        ("lower(foo(a)) || foo(b)", [6, 17]),
        ("a between foo(1) and foo(2)", [10, 21]),
        (" and ".join(["foo(a)"] * 30), list(range(0, 110, 11))),
    ],
)
def test_all_that_is_wrong_is_told_within_bounds(sql: str, positions: list[int]) -> None:
    error = refused(sql)
    assert [wrong.position for wrong in (error, *error.others)] == positions


def test_a_bare_column_is_the_reader_itself() -> None:
    def reader(name: str) -> Any:
        return readers[name]

    readers = {"email": operator.attrgetter("email")}
    assert parse("email").column == "email"
    assert parse("email").bind(reader) is readers["email"]
    assert parse('"Mixed Case"').column == "Mixed Case"


def test_an_unquoted_name_is_matched_as_written() -> None:
    assert parse("customerId").columns == ("customerId",)


def test_is_immutable_and_equal_by_its_text() -> None:
    expression = parse("a + 1")
    assert expression == parse("a + 1")
    assert isinstance(expression, Expression)
    with pytest.raises(AttributeError):
        expression.text = "b"  # type: ignore[misc]


def test_readers_are_asked_for_once_a_binding_and_not_a_row() -> None:
    asked: list[str] = []

    def reader(name: str) -> Any:
        asked.append(name)
        return operator.attrgetter(name)

    run = parse_condition("tier = 'gold' and score > 0.5").bind(reader)
    assert [run(SimpleNamespace(tier="gold", score=score)) for score in (0.6, 0.5, None)] == [True, False, None]
    assert asked == ["tier", "score"]


def test_what_a_reader_raises_comes_through() -> None:
    def reader(_: str) -> Any:
        def read(_: Any) -> Any:
            raise UnrepresentableError("column at is infinite")

        return read

    for sql in ("at > '2020-01-01'", "lower(at)", "at in (1, 2)", "at + 1", "at::text", "at || 'x'", "greatest(at, 1)"):
        with pytest.raises(UnrepresentableError):
            parse(sql).bind(reader)(None)


@pytest.mark.parametrize("row_value", [5, "yes", 1.5])
def test_a_condition_that_is_not_boolean_is_an_error_of_the_row(row_value: object) -> None:
    run = parse_condition("flag").bind(operator.attrgetter)
    assert [run(SimpleNamespace(flag=flag)) for flag in (True, False, None)] == [True, False, None]
    with pytest.raises(EvaluationError, match=r"column flag is .*, must be boolean"):
        run(SimpleNamespace(flag=row_value))


@pytest.mark.parametrize(
    "sql", ["a + 1", "'gold'", "5", "a || 'x'", "null", "lower(a)", "-a", "a::int", "date_trunc('day', a)"]
)
def test_a_condition_that_cannot_be_boolean_is_refused(sql: str) -> None:
    with pytest.raises(ExpressionError, match=r"boolean|true or false"):
        parse_condition(sql)


UNSTABLE = ["current_date", "current_timestamp", "current_time", "localtime", "localtimestamp", "now()", "random()"]
UNSTABLE += ["clock_timestamp()", "gen_random_uuid()", "age(b)", "statement_timestamp()", "current_timestamp(3)"]


@pytest.mark.parametrize("sql", UNSTABLE)
def test_what_changes_without_a_row_change_is_refused(sql: str) -> None:
    error = refused(f"last_seen > {sql}")
    assert error.position == 12
    reason = "nobody leaves 'active in the last 30 days' without a row change: compute the flag in the warehouse"
    assert reason in str(error)


@pytest.mark.parametrize(
    ("sql", "position", "message"),
    [
        ("a = 1 and lowr(email) = 'x'", 10, r"unknown function lowr\(\); did you mean lower\(\)\?"),
        ("xyzzy(a)", 0, r"unknown function xyzzy\(\); known: abs, array_length"),
        ("if(a, b, c)", 0, "case when"),
        ("count(a)", 0, "more than one row"),
        ("sum(a) over ()", 0, "more than one row"),
        ("a in (select b from c)", 0, "subquery"),
        ("select 1", 0, "a query"),
        ("a; b", 1, "semicolon"),
        ("a = $1", 5, "parameter"),
        ("a = :name", None, "parameter"),
        ("t.a", 2, "qualified name"),
        ("t.f(a)", 0, "qualified name"),
        ("a ~ 'x'", 0, "regular expressions are not supported"),
        ("regexp_replace(a, 'x', 'y')", 0, "regular expressions are not supported"),
        ("a similar to 'x'", 0, "regular expressions are not supported"),
        ("1 < a < 5", 0, "between 1 and 5"),
        ("a = b = c", 0, "comparisons in a row"),
        ("a == 1", 2, "write ="),
        ("a b", 2, "not valid SQL near 'b'"),
        ("a\n  and b c", 10, "not valid SQL near 'c'"),
        ("a +", 2, "not valid SQL"),
        ("lower(a", 6, "not valid SQL"),
        ("a = 'x", None, "a quote is not closed"),
        ("", None, "no expression"),
        ("  -- only a comment", None, "no expression"),
        ("lower(a, b)", 0, r"2 arguments; write lower\(text\)"),
        ("lower(5)", 6, "integer, must be text"),
        ("5 + 'x'", 4, "quoted literal"),
        ("1 + true", 0, r"integer \+ boolean is not defined"),
        ("not 5", 4, "integer, must be boolean"),
        ("lower(a) and b", 0, "text, must be boolean"),
        ("length(a) = 'x'", 12, "compared with integer: the text is not an integer"),
        ("length(a) = lower(b)", 0, "integer = text is not defined"),
        ("date 'today'", 5, "not a date"),
        ("'x'::int", 0, "not an integer"),
        ("a::money", 0, "casts to money are not supported"),
        ("a::timestamp(3)", 0, "not supported"),
        ("a::numeric(x)", 0, "the size of a type is a number"),
        ("a like 'x\\'", 7, "ends with its escape"),
        ("a like 'x' escape 'ab'", 0, "one character"),
        ("a in tags", 0, r"any\(tags\)"),
        ("any(tags)", 4, "after a comparison"),
        ("tags[1:2]", 0, "one place"),
        ("to_char(d, 'RM')", 11, "RM is not supported"),
        ("to_char(d, f)", 11, "quoted literal"),
        ("date_trunc('fortnight', d)", 11, "'fortnight' is not a known unit"),
        ("extract(fortnight from d)", 23, "not a known field"),
        ("interval '1 fortnight'", 9, "not an interval"),
        ("interval '1 month'", 9, "add it to a date"),
        ("a at time zone 'UTC'", 0, "convert in the warehouse"),
        ('a collate "C"', 0, "by code point"),
        ("E'a'", 0, "plain 'text'"),
        ("'a' 'b'", 0, "side by side"),
        ("(a, b) = (1, 2)", 1, "list of values"),
        ("*", 0, "name the columns"),
        ("a & b", 0, "not supported"),
        ("a = user", 4, 'for a column of that name: "user"'),
        ("current_user", 0, "database session"),
        ("lower(distinct a)", 15, "distinct"),
        ("lower(a order by b)", 6, "not supported"),
    ],
)
def test_what_is_refused_says_where_and_what_would_be_right(sql: str, position: int | None, message: str) -> None:
    error = refused(sql)
    assert re.search(message, str(error)), str(error)
    assert error.position == position


@pytest.mark.parametrize(
    "sql",
    [
        "(" * 500 + "a" + ")" * 500,
        "- " * 500 + "a",
        "not " * 500 + "a",
        "+".join(["a"] * 1000),
        "||".join(["a"] * 1000),
        "case when a then " * 200 + "b" + " end" * 200,
        "lower(" * 400 + "a" + ")" * 400,
        "array[" * 200 + "a" + "]" * 200,
        "a[" * 300 + "1" + "]" * 300,
        "a::text" + "::text" * 500,
        "a is " + "distinct from a is " * 200 + "null",
        "a" * 8001,
        "p" + "->'a'" * 900,
    ],
)
def test_depth_and_length_are_limited(sql: str) -> None:
    refused(sql)


def test_a_long_chain_of_and_is_no_depth() -> None:
    sql = " and ".join(["a > 1"] * 700)
    assert value(sql, a=2) is True
    assert value(sql.replace("and", "or"), a=0) is False


@pytest.mark.parametrize(
    ("sql", "row", "message"),
    [
        ("lower(a)", {"a": 5}, "lower(): column a is integer, must be text"),
        ("a > 5", {"a": "secret"}, "column a > the literal: text > integer is not defined; cast one of them"),
        ("a = b", {"a": "secret", "b": 1.5}, "column a = column b: text = double precision is not defined"),
        ("a = '2024-01-32'", {"a": date(2024, 1, 1)}, "column a = the literal: the text is not a date"),
        ("a::int", {"a": "secret"}, "column a::integer: the text is not an integer"),
        ("a::date", {"a": "secret"}, "column a::date: the text is not a date"),
        ("a::jsonb", {"a": "{secret"}, "column a::jsonb: the text is not JSON"),
        ("a + 1", {"a": 2**63 - 1}, "column a + the literal: the result is outside bigint"),
        ("a + b", {"a": "secret", "b": 1}, "column a + column b: text + integer is not defined; cast one of them"),
        ("a / 0", {"a": 1}, "column a / the literal: division by zero"),
        ("a / 0.0", {"a": 1.5}, "column a / the literal: division by zero"),
        ("a % 0", {"a": 7}, "column a % the literal: division by zero"),
        ("a and b", {"a": "secret", "b": True}, "and: column a is text, must be boolean"),
        ("a in (1, 2)", {"a": "secret"}, "column a in (…): integer = text is not defined; cast one of them"),
        ("a in ('x')", {"a": [1]}, "column a in (…):"),
        ("a->>'x'", {"a": "secret"}, "column a ->>: column a is text, must be json"),
        ("a like 'x'", {"a": 5}, "column a like: column a is integer, must be text"),
        ("'x' = any(a)", {"a": "secret"}, "the literal = any(column a): column a is text, must be array"),
        ("repeat(a, 1000000)", {"a": "secret"}, "repeat(): a text of more than 1000000 characters"),
        ("lpad(a, 2000000)", {"a": "secret"}, "lpad(): a text of more than 1000000 characters"),
        ("replace(a, 's', repeat(a, 160000))", {"a": "sss"}, "replace(): a text of more than"),
        ("power(10.0, a)", {"a": 100_000}, "power(): a numeric of more than"),
        ("a * a", {"a": Decimal("1e1500")}, "column a * column a: the result is out of range or undefined"),
        ("a::numeric", {"a": "1e9999"}, "column a::numeric: a numeric of more than"),
        ("a + interval '9000 years'", {"a": date(2024, 1, 1)}, "column a + the literal: the result is out of range"),
        ("sqrt(a)", {"a": -1}, "sqrt(): the square root of a negative number"),
        ("round(a, 2)", {"a": 0.5}, "round(): round of double precision takes no places; write round(x::numeric, n)"),
        ("interval '1 month' * a", {"a": 2}, "an interval of months has no length alone"),
    ],
)
def test_a_fault_of_a_row_names_columns_and_types_and_never_the_value(
    sql: str, row: dict[str, Any], message: str
) -> None:
    text = fault(sql, **row)
    assert text.startswith(message)
    assert "secret" not in text


def test_a_fault_does_not_carry_its_cause() -> None:
    with pytest.raises(EvaluationError) as raised:
        value("a::double precision::numeric(2,1)", a="12345")
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_a_deep_json_value_is_an_error_and_not_a_crash() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert "out of range" in fault("p->>'a'", p={"a": deep})


def test_text_is_ordered_by_code_point() -> None:
    assert value("a < b", a="Z", b="a") is True
    assert value("a < b", a="z", b="é") is True


def test_case_changes_letter_by_letter() -> None:
    assert value("upper(a)", a="straße") == "STRAßE"
    assert value("lower(a)", a="ÅÄÖ İ") == "åäö İ"


def test_an_integer_beside_a_double_is_compared_as_a_double() -> None:
    assert value("a = b", a=2**53 + 1, b=float(2**53)) is True
    assert value("a > 9007199254740993", a=float(2**53)) is False


def test_a_literal_takes_the_type_of_each_value_it_meets() -> None:
    run = parse_condition("a = '5'").bind(operator.attrgetter)
    found = [run(SimpleNamespace(a=one)) for one in ("5", 5, 5.0, Decimal("5.00"), "05", 6, None)]
    assert found == [True, True, True, True, False, False, None]


def test_timestamps_are_compared_at_utc() -> None:
    at = datetime(2024, 1, 31, 22, 30, tzinfo=UTC)
    assert value("a = '2024-02-01 00:30:00+02'", a=at) is True
    assert value("a < '2024-02-01'", a=at) is True
    assert value("a::date", a=at) == date(2024, 1, 31)
    assert value("a > b", a=at, b=date(2024, 1, 31)) is True


def test_like_takes_time_linear_in_the_text() -> None:
    # Backtracking would need longer than the universe for these.
    text = "a" * 20_000
    assert value("t like '" + "%a" * 40 + "%b'", t=text) is False
    assert value("t like p", t=text, p="%a_" * 30 + "b") is False


def test_json_leaves_as_plain_python() -> None:
    profile = {"o": {"x": [1, None]}, "z": None, "s": "text"}
    assert value("p->'o'", p=profile) == {"x": [1, None]}
    assert value("p->'s'", p=profile) == "text"
    assert value("p->'z'", p=profile) is None
    assert value("p->'z' is null", p=profile) is False
    assert value("array[p->'s']", p=profile) == ["text"]
