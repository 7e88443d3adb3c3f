"""docs/operating.md and docs/warnings.md name every word that the service says: warnings, halts, codes of dead letters,
log lines.

The words are found in the source itself, so that a new one without its row fails here.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from stream_sync import codes

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "stream_sync"
PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
WARNINGS_PAGE = (ROOT / "docs" / "warnings.md").read_text(encoding="utf-8")
NOT_THE_SERVICE = {"sandbox", "contract"}
WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+|stopping|warning")

WARNING_CALLS = {"notice", "_notice", "_warn", "_tell", "warning", "add"}
LOG_CALLS = {"log", "_log", "info", "warning", "error", "_shared"}
HALT_CALLS = {"HaltError", "halt", "_halt"}
CALLS = WARNING_CALLS | LOG_CALLS | HALT_CALLS | {"Nothing", "Refused", "__init__"}


@functools.cache
def modules() -> Sequence[ast.Module]:
    """The service's own."""
    paths = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in NOT_THE_SERVICE]
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]


def constants(module: ast.Module) -> dict[str, str]:
    """Names of texts, of the module or of its classes."""
    found = {}
    for node in ast.walk(module):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text)))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text)))
            ):
                found[name] = text
    return found


class Call(NamedTuple):
    """A call of a function of this name, on an object, with these texts in the order of its arguments."""

    name: str
    on: str
    texts: Sequence[str]


@functools.cache
def all_calls() -> Sequence[Call]:
    """Those of CALLS."""
    found = []
    for module in modules():
        known = constants(module)
        for node in ast.walk(module):
            if isinstance(node, ast.Call):
                function = node.func
                name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                if name in CALLS:
                    on = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
                    found.append(Call(name, on, [_text(argument, known) for argument in node.args]))
    return found


def calls(*names: str) -> Iterator[Call]:
    return (call for call in all_calls() if call.name in names)


def _text(node: ast.expr, known: dict[str, str]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return known.get(name, "")


def warnings() -> set[str]:
    """Codes of `warnings_total`."""
    found = {texts[1] for _, _, texts in calls("Nothing") if len(texts) > 1}
    for name, on, texts in calls(*WARNING_CALLS):
        if texts and (name not in ("add", "warning") or on.endswith(("notices", "_metrics"))):
            found.add(texts[0])
    return {code for code in found if WORD.fullmatch(code)}


def halts() -> set[str]:
    """Reasons that are words; a vendor's are sentences, and stand in its own page."""
    found = {texts[0] for _, _, texts in calls(*HALT_CALLS) if texts}
    for _, on, texts in calls("__init__"):
        if on == "super()" and len(texts) == 2 and texts[0].endswith("_missing"):
            found.add(texts[0])
    return {reason for reason in found if WORD.fullmatch(reason)}


def letters() -> set[str]:
    """Codes of the service itself: what a record's data does to the mapping, and what no vendor says."""
    found = {texts[1] for _, _, texts in calls("Refused") if len(texts) > 1}
    return {code for code in {*found, "destination_error"} if code}


def log_lines() -> set[str]:
    """Event names."""
    found = set()
    for name, on, texts in calls(*LOG_CALLS):
        is_log = name in ("log", "_log", "_shared") or on.endswith(("log", "_log", "logger()"))
        if is_log and texts and WORD.fullmatch(texts[0]):
            found.add(texts[0])
    return found


def rows(section: str) -> set[str]:
    """The words in the first column of a section's table."""
    page = WARNINGS_PAGE if section == "Codes" else PAGE
    text = page.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    cells = re.findall(r"^\|([^|]*)\|", text, re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize(
    ("section", "words"),
    [("Codes", warnings), ("Halts", halts), ("Dead letters", letters), ("The log", log_lines)],
    ids=["warnings", "halts", "dead letters", "the log"],
)
def test_every_word_has_its_row_and_every_row_its_word(section: str, words: Callable[[], set[str]]) -> None:
    assert words() - rows(section) == set(), "a word without a row"
    if section != "Dead letters":  # it names headers as well
        assert rows(section) - words() == set(), "a row without a word"


def test_the_page_of_warnings_is_made_of_the_table() -> None:
    assert warnings() == codes.KNOWN
    assert codes.page(WARNINGS_PAGE) == WARNINGS_PAGE, "write it anew: python -m stream_sync.codes < docs/warnings.md"


def test_the_words_are_found() -> None:
    assert {"column_missing", "value_truncated", "exit_unknown", "null_default_suspect", "deletes_held"} <= warnings()
    assert {"types_missing", "offset_lost", "schema_registry_refused", "too_many_rejections"} <= halts()
    assert {"no_key", "type_error"} <= letters()
    assert {"lane_halted", "partitions_assigned", "kafka_error", "stopping"} <= log_lines()
