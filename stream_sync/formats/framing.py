"""Finds the id of the schema that a key or a value was written with: in the record's headers, else in its first bytes.

Invariants:
- Headers are asked first. Raw Avro of an envelope begins with a zero byte whenever `before` is null, as framed Avro
  does: where the ids travel in headers, nothing but the headers can tell.
- Four zero bytes behind the magic byte are the first half of an 8-byte id: no registry gives out the id 0.
- Nothing is guessed from what the bytes mean.

Sources: Confluent's SchemaId, DualSchemaIdDeserializer and HeaderSchemaIdSerializer; Apicurio's Default4ByteIdHandler,
Legacy8ByteIdHandler, OptimisticFallbackIdHandler and KafkaSerdeHeaders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from stream_sync.formats.control_records import ConverterError

Part = Literal["key", "value"]
Headers = Sequence[tuple[str, bytes | None]]

PREFIX = 5
"""Bytes of Confluent's framing: a zero byte and an int32 id."""
LONG_PREFIX = 9
"""Bytes of Apicurio 2's framing: a zero byte and an int64 id."""
_GUID = 16


class SchemaId(NamedTuple):
    """What a registry is asked for. `kind`: `id` is Confluent's number, which Apicurio 3 takes for its content id."""

    kind: Literal["id", "guid", "content", "global"]
    value: int | str


class Framed(NamedTuple):
    """Where the Avro begins, and whose schema it has."""

    schema_id: SchemaId
    start: int


class HeaderNames(NamedTuple):
    """The headers that can name the schema of one part of a record."""

    confluent: str
    global_id: str
    content_id: str
    encoding: str
    others: frozenset[str]


def _names(part: Part) -> HeaderNames:
    apicurio = f"apicurio.{part}."
    others = frozenset(apicurio + name for name in ("groupId", "artifactId", "version", "contentHash"))
    return HeaderNames(
        f"__{part}_schema_id", f"{apicurio}globalId", f"{apicurio}contentId", f"{apicurio}encoding", others
    )


KEY, VALUE = _names("key"), _names("value")
_EVERY = {names: frozenset(names[:4]) | names.others for names in (KEY, VALUE)}


def named(headers: Headers | None) -> bool:
    """Whether the headers say anything of the value's schema."""
    if headers:
        for name, _ in headers:
            if name in _EVERY[VALUE]:
                return True
    return False


def in_headers(headers: Headers | None, names: HeaderNames) -> Framed | None:
    """By the headers; None where they name no schema. Raises ConverterError for what cannot be used."""
    if not headers:
        return None
    every = _EVERY[names]
    for name, _ in headers:
        if name in every:
            return _from({name: data for name, data in headers if name in every}, names)
    return None


def _from(found: dict[str, bytes | None], names: HeaderNames) -> Framed | None:
    if data := found.get(names.confluent):
        if data[0] == 1 and len(data) == 1 + _GUID:
            guid = data[1:].hex()
            parts = (guid[:8], guid[8:12], guid[12:16], guid[16:20], guid[20:])
            return Framed(SchemaId("guid", "-".join(parts)), 0)
        if data[0] == 0 and len(data) == PREFIX:
            return Framed(SchemaId("id", int.from_bytes(data[1:], signed=True)), 0)
        raise ConverterError("wrong_encoding", f"the header {names.confluent} holds neither an id nor a GUID")
    if (found.get(names.encoding) or b"").upper() == b"JSON":
        raise ConverterError("wrong_encoding", "it is Avro's JSON form; set apicurio.registry.serde.encoding to BINARY")
    for name, kind in ((names.global_id, "global"), (names.content_id, "content")):
        if data := found.get(name):
            if len(data) != 8:
                raise ConverterError("wrong_encoding", f"the header {name} holds no 8-byte id")
            return Framed(SchemaId("global" if kind == "global" else "content", int.from_bytes(data, signed=True)), 0)
    if names.others & found.keys():
        advice = "have the converter send ids: apicurio.registry.use-id"
        raise ConverterError("wrong_encoding", f"its headers name a schema by its artifact or hash; {advice}")
    return None


def in_bytes(data: bytes) -> Framed | None:
    """By the first bytes; None where they are no framing."""
    if data[:1] != b"\0" or len(data) < PREFIX:
        return None
    number = int.from_bytes(data[1:PREFIX], signed=True)
    if number:
        return Framed(SchemaId("id", number), PREFIX)
    if len(data) < LONG_PREFIX:
        return None
    return Framed(SchemaId("global", int.from_bytes(data[1:LONG_PREFIX], signed=True)), LONG_PREFIX)


def not_framed(data: bytes) -> ConverterError:
    """Why bytes without a schema's id cannot be read as Avro, with what they look like."""
    looks = "nothing says with which schema it was written"
    if data[:1] in (b"{", b"["):
        looks = "it looks like JSON: `encoding: json`"
    elif data[:1] == b"\x03" and len(data) >= 18:
        looks = "it looks framed for AWS Glue's registry, which is not read: use Confluent's or Apicurio's"
    return ConverterError("wrong_encoding", f"it is not Avro behind a schema id; {looks}")
