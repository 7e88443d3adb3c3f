"""Who may do what: what every answer says to a browser, and what is asked of whoever changes something.

Invariants:
- Nothing is kept by a browser or a proxy, nothing is loaded from elsewhere, no page of elsewhere holds ours in a frame.
- Who changes something shows the token in a header, which no page of elsewhere can make a browser send; the answer
  takes as long for a nearly right token as for a wrong one.
- Requests that a browser makes for a page of elsewhere are refused, whatever they show.
- A token of a file is read again when it was changed, at most once a second.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import web

from stream_sync.config.settings import Console
from stream_sync.config.values import Secret

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
READ_AGAIN_SECONDS = 1.0


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """aiohttp's `on_response_prepare`: every answer has them, errors as well."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


class Access:
    """Lets requests through or says why not."""

    def __init__(self, console: Console, token: Secret | None, changed: Callable[[str], None]) -> None:
        """`changed` is told of a new text of the token."""
        self._console = console
        self._token = token
        self._changed = changed
        self._read_at = time.monotonic()

    def check_origin(self, request: web.Request) -> None:
        """Raises where a browser asks for a page of elsewhere."""
        site = request.headers.get("Sec-Fetch-Site")
        if site is not None:
            foreign = site not in ("same-origin", "none")
        else:
            origin = request.headers.get("Origin")
            foreign = origin is not None and urlsplit(origin).netloc != request.host
        if foreign:
            raise web.HTTPForbidden(reason="a page of another site asks: open the console at its own address")

    async def check_change(self, request: web.Request) -> None:
        """Raises where the caller may not change anything."""
        if self._console != "write":
            raise web.HTTPForbidden(
                reason="nothing can be changed here: set `console: write` and a `token` in the config's `admin`"
            )
        assert self._token is not None, "`write` has a token"
        if time.monotonic() - self._read_at >= READ_AGAIN_SECONDS:
            self._read_at = time.monotonic()
            if await asyncio.to_thread(self._token.refresh):
                self._changed(self._token.reveal())
        kind, _, shown = request.headers.get("Authorization", "").partition(" ")
        wanted = self._token.reveal().encode()
        if not hmac.compare_digest(shown.strip().encode("utf-8", "surrogateescape"), wanted) or kind != "Bearer":
            raise web.HTTPUnauthorized(
                reason="show the token of the config's `admin` as `Authorization: Bearer TOKEN`",
                headers={"WWW-Authenticate": "Bearer"},
            )
