from __future__ import annotations

import asyncio
import gzip
import itertools
import socket
from typing import Any

import pytest

from stream_sync.config.values import Rate
from stream_sync.sinks.http import Failure, Http, Reply, segment
from stream_sync.sinks.pace import Pace
from tests.rig.ports import refusing_port
from tests.sinks.rude_server import Behaviour, answering, read_request, response, rude_server


def client(url: str, **options: Any) -> Http:
    return Http(url, lambda: {"Content-Type": "application/json"}, lambda *_: None, **options)


async def ask(http: Http, body: bytes | None = b"{}") -> Reply | Failure:
    try:
        return await http.request("POST", "/x", endpoint="x", body=body, pace=Pace(Rate(1000, 1.0)))
    finally:
        await http.close()


async def outcome_of(behave: Behaviour, **options: Any) -> Reply | Failure:
    async with rude_server(behave) as url:
        return await ask(client(url, **options))


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    for byte in itertools.cycle(b"HTTP/1.1 200 OK\r\nX: y\r\n"):
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)


async def endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
        await writer.drain()


async def endless_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        writer.write(f"X-{number}: y\r\n".encode())
        await writer.drain()


@pytest.mark.parametrize("behave", [drip, drip_body, silent])
async def test_the_deadline_is_for_the_whole_exchange(behave: Behaviour) -> None:
    assert await outcome_of(behave, timeout=0.3) == Failure("timeout")


@pytest.mark.parametrize(
    ("behave", "failure"),
    [
        (hang_up, "reset"),
        (answering(b""), "reset"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), "reset"),
        (answering(b"what?\r\n\r\n"), "protocol"),
        (answering(response("200 OK", b"", "X: " + "y" * 20_000)), "protocol"),
        (endless_headers, "protocol"),
        (endless_body, "too_large"),
        (answering(response("200 OK", b" " * 3_000_000)), "too_large"),
        (answering(response("302 Found", b"", "Location: http://example.com/")), "redirect"),
        (answering(response("308 Permanent Redirect", b"", "Location: /elsewhere")), "redirect"),
    ],
)
async def test_what_goes_wrong_has_a_name(behave: Behaviour, failure: str) -> None:
    outcome = await outcome_of(behave, timeout=60)
    assert isinstance(outcome, Failure)
    assert outcome.reason == failure


async def test_nobody_listens() -> None:
    with refusing_port() as port:
        assert await ask(client(f"http://127.0.0.1:{port}")) == Failure("connect")


async def test_a_name_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As resolvers say it; where there is no network they take a minute for it."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert await ask(client("http://nowhere.invalid")) == Failure("connect")


async def test_plain_text_where_tls_is_expected() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.read()

    async with rude_server(greet) as url:
        assert await ask(client(url.replace("http:", "https:"), timeout=60)) == Failure("tls")


async def test_a_reply_comes_whole_and_a_body_of_a_megabyte_too() -> None:
    body = b"x" * (1 << 20)
    reply = await outcome_of(answering(response("201 Created", body, "X-One: two")))
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body, reply.headers["x-one"]) == (201, body, "two")


async def test_what_is_compressed_is_not_blown_up() -> None:
    """It was not asked for: 50 kB of it would be 50 MB."""
    bomb = gzip.compress(bytes(50_000_000), compresslevel=9)
    reply = await outcome_of(answering(response("200 OK", bomb, "Content-Encoding: gzip")))
    assert isinstance(reply, Reply)
    assert reply.body == bomb


async def test_only_the_headers_that_are_needed_are_sent() -> None:
    heads: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await read_request(reader))
        writer.write(response("200 OK"))
        await writer.drain()

    await outcome_of(behave)
    names = {line.partition(b":")[0].lower() for line in heads[0].strip().split(b"\r\n")[1:]}
    assert names == {b"host", b"content-type", b"content-length", b"accept-encoding"}
    assert b"identity" in heads[0]


async def test_headers_are_asked_for_at_each_request_and_cookies_are_not_kept() -> None:
    heads: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            heads.append(await read_request(reader))
            writer.write(response("200 OK", b"", "Set-Cookie: a=b"))
            await writer.drain()

    keys = iter(("first", "second"))
    async with rude_server(behave) as url:
        http = Http(url, lambda: {"Authorization": next(keys)}, lambda *_: None)
        for _ in range(2):
            await http.request("POST", "/x", endpoint="x", body=b"", pace=Pace(Rate(1000, 1.0)))
        await http.close()
    assert b"first" in heads[0]
    assert b"second" in heads[1]
    assert b"ookie" not in heads[1]


async def test_every_exchange_is_told_of() -> None:
    told: list[tuple[str, str]] = []
    async with rude_server(answering(response("503 Busy"))) as url:
        await ask(Http(url, dict, lambda endpoint, result, seconds: told.append((endpoint, result))))
    with refusing_port() as port:
        url = f"http://127.0.0.1:{port}"
        await ask(Http(url, dict, lambda endpoint, result, seconds: told.append((endpoint, result))))
    assert told == [("x", "503"), ("x", "connect")]


async def test_a_cancelled_request_is_cancelled_and_closing_twice_is_fine() -> None:
    async with rude_server(silent) as url:
        http = client(url)
        task = asyncio.create_task(ask(http))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await http.close()


@pytest.mark.parametrize(
    ("text", "encoded"),
    [("a+b@c.se", "a%2Bb%40c.se"), ("a/../b?c#d", "a%2F..%2Fb%3Fc%23d"), ("..", "%2E%2E"), ("Åse 1", "%C3%85se%201")],
)
def test_text_as_one_segment_of_a_path(text: str, encoded: str) -> None:
    assert segment(text) == encoded
