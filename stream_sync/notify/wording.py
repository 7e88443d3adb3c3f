"""A digest in words: what happened, how often, where, what to do, and the command that shows more.

Invariants: pure; nothing but codes, names of columns and values, and places of records.
"""

from __future__ import annotations

import time
from typing import Any

from stream_sync.codes import EVENTS, WARNINGS, plain
from stream_sync.notify.digest import Digest

_CODES = {code.code: code for code in (*WARNINGS, *EVENTS)}
_OF_LANES = frozenset(code.code for code in EVENTS)
_COMMANDS = {
    "lane_halted": "stream-sync status -c FILE --activation {activation}",
    "lane_resumed": "stream-sync status -c FILE --activation {activation}",
    "deletes_held": "stream-sync held list -c FILE --activation {activation}",
}
_MORE = "stream-sync warnings list -c FILE --activation {activation} --code {code}"


def title(service: str, digest: Digest) -> str:
    """One line. `service`: the config's name."""
    times = "" if digest.code in _OF_LANES else f", {digest.count} times"
    if digest.count == 1 and times:
        times = ", once"
    return f"stream-sync {service}: {digest.activation}: {digest.code}{times}"


def lines(digest: Digest) -> list[str]:
    """The rest."""
    known = _CODES.get(digest.code)
    found = []
    if digest.names:
        found.append(f"{'reason' if digest.code in _OF_LANES else 'of'}: {', '.join(digest.names)}")
    if digest.message:
        found.append(digest.message)
    if known is not None:
        found.append(f"{plain(known.meaning)}. To do: {plain(known.cure)}")
    found.append(f"first {_utc(digest.first)}, last {_utc(digest.last)}")
    if digest.places:
        places = ", ".join(f"{place.topic} {place.partition}/{place.offset}" for place in digest.places)
        found.append(f"for instance (topic partition/offset): {places}")
    more = _COMMANDS.get(digest.code, _MORE).format(activation=digest.activation, code=digest.code)
    return [*found, f"more: {more}"]


def text(service: str, digest: Digest) -> str:
    """All of it."""
    return "\n".join([title(service, digest), *lines(digest)])


def card(service: str, digest: Digest) -> dict[str, Any]:
    """As an adaptive card in the message that a workflow of Microsoft Teams takes ("Post to a channel when a webhook
    request is received"); schema 1.4 is what Teams documents for incoming webhooks."""
    blocks = [
        {"type": "TextBlock", "text": title(service, digest), "weight": "Bolder", "wrap": True},
        *({"type": "TextBlock", "text": line, "wrap": True, "spacing": "Small"} for line in lines(digest)),
    ]
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
