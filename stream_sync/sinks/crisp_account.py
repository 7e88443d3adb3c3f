"""One website of Crisp as requests are made to it: paced, read, and left alone while it refuses.

Invariants:
- A request is an exchange and its meaning; whoever asks decides what that is for a person.
- While Crisp refuses, one request at a time asks again, and the others are answered here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from stream_sync.config.values import Rate
from stream_sync.model import Retry, Throttled
from stream_sync.sinks.crisp_people import Kind, path_of
from stream_sync.sinks.crisp_quota import Quota
from stream_sync.sinks.crisp_replies import Meaning, read
from stream_sync.sinks.foreseen import PERSON
from stream_sync.sinks.forms import encode
from stream_sync.sinks.http import Http, Method, segment
from stream_sync.sinks.pace import Pace


class Account:
    """Shared by everyone who sends to that website."""

    def __init__(self, http: Http, rate_limit: Rate) -> None:
        self._http = http
        self._pace = Pace(rate_limit)
        self._quota = Quota()
        self._asking_again = asyncio.Lock()

    def set_share(self, fraction: float) -> None:
        self._pace.set_share(fraction)

    @property
    def is_paced(self) -> bool:
        """Whether a request waits for the rate limit."""
        return self._pace.is_awaited

    async def ask(
        self, method: Method, kind: Kind, person: str = "", body: Mapping[str, object] | None = None
    ) -> Meaning:
        """`person`: an e-mail or a people_id, empty for a new one. Raises UnicodeEncodeError or RecursionError for what
        cannot be written as JSON or in an address."""
        path = path_of(kind).replace(PERSON, segment(person)) if person else path_of(kind, new=True)
        encoded = None if body is None else encode(body)
        endpoint = f"{kind}_{method.lower()}"
        if not self._quota.is_refusing:
            return await self._exchange(method, endpoint, path, encoded)
        async with self._asking_again:
            refused = self._quota.still_refused(asyncio.get_running_loop().time())
            return refused or await self._exchange(method, endpoint, path, encoded)

    async def _exchange(self, method: Method, endpoint: str, path: str, body: bytes | None) -> Meaning:
        answer = await self._http.request(method, path, endpoint=endpoint, body=body, pace=self._pace)
        meaning = read(answer)
        now = asyncio.get_running_loop().time()
        if isinstance(meaning, Throttled):
            return self._quota.refused(now, meaning.after)
        if not isinstance(meaning, Retry):
            self._quota.taken(now)
        return meaning
