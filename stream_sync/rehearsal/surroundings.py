"""What an edit changes around an activation: its source, its destination's account, the last-delivered state.

Invariants: pure; of a secret nothing is told but that it is another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stream_sync.activations import keeps_state
from stream_sync.config.secrets import secrets_in
from stream_sync.config.settings import Source, State
from stream_sync.rehearsal.deciders import Activated

HALTS = "a lane of this name halts (route_changed); give the activation another name"
_BEFORE = {
    True: "what changed is told from what stayed, and who leaves is seen",
    False: "updates are sent whole, and who leaves a segment is not seen but by a `state`",
}


def of_source(new: Source, old: Source) -> Iterator[str]:
    """Each is one line."""
    if new.topic != old.topic:
        yield f"source: another topic, {old.topic} -> {new.topic}: {HALTS}"
    for name in ("format", "encoding"):
        if getattr(new, name) != getattr(old, name):
            yield f"source: {name}: {getattr(old, name)} -> {getattr(new, name)}: the same records are read otherwise"
    if new.key != old.key:
        yield f"source: key: {_key(old)} -> {_key(new)}"
    if new.before != old.before:
        means = f": {_BEFORE[new.shows_before]}" if new.shows_before != old.shows_before else ""
        yield f"source: before: {old.before} -> {new.before}{means}"
    for line in edits("source: types", old.types, new.types):
        yield f"{line}: its values are read otherwise"


def of_destination(new: Activated, old: Activated) -> Iterator[str]:
    """Each is one line."""
    is_other = account(new) != account(old)
    if is_other:
        yield f"destination: another account: {HALTS}"
    if new.settings.type != old.settings.type:
        return
    if not is_other and not new.sink.account_tells and _secrets(new) != _secrets(old):
        yield "destination: another key: a new one of this account, or that of another account at the same address"
    left_out = {"url"} if is_other else set[str]()
    yield from edits("destination", *(each.settings.model_dump(exclude=left_out) for each in (old, new)))


def of_state(new: Activated, old: Activated) -> Iterator[str]:
    """Each is one line."""
    now, was = (keeps_state(each.config, each.name) for each in (new, old))
    if now and not was:
        yield "state: none -> kept: people are whole once more before only what changed is sent"
    elif was and not now:
        yield f"state: kept -> none: {_BEFORE[False] if not new.source.shows_before else 'whole rows are sent whole'}"
    elif now and _store(new.config.state) != _store(old.config.state):
        yield "state: another store, or another key: it knows nobody yet"


def account(found: Activated) -> tuple[str, ...]:
    """What tells the account from others."""
    return (found.settings.type, *found.sink.account(found.settings))


def edits(place: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """`place.name: old -> new` of everything that differs, as the config would have it; secrets are `***` on both
    sides."""
    for name in dict.fromkeys([*old, *new]):
        was, now = old.get(name), new.get(name)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from edits(f"{place}.{name}", was, now)
        elif was != now:
            yield f"{place}.{name}: {_text(was)} -> {_text(now)}"


def _text(value: Any) -> str:
    match value:
        case None | () | []:
            return "none"
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return ", ".join(f"{name} {_text(child)}" for name, child in value.items()) or "none"
        case tuple() | list():
            return ", ".join(map(_text, value))
    return str(value)


def _key(source: Source) -> str:
    return "as the records have it" if source.key is None else f"({', '.join(source.key)})"


def _secrets(found: Activated) -> list[str]:
    return [secret.reveal() for secret in secrets_in(found.settings)]


def _store(state: State | None) -> list[str]:
    return [secret.reveal() for secret in secrets_in(state)]
