"""One HTTP exchange with a destination, bounded in time and size: the only home of the aiohttp client.

Invariants:
- `request` gives a Reply or a Failure, whatever the other side does; it raises only when it is cancelled, or cancelled
  by `before_start`.
- One deadline covers the whole exchange, from connecting to the reply's last byte; a reply's body and headers are
  bounded; redirects are not followed; proxies and credentials of the environment are not used; TLS is verified.
- Headers with secrets are asked for at each request and kept nowhere; nothing of a request or a reply is logged.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from stream_sync.sinks.pace import Pace

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
Reason = Literal["connect", "tls", "timeout", "reset", "protocol", "too_large", "redirect"]
Observe = Callable[[str, str, float], None]
"""Told of every exchange: (endpoint, status or reason, seconds)."""

MAX_REPLY = 1 << 20
"""Bytes. The longest reply of a vendor is an `errors[]` with a sentence a row, some 20 kB."""
_SKIPPED = frozenset(("User-Agent", "Accept"))
_CONNECT_TIMEOUT = 10.0
_AT_ONCE = 1 << 20
"""Bytes; a longer body is written in pieces, so that the loop goes on turning."""


class Reply(msgspec.Struct, frozen=True):
    """An answer that arrived whole. `headers` are case-insensitive."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Failure(msgspec.Struct, frozen=True):
    """No answer that could be used. Whether the other side acted on the request is unknown, except for `connect`."""

    reason: Reason


def segment(text: str) -> str:
    """Text as one segment of a path or one value of a query: everything but letters, digits and `-_~.` becomes %XX,
    and so do the dots of `.` and `..`, which would be taken for steps in the path."""
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


class Http:
    """Exchanges with one account; connections are kept and reused. Made anywhere, used in one event loop."""

    def __init__(
        self,
        base_url: str,
        headers: Callable[[], Mapping[str, str]],
        observe: Observe,
        timeout: float = 30.0,
        max_connections: int = 100,
        max_reply: int = MAX_REPLY,
    ) -> None:
        """`base_url` without its last slash. `headers`: those of every request, asked for each time since secrets are
        rotated. `timeout`: seconds for one exchange, not counting the wait for its turn."""
        self._base_url = base_url
        self._headers = headers
        self._observe = observe
        self._timeout = timeout
        self._max_connections = max_connections
        self._max_reply = max_reply
        self._session: aiohttp.ClientSession | None = None
        self.before_start: Callable[[], None] = lambda: None
        """Called after a request's wait for its turn; raises CancelledError where it may not start any more."""

    async def request(
        self, method: Method, path: str, *, endpoint: str, body: bytes | None = None, pace: Pace
    ) -> Reply | Failure:
        """One exchange, started when `pace` allows. `path` starts with a slash and is percent-encoded already
        (`segment`); `endpoint` is its name in metrics, without anything of a person."""
        await pace.acquire()
        self.before_start()
        clock = asyncio.get_running_loop().time
        started = clock()
        answer = await self._exchange(method, URL(self._base_url + path, encoded=True), body)
        result = answer.reason if isinstance(answer, Failure) else str(answer.status)
        self._observe(endpoint, result, clock() - started)
        return answer

    async def close(self) -> None:
        """Closes all connections. Idempotent; a later request opens anew."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _exchange(self, method: Method, url: URL, body: bytes | None) -> Reply | Failure:
        session = self._session or self._open()
        data = body if body is None or len(body) <= _AT_ONCE else io.BytesIO(body)
        try:
            async with (
                asyncio.timeout(self._timeout),
                session.request(method, url, data=data, headers=self._headers(), allow_redirects=False) as response,
            ):
                if 300 <= response.status < 400:
                    response.close()
                    return Failure("redirect")
                content = await self._read(response)
                return Failure("too_large") if content is None else Reply(response.status, response.headers, content)
        except TimeoutError:
            return Failure("timeout")
        except (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch):
            return Failure("tls")
        except aiohttp.ClientConnectorError:
            return Failure("connect")
        except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, OSError):
            return Failure("reset")
        except (aiohttp.ClientError, ValueError):
            return Failure("protocol")

    async def _read(self, response: aiohttp.ClientResponse) -> bytes | None:
        """The body, or None where it is larger than allowed (the connection is then given up)."""
        content = response.content
        body = await content.readany()
        if content.at_eof():
            return body if len(body) <= self._max_reply else None
        parts, size = [body], len(body)
        while size <= self._max_reply and (part := await content.readany()):
            parts.append(part)
            size += len(part)
        if size > self._max_reply:
            response.close()
            return None
        return b"".join(parts)

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=self._max_connections, keepalive_timeout=15, ttl_dns_cache=60)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT),
            headers={"Accept-Encoding": "identity"},
            skip_auto_headers=_SKIPPED,
            trust_env=False,
            auto_decompress=False,
        )
        return self._session
