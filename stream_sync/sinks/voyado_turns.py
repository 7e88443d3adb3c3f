"""Whose turn it is: requests that may not be under way together.

Invariants:
- Whoever has a key's turn is alone with it. Turns of several keys are taken in one order, so nobody waits in a ring;
  who then needs one more takes a key that sorts after all of them.
- The two sides of a `Divide` are never under way at once; first come, first served, so neither waits for ever.
- Cancelling a wait leaves nothing behind; nothing is kept of a key that nobody wants.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

Side = Literal["look", "write"]


class Turns:
    """One at a time for each key."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, list[None]]] = {}

    def __len__(self) -> int:
        return len(self._locks)

    @asynccontextmanager
    async def all_of(self, keys: Iterable[str]) -> AsyncIterator[None]:
        """Alone with all of these keys."""
        async with AsyncExitStack() as stack:
            for key in sorted(set(keys)):
                await stack.enter_async_context(self.of(key))
            yield

    @asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[None]:
        """Alone with this key."""
        lock, users = self._locks.setdefault(key, (asyncio.Lock(), []))
        users.append(None)
        try:
            async with lock:
                yield
        finally:
            users.pop()
            if not users:
                del self._locks[key]


class Divide:
    """Requests of two kinds that must not be under way together; any number of one kind may."""

    def __init__(self) -> None:
        self._under_way: dict[Side, int] = {"look": 0, "write": 0}
        self._waiting: deque[tuple[Side, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def on(self, side: Side) -> AsyncIterator[None]:
        """On this side while the other is empty."""
        waiting = (side, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._let_in()
        try:
            await waiting[1]
            yield
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:
                self._under_way[side] -= 1
            self._let_in()

    def _let_in(self) -> None:
        while self._waiting:
            side, entry = self._waiting[0]
            if self._under_way["write" if side == "look" else "look"]:
                return
            self._waiting.popleft()
            self._under_way[side] += 1
            if not entry.done():  # a cancelled one leaves at once
                entry.set_result(None)
