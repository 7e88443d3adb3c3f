"""A share of `make fuzz`, and that it would tell."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.fuzz import run
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import targets
from tests.fuzz.trial import trial

INPUTS = 6_000


def test_damaged_records_of_every_encoding_are_changes_or_dead_letters() -> None:
    seen = run.fuzz(1, range(INPUTS))
    assert seen.failures == []
    assert seen.results.total() == INPUTS
    for target in targets():
        results = {result for name, result in seen.results if name == target.name}
        assert {"change", "no change"} < results, target.name


def test_the_same_seed_gives_the_same_inputs() -> None:
    record = targets()[0].records[0]
    assert mutated(record, random.Random("1:2")) == mutated(record, random.Random("1:2"))


def test_what_raises_is_told_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(run, "trial", fails)
    seen = run.fuzz(1, [41])
    assert len(seen.failures) == 1
    assert "input 41" in seen.failures[0]
    assert "ZeroDivisionError" in seen.failures[0]


def test_what_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(*args: Any) -> str:
        while True:
            trial.__doc__  # noqa: B018

    monkeypatch.setattr(run, "trial", hangs)
    monkeypatch.setattr(run, "HANGS", 0.05)
    (failure,) = run.fuzz(1, [41]).failures
    assert "TimeoutError" in failure
