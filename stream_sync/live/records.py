"""Reads some of a source's records as its activations would, and tells what does not fit what the config says.

Invariant: nothing of a record is in a finding but the names of its columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from stream_sync.activations import keeps_state, plan_of
from stream_sync.config.problems import Place, did_you_mean
from stream_sync.config.settings import Activation, Config, Source
from stream_sync.config.sink_types import installed
from stream_sync.errors import HaltError, WaitError
from stream_sync.formats.decoder import Decoder, open_decoder
from stream_sync.formats.schemaless import rows
from stream_sync.live.accounts import REGISTRY, LookedAtRegistry
from stream_sync.live.findings import Finding
from stream_sync.model import Absent, Change, Record, Undecodable, WireValueError
from stream_sync.routing.expressions.expression import parse, parse_condition
from stream_sync.routing.router import Router

Result = TypeVar("Result")
Key = tuple[str, ...] | None

_SETTING = {"wrong_encoding": "encoding", "wrong_format": "format"}
"""Of a source: what has to be mended, by the code of what cannot be read."""


class _StoppedError(Exception):
    """What was found says that no other record will tell more."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__()
        self.findings = findings


async def look_at_records(
    name: str, config: Config, records: Sequence[Record], registry: LookedAtRegistry | None
) -> list[Finding]:
    """Everything that the config says of a source's records; `records` are some of them."""
    source = config.sources[name]
    place = ("sources", name)
    if not records:
        return [Finding("unproven", (*place, "topic"), "that its records can be read: it holds none yet")]
    readers = {reader: activation for reader, activation in config.activations.items() if activation.source == name}
    needed = frozenset(column for reader in readers.items() for _, columns in _reads(*reader) for column in columns)
    found: list[Finding] = []

    def notice(code: str, column: str) -> None:
        found.append(Finding("note", place, f"{code}: column {column!r}, see docs/formats.md"))

    try:
        decoder = open_decoder(source, needed, notice, None if registry is None else registry.schemas)
        seen = _Seen(name, source, decoder, registry)
        for record in records:
            await seen.look(record)
    except HaltError as error:
        return [*found, Finding("problem", (*place, "encoding"), str(error))]
    except _StoppedError as stopped:
        return [*found, *stopped.findings]
    found += seen.unreadable()
    if seen.changes:
        found += seen.key_findings()
        found += _missing(readers, seen.changes, needed, _columns(records, source))
        for reader, activation in readers.items():
            found += _key_findings(reader, activation, config, seen.keys)
    return found


class _Seen:
    """What the records looked at are."""

    def __init__(self, name: str, source: Source, decoder: Decoder, registry: LookedAtRegistry | None) -> None:
        self.changes: list[Change] = []
        self.keys: set[Key] = set()
        self._place = ("sources", name)
        self._source = source
        self._decoder = decoder
        self._registry = registry
        self._count = 0
        self._refused: Counter[Undecodable] = Counter()

    async def look(self, record: Record) -> None:
        """Raises _StoppedError where the config or a schema that cannot be had is in the way."""
        decoded = await self._asked(self._decoder.decode, record)
        if record.value() is None and isinstance(decoded, Change):  # a tombstone reads the same in every format
            return
        self._count += 1
        if isinstance(decoded, Undecodable):
            self._refused[decoded] += 1
        elif isinstance(decoded, Change) and decoded.op != "t":
            self.changes.append(decoded)
            try:
                self.keys.add(await self._asked(self._decoder.key_names, record))
            except WireValueError as error:
                raise _StoppedError(Finding("problem", (*self._place, "key"), str(error))) from None

    async def _asked(self, call: Callable[[Record], Result], record: Record) -> Result:
        while True:
            try:
                return call(record)
            except WaitError as waiting:
                if self._registry is None or (found := await self._registry.fetched(waiting)):
                    raise _StoppedError(*(found or ())) from None
            except HaltError as error:
                at: Place = (*self._place, "types") if error.reason == "types_missing" else self._place
                at = REGISTRY if error.reason.startswith("schema_registry") else at
                raise _StoppedError(Finding("problem", at, str(error))) from None

    def unreadable(self) -> list[Finding]:
        """What would be dead letters: all of them is a wrong setting, some of them is how topics are."""
        if not self._refused:
            if self.changes:
                return []
            claim = f"that its changes can be read: there is none among the {self._count} records looked at"
            return [Finding("unproven", (*self._place, "topic"), claim)]
        (why, _), *_ = self._refused.most_common(1)
        if self.changes:
            what = f"{self._refused.total()} of {self._count} records looked at would be dead letters"
            return [Finding("note", self._place, f"{what}: {why.message}")]
        setting = "key" if why.stage == "KEY_CONVERTER" else _SETTING.get(why.code, "topic")
        what = f"none of the {self._count} records looked at can be read"
        return [Finding("problem", (*self._place, setting), f"{what}: {why.message}")]

    def key_findings(self) -> list[Finding]:
        """Whether the records' keys are what the source's `key` says."""
        said = self._source.key
        if said is None:
            return []
        others = sorted(key for key in self.keys if key is not None and {*key} != {*said})
        cure = "write those that all records have, or leave `key` out"
        return [
            Finding("problem", (*self._place, "key"), f"there are records whose key is made of {_listed(key)}: {cure}")
            for key in others
        ]


def _key_findings(name: str, activation: Activation, config: Config, keys: set[Key]) -> Iterator[Finding]:
    """What the records' keys mean for an activation."""
    place = ("activations", name)
    source = config.sources[activation.source]
    if None in keys and activation.mode == "mirror":
        cure = "have the connector send the table's key (`message.key.columns`)"
        yield Finding("problem", place, f"there are records without a key, which a mirror cannot follow: {cure}")
    settings = config.destinations[activation.destination]
    plan = plan_of(activation, settings, installed()[settings.type](), lambda _code, _name: None)
    for key in sorted(key for key in keys if key is not None):
        router = Router(
            plan,
            activation.mode,
            before_full=source.shows_before,
            whole=False,
            notice=lambda _code, _name: None,
            decode=lambda record: record,
            recalls=keeps_state(config, name),
        )
        try:
            router.learn_key(key)
        except HaltError as error:
            yield Finding("problem", place, str(error))
            continue
        if not router.key_identifies:
            what = f"its identifier is not made of columns of the records' key, {_listed(key)}"
            yield Finding("note", (*place, "identifier"), f"{what}: two rows that share one can overtake each other")


def _missing(
    readers: dict[str, Activation], changes: Sequence[Change], needed: frozenset[str], known: Sequence[str]
) -> Iterator[Finding]:
    """The columns that no row has, at each place that reads them."""
    images = [(change.columns, change.after) for change in changes if change.after is not None]
    absent = {column for column in needed if all(columns.raw(column)(row) is Absent.MISSING for columns, row in images)}
    if not images:
        return
    for name, activation in readers.items():
        for place, columns in _reads(name, activation):
            for column in columns:
                if column in absent:
                    hint = did_you_mean(column, known)
                    yield Finding("problem", place, f"no row looked at has a column {column!r}{hint}")


def _reads(name: str, activation: Activation) -> Iterator[tuple[Place, tuple[str, ...]]]:
    """Which columns each place of an activation reads."""
    place = ("activations", name)
    if activation.where is not None:
        yield (*place, "where"), parse_condition(activation.where).columns
    for section in ("identifier", "fields", "attributes"):
        for target, text in getattr(activation, section).items():
            yield (*place, section, target), parse(text).columns


def _columns(records: Sequence[Record], source: Source) -> list[str]:
    """The columns that records have, as far as JSON shows them."""
    found: dict[str, None] = {}
    for record in records:
        images = rows(record.value(), source.format)
        if isinstance(images, list):
            found.update(dict.fromkeys(name for image in images for name in image))
    return list(found)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"
