"""Whatever stands in a config file, it loads or its problems are told; nothing else comes out."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
