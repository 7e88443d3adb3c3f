"""docs/guarantees.md says how each promise is tested: the tests are there, and no known bug of others is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\(\.\./(tests/[\w/]+\.py)\)")
MAKES_TESTS = re.compile(r"def test_|\.TestCase|class Test|def (judge|simulate)\b")
ELSEWHERE = (826, 909, 875, 606, 857, 832, 836, 777, 664, 597, 534, 184, 318, 329, 409, 425, 35, 62, 439)
"""Issues of parallel-consumer that were incidents of the kind that the promises are about."""


def rows(heading: str) -> list[tuple[str, str]]:
    """The rows of the section's first table, without its head."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0].split("\n### ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [(cells[1].strip(), cells[2].strip()) for cells in (line.split("|") for line in lines)]


@pytest.mark.parametrize(("promise", "tests"), rows("How each promise is tested"), ids=lambda cell: cell[:40])
def test_every_promise_names_its_tests(promise: str, tests: str) -> None:
    found = LINK.findall(tests)
    assert found, f"{promise}: no test"
    for path in found:
        assert MAKES_TESTS.search((ROOT / path).read_text(encoding="utf-8")), f"{path} tests nothing"


def test_every_known_bug_of_others_has_a_test_or_a_reason() -> None:
    table = rows("What went wrong elsewhere")
    told = {int(number) for bug, _ in table for number in re.findall(r"#(\d+)", bug)}
    assert set(ELSEWHERE) <= told
    for _, here in table:
        assert len(here) > 20
        for path in LINK.findall(here):
            assert (ROOT / path).is_file(), path
