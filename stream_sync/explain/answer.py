"""What is known of a record, in words; and of all records, the one line that answers why somebody is not up to date.

Invariants: pure. No value and no identifier is in the words: only names, expressions of the config, places and codes.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from stream_sync.explain.delivery import Delivery
from stream_sync.explain.explaining import Explained, Explanation
from stream_sync.explain.history import Entry, Found, Moved
from stream_sync.kafka.outcomes import Told
from stream_sync.kafka.put_aside import Letter
from stream_sync.model import UNCHANGED, Intent, Kind, Mode, NotAChange, Nothing, Refused, Undecodable, Unseen
from stream_sync.routing.verdict import Side

OPS = {"r": "snapshot", "c": "create", "u": "update", "d": "delete", "t": "truncate", "": "unreadable"}
_ROUNDS = re.compile(r"\b(round|floor|ceil|ceiling|trunc|date_trunc)\s*\(", re.IGNORECASE)
_OUTCOMES = {
    "unknown_person": "the destination does not know the person",
    "unchanged": "the destination has all of it already, by the last-delivered state: nothing was sent",
    "superseded": "something newer of the person came first",
    "delete_budget": "the delete budget was exceeded",
}


def side(stood: Side) -> str:
    """How a row stood to the segment, and which clause of `where` decided."""
    grounds = ", ".join(f"{ground.text} is {_sql(ground.value)}" for ground in stood.grounds)
    match stood.stands:
        case "in":
            return f"in the segment{f': {grounds}' if grounds else ''}"
        case "outside":
            return f"outside of the segment{f': {grounds}' if grounds else ''}"
        case "nameless":
            return "in the segment, without an identifier"
        case "unknown":
            return f"cannot be known: {stood.why}"
        case "no_row":
            return "no row"


def decided(decision: Found) -> str:
    """What the record asks for."""
    match decision:
        case Intent():
            return _intent(decision)
        case tuple():
            return ", then ".join(map(_intent, decision))
        case Nothing(reason=reason, warning=warning):
            return f"nothing ({warning or reason})"
        case Refused() | Undecodable():
            return f"dead letter ({decision.code}: {decision.message})"
        case Unseen():
            return "Delete, if the last-delivered state knows the person"
        case NotAChange(kind=kind):
            return f"nothing ({kind}: no row change)"


def became(place: tuple[int, int], delivery: Delivery) -> list[str]:
    """What became of its intents, one a line; nothing where nothing was to become of them."""
    lines = [_told(place, told) for told in delivery.told]
    if delivery.letter is not None:
        lines.append(_letter("dead letter", delivery.letter))
    if delivery.held is not None:
        lines.append(_letter("held delete", delivery.held))
    return lines or [_untold(delivery)]


def answer(explanation: Explanation, mode: Mode) -> str:
    """The last line: why the rows' person is not as the source has them, or that they are."""
    if not explanation.records:
        return "No record: the topic tells nothing of it; see that it is written as in the source, and --since"
    last = _last(explanation.records)
    entry, delivery = last.entry, last.delivery
    match entry.decision:
        case Nothing():
            text = f"Not sent: {why_not(entry, mode)}"
            if delivery.told:
                text += f"; sent whole all the same: {_told(entry.place, delivery.told[-1])}"
        case Refused() | Undecodable() as refused:
            text = f"Refused: {refused.code}: {refused.message}"
        case NotAChange(kind=kind):
            text = f"Not sent: a {kind} record is no row change"
        case _:
            text = _sent(entry, delivery, explanation)
    letters = [
        each.delivery.letter
        for each in explanation.records
        if each is not last and each.delivery.letter is not None and each.delivery.letter.is_open
    ]
    if letters:
        text += f"; an earlier change is still an open dead letter ({letters[-1].partition}/{letters[-1].offset})"
    return text


def why_not(entry: Entry, mode: Mode) -> str:
    """Why a record that could be read asks for nothing."""
    decision, verdict = entry.decision, entry.verdict
    assert isinstance(decision, Nothing)
    match decision.reason:
        case "unchanged":
            return _unchanged(entry.moved)
        case "tombstone":
            return "a tombstone belongs to the delete before it"
        case "truncate":
            return "a truncate deletes nobody"
        case "nameless":
            return "the row has no identifier"
        case "unknown":
            why = "" if verdict is None else verdict.now.why or verdict.was.why
            return f"it cannot be known whether the person is or was in the segment{f': {why}' if why else ''}"
    if verdict is None or verdict.now.stands == "no_row":
        if mode != "mirror":
            return f"mode {mode} deletes nobody"
        lives_on = verdict is not None and verdict.was.stands == "in"
        return "the person lives on under the row's new key" if lives_on else "the row was not in the segment"
    if verdict.was.stands == "in" and mode != "mirror":
        return f"{side(verdict.now)}; mode {mode} leaves who left as they are"
    return side(verdict.now)


def utc(milliseconds: int | None) -> str:
    """A time for people; `-` where there is none."""
    if milliseconds is None:
        return "-"
    try:
        moment = dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return "-"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _sent(entry: Entry, delivery: Delivery, explanation: Explanation) -> str:
    what = decided(entry.decision)
    if isinstance(entry.decision, Unseen) and (delivery.told or delivery.letter or delivery.held):
        what = _intent(entry.decision.delete)  # the state knew the person
    if delivery.told:
        told = delivery.told[-1]
        if told.kind is not None and told.by is not None:
            what = f"{told.kind.capitalize()} by a {told.by}"
        elif told.kind is not None and told.kind not in _kinds(entry.decision):
            what += (
                f", sent as {told.kind.capitalize()}{', merged with other records' if len(told.offsets) > 1 else ''}"
            )
        words = {"delivered": "Delivered", "ignored": "Not taken up", "rejected": "Refused", "parked": "Held"}
        word = "Not sent" if told.code == UNCHANGED.reason else words.get(told.outcome, told.outcome)
        text = f"{word}: {what}; {_told(entry.place, told)}"
        return text + (f"; {_letter('dead letter', delivery.letter)}" if delivery.letter is not None else "")
    if delivery.letter is not None:
        return f"Refused: {what}; {_letter('dead letter', delivery.letter)}"
    if delivery.held is not None:
        return f"Held: {what}; {_letter('held delete', delivery.held)}"
    if delivery.settled is not True:
        return f"Waiting: {what}; {_untold(delivery)}"
    if isinstance(entry.decision, Unseen) and explanation.tells:
        return "Not sent: outside of the segment, and the last-delivered state did not know the person"
    hint = "its outcome is not in the topic" if explanation.tells else "`outcomes: on` would tell"
    return f"Decided, delivery unknown: {what}; {hint}"


def _last(records: Sequence[Explained]) -> Explained:
    """The newest record that is about the person: not a tombstone, which only follows."""
    telling = [
        each
        for each in records
        if not isinstance(each.entry.decision, NotAChange) and each.entry.decision != Nothing("tombstone")
    ]
    return max(telling or records, key=lambda each: (each.entry.ts_ms or 0, each.entry.place[1]))


def _unchanged(moved: Sequence[Moved]) -> str:
    same = [each for each in moved if not each.is_sent_otherwise]
    if not same:
        return "nothing that is mapped changed"
    by_why: dict[str, list[str]] = {}
    for each in same:
        by_why.setdefault(_why_same(each), []).append(each.name)
    return "; ".join(f"{', '.join(names)} unchanged {why}" for why, names in by_why.items())


def _why_same(moved: Moved) -> str:
    if _ROUNDS.search(moved.expression):
        return "after rounding"
    is_column = moved.expression.strip('"').replace("_", "").isalnum()
    return "in the form sent" if is_column else f"after {moved.expression}"


def _kinds(decision: Found) -> Sequence[Kind]:
    if isinstance(decision, Unseen):
        return ["delete"]
    return [
        each.kind for each in (decision if isinstance(decision, tuple) else (decision,)) if isinstance(each, Intent)
    ]


def _intent(intent: Intent) -> str:
    if intent.kind == "delete":
        return "Delete"
    whole = "the whole row" if intent.whole else ", ".join(intent.known)
    renamed = ", renamed" if intent.formerly is not None else ""
    return f"{intent.kind.capitalize()} of {whole}{renamed}"


def _told(place: tuple[int, int], told: Told) -> str:
    merged = f", merged into {told.partition}/{told.merged_into}" if told.merged_into != place[1] else ""
    request = f", {told.endpoint} answered {told.status}" if told.endpoint is not None else ""
    why = f" ({_OUTCOMES.get(told.code, told.code)})" if told.code else ""
    kind = f"{told.kind} " if told.kind is not None else ""
    by = f" by a {told.by}" if told.by is not None else ""
    return f"{kind}{told.outcome}{by}{why} at {told.at}{request}{merged}"


def _letter(what: str, letter: Letter) -> str:
    state = "open" if letter.is_open else "done with"
    return f"{what} {letter.partition}/{letter.offset}, {letter.code}, {state}"


def _untold(delivery: Delivery) -> str:
    match delivery.settled:
        case None:
            return "the lane has not begun yet"
        case False:
            return "not settled yet: the lane is behind, the request is being tried, or the delete waits"
        case True:
            return "settled, delivery unknown"


def _sql(value: bool | None) -> str:
    return "NULL" if value is None else str(value).lower()
