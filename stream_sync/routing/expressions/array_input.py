"""PostgreSQL's array literals of one dimension: `{a,"b c",NULL}`.

Invariants:
- Elements come out as text or None; who uses them decides their type.
"""

from __future__ import annotations

import re

from stream_sync.routing.expressions.errors import EvaluationError

_ELEMENT = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^",{}\\\s](?:[^",{}\\]*[^",{}\\\s])?))\s*([,}])', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def array_literal(text: str) -> list[str | None]:
    """The elements of an array literal. Raises EvaluationError."""
    body = text.strip()
    if not body.startswith("{") or not body.endswith("}"):
        raise EvaluationError("the text is not an array literal such as {a,b}")
    if not body[1:-1].strip():
        return []
    elements: list[str | None] = []
    position = 1
    while position < len(body):
        found = _ELEMENT.match(body, position)
        if found is None or (found[3] == "}") != (found.end() == len(body)):
            raise EvaluationError("the text is not an array literal of one dimension such as {a,b}")
        quoted, bare, _ = found.groups()
        if quoted is not None:
            elements.append(_ESCAPE.sub(r"\1", quoted))
        else:
            elements.append(None if bare.upper() == "NULL" else bare)
        position = found.end()
    return elements
