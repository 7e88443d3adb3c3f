"""What of a request may be seen by anybody: its shape and its names, without a value of anybody's data.

Invariants:
- A value is hidden unless the sink says that it is nobody's (`Request.plain`). That it is NULL is shown: it unsets.
- Of an object that came from one column not even the names inside are shown: they may be data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stream_sync.model import Intent, Sent
from stream_sync.sinks.foreseen import Request


def settled(intent: Intent) -> Intent:
    """The same intent with its values worked out once, so that they can be told in a request that holds them."""
    if intent.whole or intent.kind == "delete":
        return intent
    return msgspec.structs.replace(intent, older=dict(intent.values), mapped=None, record=None)


def masked(request: Request, intent: Intent) -> Any:
    """The body with hidden values; `intent` is a `settled` one, of which the request was made."""
    return _masked(request.body, request.plain, {id(value) for value in intent.values.values()})


def masked_value(value: Sent) -> Sent:
    """What stands for one value."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "<true or false>"
    if isinstance(value, str):
        return "<text>"
    if isinstance(value, Mapping):
        return "<object>"
    if isinstance(value, list | tuple):
        return "<list>"
    return "<number>"


def _masked(part: Any, plain: frozenset[str], values: set[int]) -> Any:
    if isinstance(part, Mapping | list) and id(part) not in values:
        if isinstance(part, list):
            return [_masked(each, plain, values) for each in part]
        return {name: each if name in plain else _masked(each, plain, values) for name, each in part.items()}
    return masked_value(part)
