"""The clause that decided is the one a person would name, and the verdict is the router's."""

from __future__ import annotations

from typing import Any

import pytest

from stream_sync.model import Change
from stream_sync.routing.clauses import clauses, deciding
from stream_sync.routing.verdict import MISSING, NO_BEFORE, NOT_SEEN, UNAVAILABLE, Judge, Side
from tests.routing.table import ANN, Activation, created, deleted, record, updated
from tests.routing.table import UNAVAILABLE as NOT_TOLD

WHERE = "tier = 'gold' and (ltv > 5 or name is null)"


def grounds(where: str, **row: Any) -> tuple[bool | None, list[tuple[str, bool | None]]]:
    value, found = deciding(clauses(where), lambda e: e.bind(lambda name: lambda row: row[name]))(row)
    return value, [(ground.text, ground.value) for ground in found]


@pytest.mark.parametrize(
    ("row", "value", "decided"),
    [
        ({"tier": "gold", "ltv": 6, "name": "A"}, True, [("tier = 'gold'", True), ("ltv > 5", True)]),
        ({"tier": "gold", "ltv": 5, "name": None}, True, [("tier = 'gold'", True), ("name IS NULL", True)]),
        ({"tier": "blue", "ltv": 6, "name": "A"}, False, [("tier = 'gold'", False)]),
        ({"tier": None, "ltv": 6, "name": "A"}, None, [("tier = 'gold'", None)]),
        ({"tier": None, "ltv": 1, "name": "A"}, False, [("ltv > 5", False), ("name IS NULL", False)]),
        ({"tier": "gold", "ltv": None, "name": "A"}, None, [("ltv > 5", None), ("name IS NULL", False)]),
    ],
)
def test_the_clause_that_decided(row: dict[str, Any], value: bool | None, decided: list[Any]) -> None:
    assert grounds(WHERE, **row) == (value, decided)


def test_a_chain_of_any_length_is_one_question_each() -> None:
    where = " and ".join(f"a > {number}" for number in range(600))
    value, found = grounds(where, a=300)
    assert (value, found) == (False, [("a > 300", False)])


def sides(read: Any, **options: Any) -> tuple[Side, Side]:
    activation = Activation("mirror", where=options.pop("where", WHERE), **options)
    change = activation.decoder.decode(read)
    assert isinstance(change, Change)
    judge = Judge(activation.plan, lambda *_: None, before_full=not activation.flattened and _full(options))
    found = judge.verdict(change)
    return found.was, found.now


def _full(options: dict[str, Any]) -> bool:
    return bool(options.get("before", "full") == "full")


def test_somebody_leaves_because_of_one_clause() -> None:
    was, now = sides(updated(ANN, {**ANN, "ltv": 3}))
    assert was.stands == "in"
    assert was.person is not None
    assert was.person.identifier == "1"
    assert now.stands == "outside"
    assert [(ground.text, ground.value) for ground in now.grounds] == [("ltv > 5", False), ("name IS NULL", False)]


def test_a_new_row_and_one_that_is_gone_have_no_other_side() -> None:
    was, now = sides(created(ANN))
    assert (was.stands, now.stands) == ("no_row", "in")
    was, now = sides(deleted(ANN))
    assert (was.stands, now.stands) == ("in", "no_row")


def test_what_cannot_be_known_says_why() -> None:
    assert sides(updated(None, ANN))[0].why == NO_BEFORE
    assert sides(updated(ANN, ANN), where=None, before="key")[0].why == NOT_SEEN
    missing = {name: value for name, value in ANN.items() if name != "tier"}
    assert sides(record("c", None, missing))[1].why == MISSING
    assert sides(record("c", None, {**ANN, "tier": NOT_TOLD}))[1].why == UNAVAILABLE


def test_without_an_identifier_somebody_is_nameless() -> None:
    assert sides(created({**ANN, "email": " "}), identifier="email")[1].stands == "nameless"
