"""How a previewed record is told: in lines for people, as an object for scripts.

Invariants: keys, identifiers and values only where asked for; a hash stands for a key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from stream_sync.commands.letters import text_of
from stream_sync.model import Change, Intent, NotAChange, Nothing, Refused, Undecodable, Unseen
from stream_sync.rehearsal.masking import masked, masked_value
from stream_sync.rehearsal.preview import Example, Foreseen, Shown
from stream_sync.replay.selection import hidden
from stream_sync.routing.verdict import Side
from stream_sync.sinks.foreseen import Request
from stream_sync.sinks.forms import encode

OPS = {"r": "snapshot", "c": "insert", "u": "update", "d": "delete", "t": "truncate", "tombstone": "tombstone"}
STANDS = {
    "in": "in the segment",
    "outside": "outside of the segment",
    "nameless": "in the segment, but without an identifier",
    "unknown": "not known",
    "no_row": "no row",
}
REASONS = {
    "outside": "nothing: the person is not this activation's, before or after",
    "unchanged": "nothing: no mapped value changed",
    "nameless": "nothing: the row has no identifier",
    "unknown": "nothing: what would be right cannot be known",
    "tombstone": "nothing: its delete came before",
    "truncate": "nothing: a truncate never deletes people",
}
UNSEEN = "a delete, if the last-delivered state knows the person; else nothing (preview does not ask it)"
LIVES_ON = "nothing: the row goes on under another key, as the same person"
VALUES = {True: "true", False: "false", None: "NULL"}


def lines(shown: Shown, example: Example, *, show: bool) -> Iterator[str]:
    """A record for people."""
    record, decoded = example.record, example.decoded
    key = text_of(record.key()) or "none" if show else hidden(record.key())
    what = OPS[decoded.op] if isinstance(decoded, Change) else "record"
    yield f"{record.topic()} {record.partition()}/{record.offset()}  {what}, {_when(example)}, key {key}"
    if isinstance(decoded, Undecodable):
        yield f"  dead letter  {decoded.code} ({decoded.stage}): {decoded.message}"
        return
    if isinstance(decoded, NotAChange):
        yield f"  nothing      no row change: {decoded.kind}"
        return
    if example.verdict is not None and decoded.op not in ("t", "tombstone"):
        yield f"  was          {_side(example.verdict.was, show=show)}"
        yield f"  is           {_side(example.verdict.now, show=show)}"
    match example.decision:
        case Nothing(reason=reason, warning=warning):
            warned = f", with the warning {warning}" if warning else ""
            yield f"  decision     {_nothing(shown, example, reason)}{warned}"
        case Unseen():
            yield f"  decision     {UNSEEN}"
        case Refused(stage=stage, code=code, message=message):
            yield f"  dead letter  {code} ({stage}): {message}"
    for foreseen in example.foreseen:
        yield f"  decision     {_intent(foreseen.intent, shown, show=show)}"
        yield from _requests(foreseen, show=show)


def as_json(shown: Shown, *, show: bool) -> str:
    """Everything for scripts; numbers have the digits that would be sent."""
    return msgspec.json.format(encode(_all(shown, show=show)), indent=2).decode()


def _all(shown: Shown, *, show: bool) -> dict[str, Any]:
    return {
        "activation": shown.activated.name,
        "topic": shown.activated.source.topic,
        "looked_at": shown.looked_at,
        "compacted": shown.compacted,
        "warnings": dict(shown.warnings),
        "records": [_object(example, show=show) for example in shown.examples],
    }


def _object(example: Example, *, show: bool) -> dict[str, Any]:
    record, decoded, decision = example.record, example.decoded, example.decision
    told: dict[str, Any] = {
        "partition": record.partition(),
        "offset": record.offset(),
        "key": text_of(record.key()) if show else hidden(record.key()),
    }
    match decoded:
        case NotAChange(kind=kind):
            return told | {"decision": "nothing", "reason": kind}
        case Undecodable():
            return told | _letter(decoded)
    assert example.verdict is not None
    told["op"] = decoded.op
    told["committed_at"] = None if decoded.ts_ms is None else _iso(decoded.ts_ms)
    told["was"] = _side_object(example.verdict.was, show=show)
    told["is"] = _side_object(example.verdict.now, show=show)
    if isinstance(decision, Refused):
        return told | _letter(decision)
    if isinstance(decision, Nothing):
        return told | {"decision": "nothing", "reason": decision.reason, "warning": decision.warning}
    if isinstance(decision, Unseen):
        return told | {"decision": "nothing", "reason": "unseen", "warning": None}
    return told | {"decision": "intents", "intents": [_foreseen_object(each, show=show) for each in example.foreseen]}


def _letter(why: Undecodable | Refused) -> dict[str, Any]:
    return {"decision": "dead_letter", "stage": why.stage, "code": why.code, "message": why.message}


def _side_object(side: Side, *, show: bool) -> dict[str, Any]:
    return {
        "stands": side.stands,
        "clauses": [{"clause": ground.text, "value": ground.value} for ground in side.grounds],
        "why": side.why or None,
        **({"person": side.person.identifier if side.person else None, "columns": side.read} if show else {}),
    }


def _foreseen_object(foreseen: Foreseen, *, show: bool) -> dict[str, Any]:
    intent = foreseen.intent
    # Half a surrogate pair cannot be written as JSON here either.
    told = intent.to_send if foreseen.refused is None or foreseen.refused.code != "unencodable" else {}
    values = {name: value if show else masked_value(value) for name, value in told.items()}
    return {
        "kind": intent.kind,
        "identified_by": intent.identified_by,
        "identifier": intent.identifier if show else None,
        "whole": intent.whole and intent.kind != "delete",
        "values": values,
        "refused": None if foreseen.refused is None else msgspec.to_builtins(foreseen.refused),
        "requests": [
            {
                "method": request.method,
                "path": request.target if show else request.path,
                "body": request.body if show else masked(request, intent),
                "only": request.only or None,
                "refused": None if request.refused is None else msgspec.to_builtins(request.refused),
            }
            for request in foreseen.requests
        ],
    }


def _when(example: Example) -> str:
    decoded = example.decoded
    if isinstance(decoded, Change) and decoded.ts_ms is not None:
        return f"committed {_iso(decoded.ts_ms)}"
    return f"written {_iso(example.record.timestamp()[1])}"


def _iso(ms: int) -> str:
    try:
        return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return "at no time of the calendar"


def _side(side: Side, *, show: bool) -> str:
    words = STANDS[side.stands]
    if side.person is not None:
        words += f" as {side.person.identified_by}" + (f" {side.person.identifier}" if show else "")
    if side.why:
        words += f": {side.why}"
    if side.grounds:
        words += ", since " + " and ".join(f"{ground.text} is {VALUES[ground.value]}" for ground in side.grounds)
    if show and side.read:
        words += f" [{', '.join(f'{name}: {_shown(value)}' for name, value in side.read.items())}]"
    return words


def _shown(value: Any) -> str:
    return "NULL" if value is None else str(value)


def _nothing(shown: Shown, example: Example, reason: str) -> str:
    if reason == "outside" and example.verdict is not None and example.verdict.was.stands == "in":
        mode = shown.activated.activation.mode
        return LIVES_ON if mode == "mirror" else f"nothing: mode {mode} deletes nobody"
    return REASONS[reason]


def _intent(intent: Intent, shown: Shown, *, show: bool) -> str:
    who = f"{intent.identified_by} {intent.identifier}" if show else intent.identified_by
    names = ", ".join(intent.to_send)
    if intent.formerly is not None:
        who += f", renamed from {intent.formerly}" if show else ", renamed"
    match intent.kind:
        case "insert":
            return f"insert of {who}, the whole row: {names}"
        case "update":
            what = "the whole row" if intent.whole else "what changed"
            return f"update of {who}, {what}: {names}"
        case "delete":
            deletes = shown.activated.activation.deletes
            after = f" once {deletes.after:g} s went by without a write" if deletes is not None else ""
            follows = ", after that insert is delivered" if intent.follows is not None else ""
            return f"delete of {who}{after}{follows}"


def _requests(foreseen: Foreseen, *, show: bool) -> Iterator[str]:
    if (refused := foreseen.refused) is not None:
        yield f"  dead letter  {refused.code}, without a request: {refused.message}"
    elif not foreseen.requests:
        yield "  request      none, or this destination does not say which"
    for request in foreseen.requests:
        yield f"  request      {request.method} {request.target if show else request.path}{_only(request)}"
        if request.refused is not None:
            yield f"               dead letter {request.refused.code} instead: {request.refused.message}"
        elif request.body is not None:
            body: Mapping[str, Any] = request.body if show else masked(request, foreseen.intent)
            yield f"               {encode(body).decode()}"


def _only(request: Request) -> str:
    return f"  ({request.only})" if request.only else ""
