"""How Debezium writes "the database did not say" (unchanged TOAST and its like), and how to find it cheaply.

Invariants:
- A wire value is unavailable when the *whole* value is one of the forms below; the text inside a longer text, or deep
  in a JSON document, is data.
- Where the connector writes a plain null instead (numeric[], timestamptz[], bytea in base64 mode), nothing can tell it
  from NULL.

Source: seen in Debezium 3.6.3 captures; its UnchangedToastedReplicationMessageColumn and UnchangedToastedPlaceholder.
"""

from __future__ import annotations

import base64
import hashlib
import uuid

PLACEHOLDER = "__debezium_unavailable_value"
"""The connector's default `unavailable.value.placeholder`."""

_BASE64 = base64.b64encode(PLACEHOLDER.encode()).decode()
# Java's UUID.nameUUIDFromBytes: MD5 of the bare name, without a namespace.
_UUID = str(uuid.UUID(bytes=hashlib.md5(PLACEHOLDER.encode(), usedforsecurity=False).digest(), version=3))
_CODES = list(PLACEHOLDER.encode())

Marks = tuple[object, ...]
"""Wire values that mean unavailable."""

BYTES: Marks = (PLACEHOLDER, _BASE64, PLACEHOLDER.encode())
TEXT: Marks = (PLACEHOLDER, _BASE64, f'{{"{PLACEHOLDER}":"{PLACEHOLDER}"}}')
"""Also of a column that is declared to be text and is bytes, or an hstore, in the database."""
ARRAY: Marks = ([PLACEHOLDER], _CODES, [_UUID], [_BASE64], [PLACEHOLDER.encode()])
ANY: Marks = (*TEXT, PLACEHOLDER.encode(), {PLACEHOLDER: PLACEHOLDER}, *ARRAY)
"""Of a column that may be anything, as one that is declared to be JSON."""

_NEEDLES = {
    # With the quote before it and none behind: a text, an array's item, and (escaped) a member of an hstore's text.
    b'"' + PLACEHOLDER.encode(): lambda mark: PLACEHOLDER in str(mark),
    _BASE64.rstrip("=").encode(): lambda mark: mark in (_BASE64, [_BASE64]),
    _UUID.encode(): lambda mark: mark == [_UUID],
    # As Connect's JsonConverter writes an array: without spaces.
    b"[" + ",".join(map(str, _CODES[:8])).encode() + b",": lambda mark: mark == _CODES,
}


def json_needles(marks: Marks) -> tuple[bytes, ...]:
    """Byte strings of which at least one is in every JSON record that holds one of `marks`."""
    return tuple(needle for needle, finds in _NEEDLES.items() if any(map(finds, marks)))
