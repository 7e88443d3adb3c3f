"""Identifiers, and values compared in the form sent."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from stream_sync.config.settings import Source
from stream_sync.formats.decoder import open_decoder
from stream_sync.model import Change, Sent, Value
from stream_sync.routing.compiled import Compiled
from stream_sync.routing.expressions.expression import EvaluationError, parse, parse_condition
from stream_sync.routing.plan import Form, IdentifierPart, Person, Plan, Standing, Target, identifier_text
from tests.routing.table import ANN, TYPES, Row, created, skip_null


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", None),
        ("  \t", None),
        (" Ann ", "Ann"),
        (0, "0"),
        (2**70, str(2**70)),
        (Decimal("1E+3"), "1000"),
        (Decimal("1.50"), "1.50"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
    ],
)
def test_an_identifier_is_text_without_blanks_around_it(value: object, text: str | None) -> None:
    assert identifier_text(value, False) == text


def test_an_e_mail_address_is_lower_case() -> None:
    assert identifier_text(" Ann@Example.COM ", True) == "ann@example.com"
    assert identifier_text("Ann", False) == "Ann"


@pytest.mark.parametrize("value", [True, 1.5, [1], {}, b"x"])
def test_what_identifies_nobody(value: object) -> None:
    with pytest.raises(EvaluationError, match="cast it to text") as error:
        identifier_text(value, False)
    assert str(value) not in str(error.value)


def rounded(value: Value) -> Sent:
    return None if value is None else value // 10


def compiled(plan: Plan, row: Row, notices: list[tuple[str, str]]) -> tuple[Compiled, Any]:
    change = open_decoder(Source(topic="t", types=TYPES), plan.columns).decode(created(row))
    assert isinstance(change, Change)
    return Compiled(plan, change.columns, lambda code, name: notices.append((code, name))), change.after


def plan_of(identifier: list[tuple[str, str, bool]], form: Form = skip_null, where: str | None = None) -> Plan:
    return Plan(
        None if where is None else parse_condition(where),
        tuple(IdentifierPart(name, parse(text), is_email) for name, text, is_email in identifier),
        (Target("ltv", parse("ltv"), form, form), Target("name", parse("name"), skip_null, skip_null)),
    )


BOTH = [("contactId", "org", False), ("email", "email", True)]


@pytest.mark.parametrize(
    ("row", "person"),
    [
        (ANN, Person("contactId", "7")),
        ({**ANN, "org": None}, Person("email", "ann@example.com")),
        ({**ANN, "org": None, "email": " "}, Standing.NAMELESS),
    ],
)
def test_of_several_identifiers_the_first_that_the_row_has(row: Row, person: object) -> None:
    bound, found = compiled(plan_of(BOTH), row, [])
    assert bound.member(found) == person


@pytest.mark.parametrize(("tier", "inside"), [("gold", True), ("basic", False), (None, False)])
def test_where_lets_in_what_is_true_and_not_what_is_null(tier: str | None, inside: bool) -> None:
    bound, row = compiled(plan_of(BOTH, where="tier <> 'basic'"), {**ANN, "tier": tier}, [])
    assert (bound.member(row) is not Standing.OUTSIDE) is inside


def test_a_null_that_is_skipped_is_counted_and_no_change() -> None:
    notices: list[tuple[str, str]] = []
    plan = plan_of(BOTH)
    bound, before = compiled(plan, ANN, notices)
    _, after = compiled(plan, {**ANN, "name": None}, notices)
    assert bound.changed(bound.differing(before, after), before, after) == {}
    assert bound.whole(after) == {"ltv": 10}
    assert notices == [("null_skipped", "name")] * 2


@pytest.mark.parametrize(("ltv", "changed"), [(19, {}), (20, {"ltv": 2})])
def test_values_are_compared_as_they_are_sent(ltv: int, changed: Row) -> None:
    plan = plan_of(BOTH, rounded)
    bound, before = compiled(plan, ANN, [])
    _, after = compiled(plan, {**ANN, "ltv": ltv}, [])
    assert bound.changed(bound.differing(before, after), before, after) == changed


def test_the_columns_of_a_plan_are_all_that_it_reads() -> None:
    assert plan_of(BOTH, where="tier = 'gold' and seen_at is not null").columns == {
        "org",
        "email",
        "tier",
        "seen_at",
        "ltv",
        "name",
    }
    assert plan_of(BOTH).identifier_columns == {"org", "email"}
