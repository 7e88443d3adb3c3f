"""What the sandbox shows of one workspace of Braze, asked by HTTP as anybody could.

Invariant: a workspace that nobody has written to is not there, and counts as an empty one.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any

import msgspec

from tests.bench.people import Values

PAGE = 10_000
LIMIT = 60.0
"""Seconds."""


class Workspace(msgspec.Struct, frozen=True):
    """`address` is that of the workspace under the sandbox's `/sandbox`."""

    address: str

    def has_people(self) -> bool:
        """Whether anything was accepted."""
        return bool(self._ask("").get("people"))

    def people(self) -> dict[str, Values]:
        """Everybody, by external_id; custom attributes beside the standard fields."""
        found: dict[str, Values] = {}
        while True:
            page = self._ask(f"/people?from={len(found)}&limit={PAGE}")
            people = page.get("people", ())
            found |= {person["external_id"]: _values(person) for person in people}
            if len(people) < PAGE:
                return found

    def clear(self) -> None:
        """Forgets everybody."""
        self._ask("", "DELETE")

    def _ask(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(self.address + path, method=method)  # noqa: S310  our own sandbox's address
        try:
            with urllib.request.urlopen(request, timeout=LIMIT) as answer:  # noqa: S310
                return msgspec.json.decode(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return {}
            raise


def _values(person: dict[str, Any]) -> Values:
    apart = ("external_id", "braze_id", "custom_attributes")
    standard = {name: value for name, value in person.items() if name not in apart}
    return {**standard, **person["custom_attributes"]}
