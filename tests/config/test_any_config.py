"""Whatever stands in a config file, it loads or its problems are told; nothing else comes out."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stream_sync.config.problems import ConfigError, Problem
from tests.config.sample_config import GOOD, read


def yaml() -> YAML:
    return YAML(typ="safe", pure=True)


TREE: dict[str, Any] = yaml().load(GOOD)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield (*place, name)
        yield from places(child, (*place, name))


def told_about(text: str, folder: Path) -> tuple[Problem, ...]:
    try:
        return read(text, folder).warnings
    except ConfigError as error:
        return error.problems


words = st.sampled_from(
    ["mirror", "key", "full", "gold", "ledger", "customers", "type", "${X", "${LEDGER_KEY}", "a.b", ""]
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words, st.dates(), st.text(max_size=5))
junk = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=5,
)


@settings(max_examples=40, deadline=None)
@given(at=st.sampled_from(sorted(places(TREE), key=str)), value=junk, remove=st.booleans())
def test_any_value_anywhere_is_a_config_or_problems(
    at: tuple[Any, ...], value: Any, remove: bool, tmp_path_factory: Any
) -> None:
    tree = copy.deepcopy(TREE)
    holder: Any = tree
    for part in at[:-1]:
        holder = holder[part]
    if remove:
        del holder[at[-1]]
    else:
        holder[at[-1]] = value
    text = io.StringIO()
    yaml().dump(tree, text)
    folder: Path = tmp_path_factory.getbasetemp()
    told = told_about(text.getvalue(), folder)
    assert all(problem.message and "hidden" not in str(problem) for problem in told)


@pytest.mark.parametrize("at", sorted(places(TREE), key=str), ids=lambda at: ".".join(map(str, at)))
def test_a_secret_in_the_wrong_place_is_told_by_its_name_alone(at: tuple[Any, ...], tmp_path: Path) -> None:
    """As somebody does who puts a key's variable one line too high."""
    for value in ("${LEDGER_KEY}", "x ${LEDGER_KEY} y", ["${LEDGER_KEY}"], {"a": "${LEDGER_KEY}"}):
        tree = copy.deepcopy(TREE)
        holder: Any = tree
        for part in at[:-1]:
            holder = holder[part]
        holder[at[-1]] = value
        text = io.StringIO()
        yaml().dump(tree, text)
        assert "hidden" not in "".join(map(str, told_about(text.getvalue(), tmp_path)))


def test_a_message_tells_the_reference_instead_of_its_text(tmp_path: Path) -> None:
    text = GOOD.replace("mode: mirror", "mode: ${LEDGER_KEY}", 1)
    assert text != GOOD
    assert any("'${LEDGER_KEY}' is not a sync mode" in str(problem) for problem in told_about(text, tmp_path))
