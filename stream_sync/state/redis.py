"""The last-delivered state on a Redis server, for several processes: one hash for each person, a field an activation.

Invariants:
- Every call is one script: atomic at the server. Each compares the server's `run_id` with the one that the state was
  written under: a server that started anew, or took over from another, may lack the last writes, so all is forgotten
  but who is known.
- Certificates are verified; no address, user or password is in a message.
- It keeps what is written: nothing here finds out that it evicts people, whose open claims and doubts go along, so that
  too much may be believed, and somebody who left is not known. (Where the state's own hash is evicted, nobody is.)
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Sequence
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from stream_sync.errors import StateAwayError
from stream_sync.state import redis_scripts
from stream_sync.state.store import (
    CALL_SECONDS,
    DOUBT_SECONDS,
    Asked,
    Attached,
    Last,
    OtherGenerationError,
    OtherKeyError,
    Scope,
    Settled,
)

SOCKET_SECONDS = CALL_SECONDS / 2
"""To connect, and for an answer."""
MOST_CONNECTIONS = 8
HASHES = "{stream-sync:state}"
"""Before every key; in braces, so that a cluster keeps them all in one place."""


class RedisStore:
    """See `store.Store`. `url`: redis:// or rediss://, credentials included."""

    def __init__(self, url: str, *, doubt_seconds: float = DOUBT_SECONDS) -> None:
        self._doubt_seconds = int(doubt_seconds)
        self._redis = Redis.from_pool(
            BlockingConnectionPool.from_url(
                url,
                socket_timeout=SOCKET_SECONDS,
                socket_connect_timeout=SOCKET_SECONDS,
                retry=Retry(NoBackoff(), 0),
                max_connections=MOST_CONNECTIONS,
                timeout=SOCKET_SECONDS,
            )
        )
        script = self._redis.register_script
        self._attach = script(redis_scripts.ATTACH)
        self._trusts = script(redis_scripts.TRUSTS)
        self._enrol = script(redis_scripts.ENROL)
        self._forget = script(redis_scripts.FORGET)
        self._claim = script(redis_scripts.CLAIM)
        self._settle = script(redis_scripts.SETTLE)
        self._known = script(redis_scripts.KNOWN)
        self._probe = script(redis_scripts.PROBE)

    async def attach(self, scope: Scope, check: str, *, doubt: bool, take_over: bool) -> Attached:
        """See `Store.attach`."""
        salt, generation = secrets.token_bytes(16), secrets.token_hex(8)
        seconds = self._doubt_seconds if doubt else 0
        generation_now, salt_now = await self._do(
            self._attach, (), _name(scope), check, salt, generation, seconds, int(take_over)
        )
        return Attached(scope, generation_now.decode(), salt_now)

    async def trusts(self, attached: Attached, lineage: str) -> bool:
        """See `Store.trusts`."""
        if lineage != attached.generation:
            return False
        return bool(await self._do(self._trusts, (), _name(attached.scope), lineage))

    def lineage(self, attached: Attached) -> str:
        """See `Store.lineage`."""
        return attached.generation

    async def enrol(self, attached: Attached, partitions: Sequence[int]) -> frozenset[int]:
        """See `Store.enrol`."""
        text = " ".join(map(str, partitions))
        known = await self._do(self._enrol, (), _name(attached.scope), attached.generation, text)
        return frozenset(map(int, known.split()))

    async def forget(self, attached: Attached, *, account: bool, keep_known: bool) -> Attached:
        """See `Store.forget`."""
        generation, scope = secrets.token_hex(8), attached.scope
        every = f"{scope.account}:" if account else ""
        arguments = (_name(scope), generation, self._doubt_seconds, every, int(keep_known))
        await self._do(self._forget, (), *arguments)
        return attached._replace(generation=generation)

    async def claim(self, attached: Attached, token: str, people: Sequence[Asked]) -> list[Last]:
        """See `Store.claim`."""
        alone = "".join("1" if asked.alone else "0" for asked in people)
        found = await self._do(
            self._claim,
            [asked.person for asked in people],
            *(_name(attached.scope), attached.generation, token, self._doubt_seconds, alone),
        )
        return [Last(text[2:] if text[1:2] == b"d" else None, text[:1] == b"1") for text in found]

    async def settle(self, attached: Attached, token: str, settled: Sequence[Settled]) -> None:
        """See `Store.settle`."""
        endings = [part for each in settled for part in (each.then.value, each.digests)]
        head = (_name(attached.scope), attached.generation, token, self._doubt_seconds)
        await self._do(self._settle, [each.person for each in settled], *head, *endings)

    async def known(self, attached: Attached, people: Sequence[str]) -> list[bool]:
        """See `Store.known`."""
        found = await self._do(self._known, people, _name(attached.scope), attached.generation)
        return [each == 1 for each in found]

    async def probe(self) -> str:
        """See `Store.probe`."""
        policy = (await self._do(self._probe, ())).decode()
        if not policy.startswith("allkeys"):  # the others evict nothing that has no end
            return ""
        return f"Redis may evict the state ({policy}): set its maxmemory-policy to noeviction"

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()

    async def _do(self, script: Any, people: Sequence[str], *arguments: str | bytes | int) -> Any:
        keys = [HASHES, *(f"{HASHES}:{person}" for person in people)]
        try:
            return await cast("Awaitable[Any]", script(keys=keys, args=arguments))
        except ResponseError as error:
            if "OTHERGENERATION" in str(error):
                raise OtherGenerationError from None
            if "OTHERKEY" in str(error):
                raise OtherKeyError from None
            why = "permissions (scripts, INFO, TIME and hashes are needed)"
            why = why if isinstance(error, NoPermissionError) or "permission" in str(error) else type(error).__name__
            raise StateAwayError(f"Redis refuses the state: {why}") from None
        except AuthenticationError:
            raise StateAwayError("Redis refuses the state: user or password of its `url` is wrong") from None
        except (RedisError, OSError, TimeoutError) as error:
            raise StateAwayError(f"Redis, which keeps the state, does not answer ({type(error).__name__})") from None


def _name(scope: Scope) -> str:
    return f"{scope.account}:{scope.activation}"
