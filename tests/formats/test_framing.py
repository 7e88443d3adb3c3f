"""Where the id of a schema is found, and that headers go before bytes."""

from __future__ import annotations

import pytest

from stream_sync.formats.control_records import ConverterError
from stream_sync.formats.framing import (
    KEY,
    VALUE,
    Framed,
    HeaderNames,
    SchemaId,
    in_bytes,
    in_headers,
    named,
    not_framed,
)

GUID = bytes(range(16))
GUID_TEXT = "00010203-0405-0607-0809-0a0b0c0d0e0f"
LONG = (77).to_bytes(8)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\0\0\0\0\7x", Framed(SchemaId("id", 7), 5)),
        (b"\0\0\0\0\7", Framed(SchemaId("id", 7), 5)),
        (b"\0\xff\xff\xff\xffx", Framed(SchemaId("id", -1), 5)),
        (b"\0" + LONG, Framed(SchemaId("global", 77), 9)),
        (b"\0" + LONG + b"x", Framed(SchemaId("global", 77), 9)),
        (b"\0" * 9, Framed(SchemaId("global", 0), 9)),
        (b"\0\0\0\0\0\0\0\7", None),
        (b"\0\0\0\0", None),
        (b"\0", None),
        (b"", None),
        (b"{}", None),
        (b"\1\0\0\0\7", None),
    ],
)
def test_ids_in_the_first_bytes(data: bytes, found: Framed | None) -> None:
    assert in_bytes(data) == found


@pytest.mark.parametrize(
    ("names", "headers", "schema_id"),
    [
        (VALUE, [("__value_schema_id", b"\1" + GUID)], SchemaId("guid", GUID_TEXT)),
        (KEY, [("x", None), ("__key_schema_id", b"\0\0\0\0\7")], SchemaId("id", 7)),
        (VALUE, [("apicurio.value.globalId", LONG), ("apicurio.value.encoding", b"BINARY")], SchemaId("global", 77)),
        (VALUE, [("apicurio.value.contentId", LONG)], SchemaId("content", 77)),
        (KEY, [("apicurio.key.contentId", LONG)], SchemaId("content", 77)),
    ],
)
def test_ids_in_headers(names: HeaderNames, headers: list[tuple[str, bytes | None]], schema_id: SchemaId) -> None:
    assert in_headers(headers, names) == Framed(schema_id, 0)


@pytest.mark.parametrize(
    "headers", [None, [], [("__debezium.context.taskId", b"0")], [("__key_schema_id", b"\1" + GUID)], [("x", None)]]
)
def test_other_headers_name_no_schema_of_the_value(headers: list[tuple[str, bytes | None]] | None) -> None:
    assert in_headers(headers, VALUE) is None
    assert not named(headers)


@pytest.mark.parametrize(
    ("headers", "gist"),
    [
        ([("__value_schema_id", b"\1" + GUID[:-1])], "neither an id nor a GUID"),
        ([("__value_schema_id", b"\2" + GUID)], "neither an id nor a GUID"),
        ([("apicurio.value.globalId", b"77")], "no 8-byte id"),
        ([("apicurio.value.globalId", LONG), ("apicurio.value.encoding", b"JSON")], "BINARY"),
        ([("apicurio.value.groupId", b"g"), ("apicurio.value.artifactId", b"a")], "use-id"),
    ],
)
def test_headers_that_cannot_be_used_say_what_would_be_right(
    headers: list[tuple[str, bytes | None]], gist: str
) -> None:
    assert named(headers)
    with pytest.raises(ConverterError, match=gist):
        in_headers(headers, VALUE)


@pytest.mark.parametrize(
    ("data", "gist"), [(b'{"op":1}', "encoding: json"), (b"\3" + bytes(20), "Glue"), (b"\2abc", "nothing says")]
)
def test_bytes_without_an_id_say_what_they_look_like(data: bytes, gist: str) -> None:
    assert gist in str(not_framed(data))
