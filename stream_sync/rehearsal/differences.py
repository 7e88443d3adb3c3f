"""What an edit of an activation changes, in words, and what that means for people who are at the destination.

Invariants:
- Pure; no secret is in a word.
- Every setting is told but those of SILENT, so that a new one is as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stream_sync.config.settings import Activation
from stream_sync.model import Mode
from stream_sync.rehearsal.deciders import Activated
from stream_sync.rehearsal.surroundings import edits, of_destination, of_source, of_state

SILENT = frozenset({"source", "destination", "state", "outcomes"})
"""What they name is told of, not the name; outcomes are told to nobody's destination."""
IN_WORDS = frozenset(
    {"mode", "where", "identifier", "fields", "attributes", "on_identifier_change", "deletes", "warnings"}
)


def differences(new: Activated, old: Activated) -> tuple[str, ...]:
    """Each is one line."""
    return tuple(_differences(new, old))


def _differences(new: Activated, old: Activated) -> Iterator[str]:
    now, was = new.activation, old.activation
    yield from of_source(new.source, old.source)
    yield from of_destination(new, old)
    if now.mode != was.mode:
        yield f"mode: {was.mode} -> {now.mode}"
    if now.where != was.where:
        yield f"where: {_text(was.where)} -> {_text(now.where)}"
    if now.identifier != was.identifier:
        yield f"identifier: {_listed(was.identifier)} -> {_listed(now.identifier)}: everybody is somebody else there"
    yield from _mapped(now, was)
    if now.on_identifier_change != was.on_identifier_change:
        yield f"on_identifier_change: {was.on_identifier_change} -> {now.on_identifier_change}: {_renaming(now)}"
    if now.deletes != was.deletes:
        yield f"deletes: {_budget(was)} -> {_budget(now)}"
    yield from of_state(new, old)
    yield from _others(now, was)


def _others(now: Activation, was: Activation) -> Iterator[str]:
    """Those that say by themselves what they mean."""
    told = set(Activation.model_fields) - SILENT - IN_WORDS
    for line in edits("", *(each.model_dump(include=told) for each in (was, now))):
        yield line.removeprefix(".")
    escalated = [{} if each.warnings is None else each.warnings.escalate for each in (was, now)]
    yield from edits("warnings.escalate", *escalated)


def _mapped(now: Activation, was: Activation) -> Iterator[str]:
    for section in ("fields", "attributes"):
        new, old = getattr(now, section), getattr(was, section)
        if added := [name for name in new if name not in old]:
            yield f"{section}: {', '.join(added)} added: sent with each person's next change, or with --from-start"
        if removed := [name for name in old if name not in new]:
            yield f"{section}: {', '.join(removed)} gone: what is at the destination stays as it is"
        if changed := [name for name in new if name in old and new[name] != old[name]]:
            yield f"{section}: {', '.join(changed)} by another expression: sent when what it gives changes next"


def _renaming(now: Activation) -> str:
    if now.on_identifier_change == "rename":
        return "whose identifier changes is renamed there, and nobody is deleted for it"
    old: Mapping[Mode, str] = {"mirror": "is deleted", "upsert": "stays as well", "update": "stays as well"}
    return f"whose identifier changes is somebody else there; the old one {old[now.mode]}"


def _text(where: str | None) -> str:
    return "everybody" if where is None else " ".join(where.split())


def _listed(mapping: Mapping[str, str]) -> str:
    return ", ".join(f"{name} from {text}" for name, text in mapping.items())


def _budget(activation: Activation) -> str:
    deletes = activation.deletes
    return "none" if deletes is None else f"{deletes.max} per {deletes.per:g} s, after {deletes.after:g} s"
