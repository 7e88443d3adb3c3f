"""Whatever the stream: the decisions, applied one after the other to an empty destination, give the source's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from stream_sync.model import Intent, Mode, Nothing
from tests.routing.table import (
    TRUNCATED,
    UNAVAILABLE,
    Activation,
    Read,
    Row,
    created,
    deleted,
    key_of,
    record,
    tombstone,
    updated,
)

KEYS = st.integers(1, 4)
EMAILS = ["ann@x.se", "bob@x.se", " Ann@X.se", "cid@x.se ", "", " ", None]
WHERE: dict[str | None, Callable[[Row], bool]] = {
    None: lambda row: True,
    "tier = 'gold'": lambda row: row["tier"] == "gold",
}
NAMED: dict[str, Callable[[Row], str | None]] = {
    "id": lambda row: str(row["id"]),
    "email": lambda row: (row["email"] or "").strip().lower() or None,
}
"""The identifier, worked out a second time."""
MAPPED: dict[str, Callable[[Row], Any]] = {
    "name": lambda row: row["name"],
    "ltv": lambda row: row["ltv"],
    "both": lambda row: row["ltv"] * row["org"],
}
FIELDS = {"name": "name", "ltv": "ltv", "both": "ltv * org"}
SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)


class Step(NamedTuple):
    """What happens to one row; what does not fit its state is skipped."""

    kind: Literal["write", "snapshot", "delete", "compacted", "renumber", "truncate"]
    key: int
    to: int
    columns: Row
    unavailable: bool
    """Whether an unchanged `name` is not on the wire."""
    buried: bool
    """Whether a delete has its tombstone."""


rows = st.fixed_dictionaries(
    {},
    optional={
        "email": st.sampled_from(EMAILS),
        "tier": st.sampled_from(["gold", "gold", "basic", None]),
        "name": st.sampled_from(["Ann", "Bob", None]),
        "ltv": st.integers(0, 3),
        "org": st.integers(1, 2),
    },
)
kinds = st.sampled_from(["write", "write", "write", "snapshot", "delete", "compacted", "renumber", "truncate"])
streams = st.lists(st.builds(Step, kinds, KEYS, KEYS, rows, st.booleans(), st.booleans()), max_size=30)


class Table:
    """The source: its rows, and the records that tell of them. `email` is unique, as people write it or not."""

    def __init__(self, before: Literal["full", "key"], *, compacted: bool, toast: bool = True) -> None:
        self.rows: dict[int, Row] = {}
        self._before = before
        self._compacted = compacted
        self._toast = toast

    def records(self, stream: list[Step]) -> Iterator[Read]:
        for step in stream:
            yield from self._records(step)

    def _records(self, step: Step) -> Iterator[Read]:
        was = self.rows.get(step.key)
        match step.kind:
            case "truncate":
                yield TRUNCATED
            case "write" | "snapshot":
                yield from self._write(step, was)
            case "delete" if was is not None:
                del self.rows[step.key]
                yield self._deleted(was)
                if step.buried:
                    yield tombstone(was)
            case "compacted" if was is not None and self._compacted:
                del self.rows[step.key]
                yield tombstone(was)
            case "renumber" if was is not None and step.to not in self.rows:
                del self.rows[step.key]
                now = self.rows[step.to] = {**was, "id": step.to}
                new_key = {"__debezium.newkey": key_of(now)}
                yield self._deleted(was, headers=new_key)
                yield Read(None, key_of(was), new_key)
                yield created(now, headers={"__debezium.oldkey": key_of(was)})

    def _write(self, step: Step, was: Row | None) -> Iterator[Read]:
        blank = {"id": step.key, "org": 1, "email": None, "tier": None, "name": None, "ltv": 0}
        now = {**(was or {**blank, "profile": None, "seen_at": 0}), **step.columns}
        if was is not None and step.kind == "snapshot":
            now = was
        others = {NAMED["email"](row) for key, row in self.rows.items() if key != step.key}
        if NAMED["email"](now) in others - {None}:
            return
        self.rows[step.key] = now
        if was is None or step.kind == "snapshot":
            yield record("r" if step.kind == "snapshot" else "c", None, now)
            return
        untold = self._toast and step.unavailable and now["name"] == was["name"]
        yield updated(was if self._before == "full" else None, {**now, "name": UNAVAILABLE} if untold else now)

    def _deleted(self, was: Row, **more: Any) -> Read:
        image = was if self._before == "full" else {**dict.fromkeys(was), "id": was["id"]}
        return deleted(image, **more)

    def people(self, where: str | None, identifier: str) -> dict[str, Row]:
        """Who should be at the destination, and how."""
        inside = [(NAMED[identifier](row), row) for row in self.rows.values() if WHERE[where](row)]
        return {who: {name: value(row) for name, value in MAPPED.items()} for who, row in inside if who is not None}


class Destination:
    """Keeps people as a vendor does."""

    def __init__(self, mode: Mode, people: dict[str, Row]) -> None:
        self.people = people
        self._mode = mode

    def apply(self, intent: Intent) -> None:
        who = intent.identifier
        if intent.kind == "delete":
            assert self._mode == "mirror"
            self.people.pop(who, None)
        elif who in self.people:
            self.people[who] = {**self.people[who], **intent.to_send}
        elif self._mode != "update":
            assert intent.kind == "insert", "a person who is not there was only changed"
            self.people[who] = dict(intent.to_send)


def end(activation: Activation, reads: Iterator[Read], destination: Destination) -> dict[str, Row]:
    for read in reads:
        decision = activation.decide(read)
        for intent in (decision,) if isinstance(decision, Intent) else decision if isinstance(decision, tuple) else ():
            destination.apply(intent)
        assert isinstance(decision, Intent | tuple | Nothing)
    return destination.people


@SETTINGS
@given(stream=streams, where=st.sampled_from(list(WHERE)), identifier=st.sampled_from(list(NAMED)))
def test_a_mirror_ends_as_the_segment(stream: list[Step], where: str | None, identifier: str) -> None:
    activation = Activation("mirror", where=where, identifier=identifier, fields=FIELDS)
    table = Table("full", compacted=where is None and identifier == "id")
    people = end(activation, table.records(stream), Destination("mirror", {}))
    assert people == table.people(where, identifier)


@SETTINGS
@given(stream=streams)
def test_so_does_a_mirror_of_keys_without_before_images(stream: list[Step]) -> None:
    activation = Activation("mirror", where=None, before="key", fields=FIELDS)
    table = Table("key", compacted=True)
    people = end(activation, table.records(stream), Destination("mirror", {}))
    assert people == table.people(None, "id")


@SETTINGS
@given(
    stream=streams,
    where=st.sampled_from(list(WHERE)),
    identifier=st.sampled_from(list(NAMED)),
    before=st.sampled_from(["full", "key"]),
)
def test_an_upsert_deletes_nobody_and_ends_with_the_segment_as_it_is(
    stream: list[Step], where: str | None, identifier: str, before: Literal["full", "key"]
) -> None:
    activation = Activation("upsert", where=where, identifier=identifier, before=before, fields=FIELDS)
    stays = where is None and identifier == "id"  # else a person can enter with a value that was never on the wire
    table = Table(before, compacted=True, toast=before == "full" or stays)
    people = end(activation, table.records(stream), Destination("upsert", {}))
    segment = table.people(where, identifier)
    assert {who: people[who] for who in segment} == segment


@SETTINGS
@given(
    stream=streams,
    where=st.sampled_from(list(WHERE)),
    identifier=st.sampled_from(list(NAMED)),
    before=st.sampled_from(["full", "key"]),
    known=st.sets(st.sampled_from(["1", "2", "ann@x.se", "bob@x.se"])),
)
def test_an_update_creates_nobody_and_brings_those_who_are_there_up_to_date(
    stream: list[Step], where: str | None, identifier: str, before: Literal["full", "key"], known: set[str]
) -> None:
    activation = Activation("update", where=where, identifier=identifier, before=before, fields=FIELDS)
    stays = where is None and identifier == "id"  # else a person can enter with a value that was never on the wire
    table = Table(before, compacted=True, toast=before == "full" or stays)
    people = end(activation, table.records(stream), Destination("update", {who: {} for who in known}))
    assert people.keys() == known
    segment = table.people(where, identifier)
    assert all(people[who] == segment[who] for who in known & segment.keys())
