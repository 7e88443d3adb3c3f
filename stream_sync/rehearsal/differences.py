"""What an edit of an activation changes, in words, and what that means for people who are at the destination.

Invariants: pure; no secret is in a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stream_sync.config.settings import Activation
from stream_sync.rehearsal.deciders import Activated

HALTS = "a lane of this name halts (route_changed); give the activation another name"


def differences(new: Activated, old: Activated) -> tuple[str, ...]:
    """Each is one line."""
    return tuple(_differences(new, old))


def _differences(new: Activated, old: Activated) -> Iterator[str]:
    now, was = new.activation, old.activation
    if new.source.topic != old.source.topic:
        yield f"source: another topic, {old.source.topic} -> {new.source.topic}: {HALTS}"
    if _account(new) != _account(old):
        yield f"destination: another account: {HALTS}"
    if now.mode != was.mode:
        yield f"mode: {was.mode} -> {now.mode}"
    if now.where != was.where:
        yield f"where: {_text(was.where)} -> {_text(now.where)}"
    if now.identifier != was.identifier:
        yield f"identifier: {_listed(was.identifier)} -> {_listed(now.identifier)}: everybody is somebody else there"
    yield from _mapped(now, was)
    for name in ("nulls", "send"):
        if getattr(now, name) != getattr(was, name):
            yield f"{name}: {getattr(was, name)} -> {getattr(now, name)}"
    if now.deletes != was.deletes:
        yield f"deletes: {_budget(was)} -> {_budget(now)}"


def _mapped(now: Activation, was: Activation) -> Iterator[str]:
    for section in ("fields", "attributes"):
        new, old = getattr(now, section), getattr(was, section)
        if added := [name for name in new if name not in old]:
            yield f"{section}: {', '.join(added)} added: sent with each person's next change, or with --from-start"
        if removed := [name for name in old if name not in new]:
            yield f"{section}: {', '.join(removed)} gone: what is at the destination stays as it is"
        if changed := [name for name in new if name in old and new[name] != old[name]]:
            yield f"{section}: {', '.join(changed)} by another expression: sent when what it gives changes next"


def _account(found: Activated) -> tuple[str, ...]:
    return (found.settings.type, *found.sink.account(found.settings))


def _text(where: str | None) -> str:
    return "everybody" if where is None else " ".join(where.split())


def _listed(mapping: Mapping[str, str]) -> str:
    return ", ".join(f"{name} from {text}" for name, text in mapping.items())


def _budget(activation: Activation) -> str:
    deletes = activation.deletes
    return "none" if deletes is None else f"{deletes.max} per {deletes.per:g} s, after {deletes.after:g} s"
