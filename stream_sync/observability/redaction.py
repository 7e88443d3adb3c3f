"""Finds secrets by their value in anything that is to be written, and blots them out.

Invariants:
- A secret is found as it is, URL-encoded, escaped as in JSON and Python, and inside base64 text of both alphabets at
  any alignment (`Basic` auth encodes `user:secret`).
- What is given back holds only plain values: anything else became its text, so nothing unseen is rendered later.
- Secrets of fewer than 4 characters are let through: they protect nothing, and blotting them out would blot out words.
- Of secrets that change now and then the newest MOST are known: what the process keeps, and what a line costs, is
  bounded.
"""

from __future__ import annotations

import base64
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "[secret]"
SHORTEST = 4
MOST = 300
"""Secrets."""
_SHORTEST_BASE64 = 6
"""Characters; what remains of a short secret without its edges would be found in any text."""


class Redaction:
    """The secrets of one process."""

    def __init__(self) -> None:
        self._forms: OrderedDict[str, set[str]] = OrderedDict()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        """Takes note of a secret; one that is known is among the newest again."""
        text = secret.strip()
        if len(text) < SHORTEST:
            return
        if text in self._forms:
            self._forms.move_to_end(text)
            return
        self._forms[text] = _forms(text)
        if len(self._forms) > MOST:
            self._forms.popitem(last=False)
        # The longest first: a secret may hold another.
        forms = sorted(frozenset().union(*self._forms.values()), key=len, reverse=True)
        re.purge()  # it would keep the patterns of all the secrets there were
        self._pattern = re.compile("|".join(map(re.escape, forms)))

    def of(self, value: Any) -> Any:
        """The value without secrets."""
        match value:
            case None | bool():
                return value
            case str():
                return self._text(value)
            case bytes():
                return self._text(value.decode(errors="backslashreplace"))
            case int() | float():
                text = str(value)
                return value if (shown := self._text(text)) == text else shown
            case Mapping():
                return {str(self.of(name)): self.of(item) for name, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.of(item) for item in value]
            case _:
                return self._text(str(value))

    def _text(self, text: str) -> str:
        return text if self._pattern is None else self._pattern.sub(REDACTED, text)


def _forms(secret: str) -> set[str]:
    percent = quote(secret, safe="")
    lower = re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), percent)
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    escaped |= {repr(secret)[1:-1], repr(secret.encode())[2:-1]}
    return {secret, percent, lower, quote(secret), quote_plus(secret), *escaped} | _in_base64(secret.encode())


def _in_base64(secret: bytes) -> set[str]:
    """What of base64 text does not depend on what stands before and after the secret, for the three alignments."""
    forms = set()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret).decode()
        whole = encoded[-(-before * 4 // 3) : (before + len(secret)) * 8 // 6]
        if len(whole) >= _SHORTEST_BASE64:
            forms |= {whole, whole.translate(str.maketrans("+/", "-_"))}
    return forms
