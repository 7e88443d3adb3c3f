"""What is fuzzed: every way a source can be read, with real records of that encoding. A decoder is one line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from stream_sync.formats.decoder import Decoder
from tests.fixtures import avro
from tests.fixtures.kinds.records import CUSTOMERS_TYPES, TYPES, Captured, Encoding, records
from tests.formats.reading import decoder
from tests.formats.writing_avro import avro_decoder

COLUMNS = tuple(sorted({name for types in TYPES.values() for name in types}))
EVERY_TYPE = {name: kind for types in (*TYPES.values(), CUSTOMERS_TYPES) for name, kind in types.items()}
LARGEST = 20_000
"""Bytes of the largest record that is taken: larger ones only cost time."""


class Target(NamedTuple):
    """`open`: new decoders of it, one of which reads each record."""

    name: str
    open: Callable[[], list[Decoder]]
    records: Sequence[Captured]


def targets() -> list[Target]:
    """All of them."""
    return [
        Target("json", _typed(), _real("json", "json-nulls")),
        Target("json-schema", _described(), _real("json-schema")),
        Target("cloudevents", _typed(), _real("cloudevents")),
        Target("flattened json", _typed(format="flattened"), _real("fl_rwt-json", "fl_default-json")),
        Target("flattened json-schema", _described(format="flattened"), _real("fl_rwt-json-schema")),
        Target("avro", _avro("base-avro"), _small(avro.kinds("base-avro").records)),
        Target("avro beside json", _avro("base-avro", encoding="auto"), _mixed()),
        Target("flattened avro", _avro("fl_rwt-avro", format="flattened"), _small(avro.kinds("fl_rwt-avro").records)),
    ]


def _typed(**settings: Any) -> Callable[[], list[Decoder]]:
    return lambda: [
        decoder(EVERY_TYPE, **settings),
        decoder({"*": "json"}, COLUMNS, **settings),
        decoder({"id": "int"}, key=("id",), **settings),
    ]


def _described(**settings: Any) -> Callable[[], list[Decoder]]:
    return lambda: [decoder({}, COLUMNS, **settings), decoder({"active": "bool"}, ["id", "active"], **settings)]


def _avro(capture: str, **settings: Any) -> Callable[[], list[Decoder]]:
    schemas = avro.kinds(capture).schemas
    settings = {"encoding": "avro", **settings}
    return lambda: [avro_decoder(schemas, COLUMNS, **settings), avro_decoder(schemas, ["id"], key=("id",), **settings)]


def _real(*encodings: Encoding) -> list[Captured]:
    return _small([record for encoding in encodings for record in records(encoding)])


def _mixed() -> list[Captured]:
    return [*_small(avro.kinds("base-avro").records), *_real("json-schema")]


def _small(captured: Sequence[Captured]) -> list[Captured]:
    """Without the largest; of what is there a hundred times, as transactions are, a few."""
    kept: list[Captured] = []
    seen: dict[str, int] = {}
    for record in captured:
        seen[record.topic] = seen.get(record.topic, 0) + 1
        if len(record.value or b"") < LARGEST and seen[record.topic] <= 20:
            kept.append(record)
    return kept
