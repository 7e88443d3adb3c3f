"""The last-delivered state on a Redis server, for several processes: one hash for each person, a field an activation.

Invariants:
- Every call is one script: atomic at the server. Each compares the server's `run_id` with the one that the state was
  written under: a server that started anew, or took over from another, may lack the last writes, so all is forgotten.
- Certificates are verified; no address, user or password is in a message.
- What Redis evicts is not known; where it evicts the state's own entry, all is forgotten.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Sequence
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from stream_sync.errors import StateAwayError
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
    Then,
)

SOCKET_SECONDS = CALL_SECONDS / 2
"""To connect, and for an answer."""
MOST_CONNECTIONS = 8
HASHES = "{stream-sync:state}"
"""Before every key; in braces, so that a cluster keeps them all in one place."""

_COMMON = """
local store = KEYS[1]
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local now = tonumber(redis.call('TIME')[1])
local function drop(prefix)
  for _, field in ipairs(redis.call('HKEYS', store)) do
    if string.sub(field, 1, #prefix) == prefix then redis.call('HDEL', store, field) end
  end
end
if redis.call('HGET', store, 'run') ~= run then drop('g:') drop('d:') drop('p:') end
local function is_now(scope, generation)
  return redis.call('HGET', store, 'g:' .. scope) == generation
end
"""
# An entry: generation (16) claim (16, '-' = none) doubt (10 digits) 'd' and the digests, or '?'.
_ENTRY = """
local none = string.rep('-', 16)
local function read(person, scope, generation)
  local text = redis.call('HGET', person, scope)
  if not text or string.sub(text, 1, 16) ~= generation then return nil end
  local digests = nil
  if string.sub(text, 43, 43) == 'd' then digests = string.sub(text, 44) end
  return {string.sub(text, 17, 32), tonumber(string.sub(text, 33, 42)), digests}
end
local function write(person, scope, generation, claim, doubt, digests)
  local rest = digests and ('d' .. digests) or '?'
  redis.call('HSET', person, scope, generation .. claim .. string.format('%010d', doubt) .. rest)
end
local function erase_others(person, scope)
  local account = string.sub(scope, 1, string.find(scope, ':', 1, true))
  for _, field in ipairs(redis.call('HKEYS', person)) do
    if field ~= scope and string.sub(field, 1, #account) == account then redis.call('HDEL', person, field) end
  end
end
"""
_ATTACH = (
    _COMMON
    + """
local scope, check, salt, generation, doubt, take_over = unpack(ARGV)
local kept = redis.call('HGET', store, 'check')
if kept and kept ~= check then
  if take_over == '0' then return redis.error_reply('OTHERKEY') end
  redis.call('DEL', store)
end
redis.call('HSET', store, 'run', run, 'check', check)
redis.call('HSETNX', store, 'salt', salt)
local is_new = redis.call('HSETNX', store, 'g:' .. scope, generation)
if is_new == 1 then redis.call('HSET', store, 'd:' .. scope, doubt == '0' and 0 or now + tonumber(doubt)) end
return {redis.call('HGET', store, 'g:' .. scope), redis.call('HGET', store, 'salt'), is_new}
"""
)
_TRUSTS = _COMMON + "return is_now(ARGV[1], ARGV[2]) and 1 or 0"
_ENROL = (
    _COMMON
    + """
if not is_now(ARGV[1], ARGV[2]) then return redis.error_reply('OTHERGENERATION') end
local known = redis.call('HGET', store, 'p:' .. ARGV[1]) or ''
local every = known
for number in string.gmatch(ARGV[3], '%d+') do
  if not string.find(every .. ' ', ' ' .. number .. ' ', 1, true) then every = every .. ' ' .. number end
end
redis.call('HSET', store, 'p:' .. ARGV[1], every)
return known
"""
)
_FORGET = (
    _COMMON
    + """
local scope, generation, doubt, account = unpack(ARGV)
if account ~= '' then drop('g:' .. account) drop('d:' .. account) drop('p:' .. account) end
redis.call('HSET', store, 'run', run, 'g:' .. scope, generation, 'd:' .. scope, now + tonumber(doubt))
redis.call('HDEL', store, 'p:' .. scope)
"""
)
_CLAIM = (
    _COMMON
    + _ENTRY
    + """
local scope, generation, token, doubt_seconds, alone = unpack(ARGV)
if not is_now(scope, generation) then return redis.error_reply('OTHERGENERATION') end
local scope_doubt = tonumber(redis.call('HGET', store, 'd:' .. scope) or now + tonumber(doubt_seconds))
local found = {}
for i = 2, #KEYS do
  local person = KEYS[i]
  if string.sub(alone, i - 1, i - 1) == '1' then erase_others(person, scope) end
  local entry = read(person, scope, generation) or {none, 0, nil}
  local doubt, digests = entry[2], entry[3]
  if entry[1] ~= none and entry[1] ~= token then doubt, digests = now + tonumber(doubt_seconds), nil end
  write(person, scope, generation, token, doubt, digests)
  local is_clean = math.max(doubt, scope_doubt) <= now
  found[i - 1] = (is_clean and '1' or '0') .. ((is_clean and digests) and ('d' .. digests) or '?')
end
return found
"""
)
_SETTLE = (
    _COMMON
    + _ENTRY
    + """
local scope, generation, token, doubt_seconds = unpack(ARGV)
local is_mine = is_now(scope, generation)
local doubted = now + tonumber(doubt_seconds)
for i = 2, #KEYS do
  local person, ending, digests = KEYS[i], ARGV[2 * i + 1], ARGV[2 * i + 2]
  local entry = is_mine and read(person, scope, generation) or nil
  if ending == 'erased' then
    erase_others(person, scope)
    if entry and entry[1] ~= token then
      write(person, scope, generation, entry[1], doubted, nil)
    else
      redis.call('HDEL', person, scope)
    end
  elseif entry and entry[1] == token then
    local doubt = entry[2]
    if ending == 'kept' then write(person, scope, generation, none, doubt, entry[3])
    elseif ending == 'written' then write(person, scope, generation, none, doubt, digests)
    elseif ending == 'unknown' then write(person, scope, generation, none, doubt, nil)
    elseif ending == 'doubted' then write(person, scope, generation, none, doubted, nil)
    elseif ending == 'nobody' then redis.call('HDEL', person, scope) end
  end
end
"""
)
_KNOWN = (
    _COMMON
    + _ENTRY
    + """
if not is_now(ARGV[1], ARGV[2]) then return redis.error_reply('OTHERGENERATION') end
local found = {}
for i = 2, #KEYS do found[i - 1] = read(KEYS[i], ARGV[1], ARGV[2]) and 1 or 0 end
return found
"""
)
_PROBE = "redis.call('HGET', KEYS[1], 'run') return {redis.call('INFO', 'server'), redis.call('TIME')}"


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
        texts = (_ATTACH, _TRUSTS, _ENROL, _FORGET, _CLAIM, _SETTLE, _KNOWN)
        scripts = map(self._redis.register_script, texts)
        self._attach, self._trusts, self._enrol, self._forget, self._claim, self._settle, self._known = scripts
        self._probe = self._redis.register_script(_PROBE)

    async def attach(self, scope: Scope, check: str, *, doubt: bool, take_over: bool) -> Attached:
        """See `Store.attach`."""
        salt, generation = secrets.token_bytes(16), secrets.token_hex(8)
        seconds = self._doubt_seconds if doubt else 0
        generation_now, salt_now, is_new = await self._do(
            self._attach, (), _name(scope), check, salt, generation, seconds, int(take_over)
        )
        return Attached(scope, generation_now.decode(), salt_now, is_new == 1)

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

    async def forget(self, attached: Attached, *, account: bool) -> Attached:
        """See `Store.forget`."""
        generation, scope = secrets.token_hex(8), attached.scope
        every = f"{scope.account}:" if account else ""
        await self._do(self._forget, (), _name(scope), generation, self._doubt_seconds, every)
        return attached._replace(generation=generation, is_new=False)

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

    async def probe(self) -> None:
        """See `Store.probe`."""
        await self._do(self._probe, ())

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
        except (RedisError, OSError, TimeoutError) as error:
            raise StateAwayError(f"Redis, which keeps the state, does not answer ({type(error).__name__})") from None


def _name(scope: Scope) -> str:
    return f"{scope.account}:{scope.activation}"


assert {then.value for then in Then} == {"kept", "written", "unknown", "doubted", "nobody", "erased"}
