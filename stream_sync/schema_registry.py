"""Opens the config's schema registry: its address, its credentials and the way there.

Invariants:
- The exchanges are those of `sinks.http`: bounded in time and size, no redirects, TLS verified.
- Credentials are asked for at each request, since they are rotated, and are kept nowhere.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from stream_sync.config.settings import SchemaRegistry
from stream_sync.config.values import Rate
from stream_sync.formats.registry import ACCEPT, LONGEST_SCHEMA, Answer, Registry
from stream_sync.sinks.http import Failure, Http
from stream_sync.sinks.pace import Pace

TIMEOUT = 10.0
"""Seconds of one exchange."""
RATE = Rate(50, 1.0)
"""A topic of damaged records can name an unknown id in each of them."""


class OpenRegistry(Registry):
    """A registry with the connections that it needs."""

    def __init__(self, settings: SchemaRegistry, refresh_secrets: Callable[[], bool], log: Callable[..., None]) -> None:
        """`refresh_secrets` reads the config's secrets again: whether one changed."""
        address = urlsplit(settings.url)
        self._http = Http(
            f"{address.scheme}://{address.netloc}",
            lambda: headers(settings),
            lambda _endpoint, _result, _seconds: None,
            timeout=TIMEOUT,
            max_connections=8,
            max_reply=LONGEST_SCHEMA,
        )
        self._pace = Pace(RATE)
        super().__init__(address.path, self._exchange, refresh_secrets, random.random, log)

    async def close(self) -> None:
        """Ends what is being asked and closes the connections."""
        await super().close()
        await self._http.close()

    async def _exchange(self, path: str) -> Answer | str:
        answer = await self._http.request("GET", path, endpoint="schema", pace=self._pace)
        return answer.reason if isinstance(answer, Failure) else answer


def headers(settings: SchemaRegistry) -> Mapping[str, str]:
    """The headers of a request."""
    found = {"Accept": ACCEPT, "User-Agent": "stream-sync"}
    if settings.token is not None:
        found["Authorization"] = f"Bearer {settings.token.reveal()}"
    elif settings.basic_auth is not None:
        credentials = base64.b64encode(settings.basic_auth.reveal().encode()).decode()
        found["Authorization"] = f"Basic {credentials}"
    return found
