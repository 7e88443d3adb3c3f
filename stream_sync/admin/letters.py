"""The dead letters and held deletes of an activation, as the console lists them.

Invariants:
- Only what tells no person: a letter's place, code, time and message, and a mask for its row.
- One topic is read at a time, at most MOST_READ letters of it, for at most MOST_SECONDS.
"""

from __future__ import annotations

import asyncio
import hmac
import os
from collections import Counter
from contextlib import aclosing
from typing import Protocol

from stream_sync.admin import views
from stream_sync.config.settings import Config
from stream_sync.errors import StreamSyncError
from stream_sync.kafka.put_aside import Letter
from stream_sync.replay.desk import dead_letters, parked

MOST_READ = 5_000
MOST_SECONDS = 20.0


class Mask:
    """Stands for a person or a row: equal for equal ones, until the process ends. It cannot be guessed from outside, as
    a plain hash of an address or a number can."""

    def __init__(self) -> None:
        self._key = os.urandom(32)

    def __call__(self, *parts: bytes) -> str:
        return hmac.digest(self._key, b"\0".join(parts), "sha256").hex()[:10]


class Letterbox(Protocol):
    """Reads letters; `KafkaLetters`."""

    async def count(self, activation: str) -> int:
        """How many dead letters are open. Raises StreamSyncError."""

    async def read(self, activation: str, which: views.PutAside, limit: int, code: str | None) -> views.Letters:
        """The oldest open ones. Raises StreamSyncError."""


class KafkaLetters:
    """Reads them from their topics."""

    def __init__(self, config: Config, mask: Mask) -> None:
        self._config = config
        self._mask = mask
        self._turn = asyncio.Lock()

    async def count(self, activation: str) -> int:
        """See `Letterbox.count`."""
        return await dead_letters(self._config, activation).count()

    async def read(self, activation: str, which: views.PutAside, limit: int, code: str | None) -> views.Letters:
        """See `Letterbox.read`."""
        try:
            async with asyncio.timeout(MOST_SECONDS), self._turn:
                return await self._read(activation, which, limit, code)
        except TimeoutError:
            raise StreamSyncError(
                f"the letters could not be read within {MOST_SECONDS:.0f} s: `stream-sync dlq list` takes its time"
            ) from None

    async def _read(self, activation: str, which: views.PutAside, limit: int, code: str | None) -> views.Letters:
        put_aside = (dead_letters if which == "letters" else parked)(self._config, activation)
        total = await put_aside.count()
        codes: Counter[str] = Counter()
        shown: list[views.Letter] = []
        if total:
            async with aclosing(put_aside.read()) as letters:
                async for letter, _record in letters:
                    codes[letter.code] += 1
                    if len(shown) < limit and code in (None, letter.code):
                        shown.append(self._view(letter))
                    if codes.total() >= MOST_READ:
                        break
        return views.Letters(put_aside.topic, total, dict(codes.most_common()), shown)

    def _view(self, letter: Letter) -> views.Letter:
        return views.Letter(
            partition=letter.partition,
            offset=letter.offset,
            source_partition=letter.source_partition,
            source_offset=letter.source_offset,
            code=letter.code,
            stage=letter.stage,
            status=letter.status,
            attempts=letter.attempts,
            failed_at=letter.failed_at,
            message=letter.message,
            row=self._mask(b"row", letter.key or b""),
        )
