"""Who may do what: what every answer says to a browser, and what is asked of whoever changes something.

Invariants:
- Nothing is kept by a browser or a proxy, nothing is loaded from elsewhere, no page of elsewhere holds ours in a frame.
- Who changes something shows the token in a header, which no page of elsewhere can make a browser send; the answer
  takes as long for a nearly right token as for a wrong one.
- Requests that a browser makes for a page of elsewhere are refused, whatever they show. So are those for another name
  than this machine's where the address is this machine's only: a page may make its own name lead here.
- Every change, and now and then a refused one, is logged with the caller's address.
- A token of a file is read again when it was changed, at most once a second.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import web

from stream_sync.config.settings import Admin
from stream_sync.config.values import is_loopback

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
TELL_AGAIN_SECONDS = 60.0


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """aiohttp's `on_response_prepare`: every answer has them, errors as well."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


class Access:
    """Lets requests through or says why not."""

    def __init__(self, settings: Admin, changed: Callable[[str], None], log: Callable[..., None]) -> None:
        """`changed` is told of a new text of the token."""
        self._settings = settings
        self._changed = changed
        self._log = log
        self._read_at = time.monotonic()
        self._refused_at = float("-inf")

    def check_origin(self, request: web.Request) -> None:
        """Raises where a browser asks for a page of elsewhere."""
        site = request.headers.get("Sec-Fetch-Site")
        if site is not None:
            foreign = site not in ("same-origin", "none")
        else:
            origin = request.headers.get("Origin")
            foreign = origin is not None and urlsplit(origin).netloc != request.host
        host = urlsplit(f"//{request.host}").hostname or ""
        if foreign or (is_loopback(self._settings.host) and not is_loopback(host)):
            raise web.HTTPForbidden(reason="a page of another site asks: open the console at its own address")

    async def check_change(self, request: web.Request) -> None:
        """Raises where the caller may not change anything."""
        if self._settings.console != "write":
            raise web.HTTPForbidden(
                reason="nothing can be changed here: set `console: write` and a `token` in the config's `admin`"
            )
        token = self._settings.token
        assert token is not None, "`write` has a token"
        if time.monotonic() - self._read_at >= READ_AGAIN_SECONDS:
            self._read_at = time.monotonic()
            if await asyncio.to_thread(token.refresh):
                self._changed(token.reveal())
        kind, _, shown = request.headers.get("Authorization", "").partition(" ")
        wanted = token.reveal().encode()
        if not hmac.compare_digest(shown.strip().encode("utf-8", "surrogateescape"), wanted) or kind != "Bearer":
            self._refused(request)
            raise web.HTTPUnauthorized(
                reason="show the token of the config's `admin` as `Authorization: Bearer TOKEN`",
                headers={"WWW-Authenticate": "Bearer"},
            )

    def done(self, request: web.Request, what: str) -> None:
        """Somebody may change something, and does."""
        self._log("console_change", what=what, **request.match_info, address=request.remote)

    def _refused(self, request: web.Request) -> None:
        if time.monotonic() - self._refused_at >= TELL_AGAIN_SECONDS:
            self._refused_at = time.monotonic()
            self._log("console_refused", address=request.remote)
