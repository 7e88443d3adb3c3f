"""The schema registry: asked once for each schema, waited for where it is down, never taken at its word blindly."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from stream_sync import schema_registry
from stream_sync.config.settings import SchemaRegistry
from stream_sync.config.values import Secret
from stream_sync.errors import HaltError, WaitError
from stream_sync.formats import registry
from stream_sync.formats.avro_schema import Node
from stream_sync.formats.control_records import ConverterError
from stream_sync.formats.framing import SchemaId
from stream_sync.formats.registry import Answer, Registry, paths
from stream_sync.schema_registry import OpenRegistry
from tests.formats.registry_server import RegistryServer, serving
from tests.formats.writing_avro import envelope_schema

SCHEMA = envelope_schema({"id": "int"})
SEVEN = SchemaId("id", 7)
LIMIT = 60.0
"""Seconds, of a machine that may stand still for ten."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_registry, "TIMEOUT", LIMIT)


class Log:
    """Log lines as they are told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.told = asyncio.Event()

    def __call__(self, event: str, **fields: Any) -> None:
        self.lines.append((event, fields))
        self.told.set()


@contextlib.asynccontextmanager
async def client(server: RegistryServer, path: str = "", **settings: Any) -> AsyncIterator[tuple[OpenRegistry, Log]]:
    log = Log()
    found = OpenRegistry(SchemaRegistry(url=server.url + path, **settings), lambda: False, log)
    try:
        yield found, log
    finally:
        await found.close()


async def fetched(found: Registry, schema_id: SchemaId = SEVEN) -> Node:
    """The schema, however often it has to be waited for."""
    async with asyncio.timeout(LIMIT):
        while True:
            try:
                return found.node(schema_id)
            except WaitError as error:
                await error.ready()


async def test_a_schema_is_asked_for_once() -> None:
    async with serving({7: SCHEMA}) as server, client(server) as (found, _):
        assert (await fetched(found)).name == "wh.marts.people.Envelope"
        assert found.node(SEVEN) is found.node(SEVEN)
        assert server.asked == ["/schemas/ids/7"]
        assert "application/vnd.schemaregistry.v1+json" in server.headers[0]["Accept"]


async def test_all_who_miss_it_at_once_wait_for_one_request() -> None:
    async with serving({7: SCHEMA}) as server, client(server) as (found, _):
        waits = []
        for _ in range(20):
            with pytest.raises(WaitError) as caught:
                found.node(SEVEN)
            waits.append(caught.value.ready())
        await asyncio.gather(*waits)
        assert len(server.asked) == 1
        found.node(SEVEN)


async def test_one_who_stops_waiting_stops_nobody_else() -> None:
    async with serving({7: SCHEMA}) as server, client(server) as (found, _):
        with pytest.raises(WaitError) as caught:
            found.node(SEVEN)
        first = asyncio.ensure_future(caught.value.ready())
        second = asyncio.ensure_future(caught.value.ready())
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert isinstance(found.node(SEVEN), Node)
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer", [web.json_response({"error_code": 40403}, status=404), web.Response(status=404, text="no such thing")]
)
async def test_an_unknown_id_is_refused_and_asked_again_only_later(
    answer: web.Response, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = SchemaId("id", 8)
    async with serving({7: SCHEMA}) as server, client(server) as (found, _):
        await fetched(found)
        server.failing = [answer]
        for _ in range(3):
            with pytest.raises(ConverterError, match="id 8") as caught:
                await fetched(found, unknown)
            assert caught.value.code == "unknown_schema_id"
        assert len(server.asked) == 2
        server.paths["/schemas/ids/8"] = server.paths["/schemas/ids/7"]
        found._unknown.clear()  # the time is over
        assert isinstance(await fetched(found, unknown), Node)


@pytest.mark.parametrize("number", [0, -1, -(2**31)])
async def test_ids_that_no_registry_gives_out_are_not_asked_for(number: int) -> None:
    async with serving({}) as server, client(server) as (found, _):
        with pytest.raises(ConverterError) as caught:
            found.node(SchemaId("id", number))
        assert caught.value.code == "unknown_schema_id"
        assert server.asked == []


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
async def test_a_registry_in_trouble_is_waited_for(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FIRST_WAIT", 0.001)
    async with serving({7: SCHEMA}) as server, client(server) as (found, log):
        server.failing = [web.Response(status=status) for _ in range(3)]
        assert isinstance(await fetched(found), Node)
        assert len(server.asked) == 4
        assert [event for event, _ in log.lines] == ["schema_registry_unavailable", "schema_registry_answers"]


async def test_a_registry_that_is_down_is_waited_for_and_known_schemas_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FIRST_WAIT", 0.001)
    async with serving({7: SCHEMA, 8: SCHEMA}) as server, client(server) as (found, log):
        await fetched(found)
        await server.stop()
        waiting = asyncio.create_task(fetched(found, SchemaId("id", 8)))
        await asyncio.wait_for(log.told.wait(), LIMIT)
        assert log.lines[0][1]["reason"] in ("connect", "reset")
        assert isinstance(found.node(SEVEN), Node)
        assert not waiting.done()
        await server.start()
        assert isinstance(await waiting, Node)


async def test_closing_ends_the_waiting() -> None:
    server = RegistryServer({})
    await server.start()
    await server.stop()
    async with client(server) as (found, log):
        waiting = asyncio.create_task(fetched(found))
        await asyncio.wait_for(log.told.wait(), LIMIT)
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (web.Response(status=401), "schema_registry_refused"),
        (web.Response(status=403), "schema_registry_refused"),
        (web.Response(status=404, text="<html>"), "schema_registry_address"),
        (web.Response(text="\n<!DOCTYPE html><title>Log in</title>"), "schema_registry_address"),
        (web.Response(status=302, headers={"Location": "http://169.254.169.254/"}), "schema_registry_address"),
        (web.Response(status=400), "schema_registry_address"),
        (web.Response(body=b" " * (5 << 20)), "schema_registry_address"),
    ],
)
async def test_what_only_a_person_can_mend_halts(answer: web.Response, reason: str) -> None:
    async with serving({7: SCHEMA}) as server, client(server, basic_auth="me:hush-hush") as (found, log):
        server.failing = [answer]
        with pytest.raises(HaltError) as caught:
            await fetched(found)
        assert caught.value.reason == reason
        assert "schema_registry" in str(caught.value)
        assert "hush" not in str(caught.value) + str(log.lines)
        assert isinstance(await fetched(found), Node)  # the next one who asks asks anew


async def test_a_page_of_a_registry_that_gave_schemas_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FIRST_WAIT", 0.001)
    async with serving({7: SCHEMA, 8: SCHEMA}) as server, client(server) as (found, log):
        await fetched(found)
        server.failing = [web.Response(text="<html>Log in")]
        assert isinstance(await fetched(found, SchemaId("id", 8)), Node)
        assert log.told.is_set()


@pytest.mark.parametrize(
    ("body", "code", "gist"),
    [
        ({"schema": "syntax = proto3", "schemaType": "PROTOBUF"}, "wrong_encoding", "Protobuf"),
        ({"schema": '"int"', "references": [{"name": "x"}]}, "invalid_schema", "refers to other schemas"),
        ({"schema": "not json"}, "invalid_schema", "no Avro schema"),
        ({"schema": '{"type":"nonsense"}'}, "invalid_schema", "cannot be used"),
        ({"schema": "[" * 50_000}, "invalid_schema", "no Avro schema"),
        ({"schema": '{"type":' * 2000 + '"int"' + "}" * 2000}, "invalid_schema", "no Avro schema"),
    ],
)
async def test_a_schema_that_cannot_be_used_is_a_dead_letter(body: Any, code: str, gist: str) -> None:
    async with serving({}) as server, client(server) as (found, _):
        server.paths["/schemas/ids/7"] = body
        for _ in range(2):
            with pytest.raises(ConverterError, match=gist) as caught:
                await fetched(found)
            assert caught.value.code == code
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        ({"basic_auth": "me:hush"}, "Basic " + base64.b64encode(b"me:hush").decode()),
        ({"token": "hush"}, "Bearer hush"),
    ],
)
async def test_credentials(settings: dict[str, str], expected: str | None) -> None:
    async with serving({7: SCHEMA}) as server, client(server, **settings) as (found, _):
        await fetched(found)
        assert server.headers[0].get("Authorization") == expected


async def test_refused_credentials_are_read_again() -> None:
    async with serving({7: SCHEMA}) as server:
        current = ["old"]
        secret = Secret("old", lambda: current[0])
        found = OpenRegistry(SchemaRegistry(url=server.url, token=secret), secret.refresh, Log())
        server.failing = [web.Response(status=401)]
        current[0] = "new"
        assert isinstance(await fetched(found), Node)
        assert [headers["Authorization"] for headers in server.headers] == ["Bearer old", "Bearer new"]
        await found.close()


@pytest.mark.parametrize(
    ("base", "schema_id", "path"),
    [
        ("", SEVEN, "/schemas/ids/7"),
        ("/registry", SEVEN, "/registry/schemas/ids/7"),
        ("", SchemaId("guid", "a-b"), "/schemas/guids/a-b"),
        ("", SchemaId("content", 7), "/schemas/ids/7"),
        ("", SchemaId("global", 7), None),
        ("/apis/ccompat/v7", SEVEN, "/apis/ccompat/v7/schemas/ids/7"),
        ("/apis/ccompat/v7", SchemaId("content", 7), "/apis/ccompat/v7/schemas/ids/7"),
        ("/apis/ccompat/v7", SchemaId("global", 7), "/apis/registry/v2/ids/globalIds/7"),
        ("/x/apis/registry/v3", SEVEN, "/x/apis/registry/v3/ids/contentIds/7"),
        ("/apis/registry/v2", SchemaId("content", 7), "/apis/registry/v2/ids/contentIds/7"),
        ("/apis/registry/v2", SchemaId("global", 7), "/apis/registry/v2/ids/globalIds/7"),
        ("/apis/registry/v2", SchemaId("guid", "a-b"), None),
        ("/apis/registry/v2", SchemaId("global", 0), None),
    ],
)
def test_where_each_kind_of_id_is_found(base: str, schema_id: SchemaId, path: str | None) -> None:
    assert paths(base)(schema_id) == path


async def test_apicurios_answer_is_the_schema_itself() -> None:
    async with serving({}) as server, client(server, "/apis/registry/v3") as (found, _):
        server.paths["/apis/registry/v3/ids/contentIds/7"] = SCHEMA
        assert (await fetched(found)).name == "wh.marts.people.Envelope"


async def test_what_is_kept_is_bounded() -> None:
    class Nothing:
        status = 404
        body = b"{}"

    async def get(_path: str) -> Answer:
        return Nothing()

    found = Registry("", get, lambda: False, lambda: 0.0, Log())
    for number in range(1, 2 * registry.KEPT):
        with pytest.raises(ConverterError):
            await fetched(found, SchemaId("id", number))
    assert len(found._unknown) <= registry.KEPT
