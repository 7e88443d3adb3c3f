"""Reads YAML text as plain Python data that knows the line of every key and item.

Invariants:
- Every key is text and stands once; every list item and mapping entry has a line (1 is the first).
- What a file can make us build is bounded (bytes, depth, number of values), aliases counted each time they are used:
  a few lines of nested aliases must not fill the memory.
- A value's text is never repeated in a problem: it may be a secret.
"""

from __future__ import annotations

import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from stream_sync.config.problems import Place, Report

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_VALUES = 100_000

_OPENING = re.compile(r"(?:[\[{]\s*){50}")
_TAG = "tag:yaml.org,2002:"
_HALF = "half a character (a lone \\ud800 to \\udfff); write the character itself"


def parse(content: bytes, report: Report) -> dict[str, Any]:
    """The file's mapping. Problems and lines go to `report`; what could not be read is left out."""
    if len(content) > MAX_BYTES:
        report.problem((), f"is larger than {MAX_BYTES:,} bytes; this is not a config file", line=None)
        return {}
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        report.problem((), "is not UTF-8 text; save the file as UTF-8", line=line)
        return {}
    if _OPENING.search(text):  # the parser's time grows with the square of these
        report.problem((), f"is nested deeper than {MAX_DEPTH} levels", line=None)
        return {}
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        report.problem((), f"is not YAML: {error.problem or error.context}", line=_line(error, text))
        return {}
    except YAMLError:
        position = next((at for at, char in enumerate(text) if not char.isprintable() and char not in "\t\r\n"), 0)
        line = text.count("\n", 0, position) + 1
        report.problem((), "is not YAML: it holds a control character", line=line)
        return {}
    except RecursionError:
        report.problem((), f"is nested deeper than {MAX_DEPTH} levels", line=None)
        return {}
    except (ValueError, OverflowError):
        report.problem((), 'is not YAML: an escape like "\\U00110000" stands for no character', line=None)
        return {}
    if root is None:
        report.problem(
            (), "is empty; start with `name:`, `kafka:`, `sources:`, `destinations:` and `activations:`", line=1
        )
        return {}
    if not isinstance(root, MappingNode):
        report.problem((), "should be a mapping: `name: …`, `kafka: …`, one a line", line=root.start_mark.line + 1)
        return {}
    try:
        return _Builder(report).mapping(root, ())
    except _TooMuchError as error:
        report.problem((), str(error), line=error.line)
        return {}


def _line(error: MarkedYAMLError, text: str) -> int | None:
    """Where the mistake is: of what never ends, its start."""
    mark = error.problem_mark or error.context_mark
    if mark is not None and error.context_mark is not None and mark.index >= len(text.rstrip()):
        mark = error.context_mark
    return min(mark.line, text.rstrip().count("\n")) + 1 if mark else None


class YamlDate:
    """A date of YAML. No setting is one, so it does not matter which."""


class _TooMuchError(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class _Builder:
    def __init__(self, report: Report) -> None:
        self._report = report
        self._values = 0

    def value(self, node: Node, place: Place) -> Any:
        line = node.start_mark.line + 1
        self._values += 1
        if self._values > MAX_VALUES:
            raise _TooMuchError(f"holds more than {MAX_VALUES:,} values, aliases counted each time", line)
        if len(place) > MAX_DEPTH:
            raise _TooMuchError(f"is nested deeper than {MAX_DEPTH} levels (or an alias holds itself)", line)
        match node:
            case MappingNode(tag="tag:yaml.org,2002:map"):
                return self.mapping(node, place)
            case SequenceNode(tag="tag:yaml.org,2002:seq"):
                return [self._item(item, (*place, index)) for index, item in enumerate(node.value)]
            case ScalarNode():
                return self._scalar(node, place)
        self._report.problem(place, f"has the tag {node.tag}; tags are not supported, write the value plainly")
        return None

    def mapping(self, node: MappingNode, place: Place) -> dict[str, Any]:
        built: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key, child in node.value:
            line = key.start_mark.line + 1
            if key.tag == _TAG + "merge":
                merged |= self._merge(child, place, line)
            elif not isinstance(key, ScalarNode) or key.tag != _TAG + "str":
                self._report.problem(place, "has a key that is not text; put it in quotes", line=line)
            elif (name := _joined(str(key.value))) is None:
                self._report.problem(place, f"has a key with {_HALF}", line=line)
            elif name in built:
                self._report.problem(
                    (*place, name), f"is given twice (first in line {first[name]}); keep one", line=line
                )
            else:
                self._report.lines[*place, name] = first[name] = line
                built[name] = self.value(child, (*place, name))
        return merged | built if merged else built

    def _merge(self, node: Node, place: Place, line: int) -> dict[str, Any]:
        parts = node.value if isinstance(node, SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for part in reversed(parts):  # YAML: an earlier one wins
            if not isinstance(part, MappingNode):
                self._report.problem(place, "merges (`<<`) something that is not a mapping", line=line)
                continue
            self._values += 1
            merged |= self.mapping(part, place)
        return merged

    def _item(self, node: Node, place: Place) -> Any:
        self._report.lines[place] = node.start_mark.line + 1
        return self.value(node, place)

    def _scalar(self, node: ScalarNode, place: Place) -> object:
        text = str(node.value)
        match str(node.tag).removeprefix(_TAG):
            case "str":
                if (joined := _joined(text)) is None:
                    self._report.unreadable(place, f"holds {_HALF}")
                return joined
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "timestamp":
                return YamlDate()
            case "int" | "float" as kind:
                try:
                    return _integer(text) if kind == "int" else float(text.replace("_", "").replace(".inf", "inf"))
                except ValueError:
                    self._report.problem(place, "is not a number; put it in quotes if it is text")
                    return None
        self._report.problem(place, f"has the tag {node.tag}; tags are not supported, write the value plainly")
        return None


def _joined(text: str) -> str | None:
    """With each pair of escaped surrogates, as JSON has them, as its one character; None where one has no partner."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return None


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits, 0 if digits.lstrip("+-")[:2].lower() in ("0b", "0o", "0x") else 10)
