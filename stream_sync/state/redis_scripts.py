"""What the Redis server does for the last-delivered state: a script for each call of `store.Store`, in Lua.

Invariants:
- A script is atomic, and looks first whether the server is still the run that the state was written under.
- KEYS: the store's own hash, then a hash for each person. A person's hash has a field for each activation.
- An entry of another generation says until when there is doubt and, where the generation was kept, that the person is
  known; its digests never count.
- What a script refuses is an error reply: OTHERKEY, OTHERGENERATION.
"""

from __future__ import annotations

from stream_sync.state.store import Then

_COMMON = """
local store = KEYS[1]
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local now = tonumber(redis.call('TIME')[1])
local function drop(prefix)
  for _, field in ipairs(redis.call('HKEYS', store)) do
    if string.sub(field, 1, #prefix) == prefix then redis.call('HDEL', store, field) end
  end
end
if redis.call('HGET', store, 'run') ~= run then drop('g:') drop('k:') drop('p:') end
local function is_now(scope, generation)
  return redis.call('HGET', store, 'g:' .. scope) == generation
end
"""
# An entry: generation (16) claim (16, '-' = none) doubt (10 digits) mark digests. The mark: 'd' digests follow, '?'
# they are not known; 'D' and '!' the same of who was claimed alone.
_ENTRY = """
local none = string.rep('-', 16)
local function read(person, scope, generation)
  local text = redis.call('HGET', person, scope)
  if not text then return nil end
  local mark = string.sub(text, 43, 43)
  local entry = {claim = string.sub(text, 17, 32), doubt = tonumber(string.sub(text, 33, 42))}
  entry.of = string.sub(text, 1, 16)
  entry.is_now = entry.of == generation
  entry.alone = mark == 'D' or mark == '!'
  if entry.is_now and (mark == 'd' or mark == 'D') then entry.digests = string.sub(text, 44) end
  return entry
end
local function write(person, scope, generation, claim, doubt, alone, digests)
  local rest = digests and ((alone and 'D' or 'd') .. digests) or (alone and '!' or '?')
  redis.call('HSET', person, scope, generation .. claim .. string.format('%010d', doubt) .. rest)
end
local function account_of(scope) return string.sub(scope, 1, string.find(scope, ':', 1, true)) end
local function others(person, scope)
  local account, found = account_of(scope), {}
  for _, field in ipairs(redis.call('HKEYS', person)) do
    if field ~= scope and string.sub(field, 1, #account) == account then found[#found + 1] = field end
  end
  return found
end
local function raise(field, till)
  if tonumber(redis.call('HGET', store, field) or 0) < till then redis.call('HSET', store, field, till) end
end
-- What may still come of a removed entry is a doubt of its scope; of a claim alone, one of all scopes of the account.
local function remove(person, scope, token, doubted)
  local entry = read(person, scope, '')
  if not entry then return end
  redis.call('HDEL', person, scope)
  local till = entry.doubt
  if entry.claim ~= none and entry.claim ~= token then till = doubted end
  if till <= now then return end
  raise('d:' .. scope, till)
  if entry.alone then
    local prefix = 'd:' .. account_of(scope)
    for _, field in ipairs(redis.call('HKEYS', store)) do
      if string.sub(field, 1, #prefix) == prefix then raise(field, till) end
    end
  end
end
local function remove_others(person, scope, token, doubted)
  for _, field in ipairs(others(person, scope)) do remove(person, field, token, doubted) end
end
"""
ATTACH = (
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
if redis.call('HSETNX', store, 'g:' .. scope, generation) == 1 then
  local had = tonumber(redis.call('HGET', store, 'd:' .. scope) or 0)
  redis.call('HSET', store, 'd:' .. scope, doubt == '0' and had or math.max(had, now + tonumber(doubt)))
end
return {redis.call('HGET', store, 'g:' .. scope), redis.call('HGET', store, 'salt')}
"""
)
TRUSTS = _COMMON + "return is_now(ARGV[1], ARGV[2]) and 1 or 0"
ENROL = (
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
FORGET = (
    _COMMON
    + """
local scope, generation, doubt, account, keep_known = unpack(ARGV)
local was, kept = redis.call('HGET', store, 'g:' .. scope), redis.call('HGET', store, 'k:' .. scope) or ''
if account ~= '' then
  for _, field in ipairs(redis.call('HKEYS', store)) do
    if string.sub(field, 1, #account + 2) == 'g:' .. account then
      redis.call('HSET', store, 'd:' .. string.sub(field, 3), now + tonumber(doubt))
    end
  end
  drop('g:' .. account) drop('k:' .. account) drop('p:' .. account)
end
if keep_known == '1' and was then
  redis.call('HSET', store, 'k:' .. scope, kept .. ' ' .. was)
else
  redis.call('HDEL', store, 'k:' .. scope)
end
redis.call('HSET', store, 'run', run, 'g:' .. scope, generation, 'd:' .. scope, now + tonumber(doubt))
redis.call('HDEL', store, 'p:' .. scope)
"""
)
CLAIM = (
    _COMMON
    + _ENTRY
    + """
local scope, generation, token, doubt_seconds, alone = unpack(ARGV)
if not is_now(scope, generation) then return redis.error_reply('OTHERGENERATION') end
local doubted = now + tonumber(doubt_seconds)
for i = 2, #KEYS do
  if string.sub(alone, i - 1, i - 1) == '1' then remove_others(KEYS[i], scope, token, doubted) end
end
local scope_doubt = tonumber(redis.call('HGET', store, 'd:' .. scope) or doubted)
local found = {}
for i = 2, #KEYS do
  local person = KEYS[i]
  local entry = read(person, scope, generation) or {claim = none, doubt = 0}
  local doubt, digests = entry.doubt, entry.digests
  if entry.claim ~= none and entry.claim ~= token then doubt, digests = doubted, nil end
  local is_alone = string.sub(alone, i - 1, i - 1) == '1' or (entry.alone and doubt > now)
  for _, field in ipairs(others(person, scope)) do
    local other = read(person, field, '')
    if other.alone then doubt = math.max(doubt, other.claim == none and other.doubt or doubted) end
  end
  write(person, scope, generation, token, doubt, is_alone, digests)
  local is_clean = math.max(doubt, scope_doubt) <= now
  found[i - 1] = (is_clean and '1' or '0') .. ((is_clean and digests) and ('d' .. digests) or '?')
end
return found
"""
)
SETTLE = (
    _COMMON
    + _ENTRY
    + """
local scope, generation, token, doubt_seconds = unpack(ARGV)
local is_mine = is_now(scope, generation)
local doubted = now + tonumber(doubt_seconds)
for i = 2, #KEYS do
  local person, ending, digests = KEYS[i], ARGV[2 * i + 1], ARGV[2 * i + 2]
  local entry = read(person, scope, generation)
  if ending == 'erased' then
    remove_others(person, scope, token, doubted)
    if entry and entry.claim ~= token then
      write(person, scope, generation, entry.claim, doubted, entry.alone, nil)
    else
      remove(person, scope, token, doubted)
    end
  elseif is_mine and entry and entry.is_now and entry.claim == token then
    local doubt, alone = entry.doubt, entry.alone
    if ending == 'kept' then write(person, scope, generation, none, doubt, alone, entry.digests)
    elseif ending == 'written' then write(person, scope, generation, none, doubt, alone, digests)
    elseif ending == 'unknown' then write(person, scope, generation, none, doubt, alone, nil)
    elseif ending == 'doubted' then write(person, scope, generation, none, doubted, alone, nil)
    elseif ending == 'nobody' then remove(person, scope, token, doubted) end
  end
end
"""
)
KNOWN = (
    _COMMON
    + _ENTRY
    + """
if not is_now(ARGV[1], ARGV[2]) then return redis.error_reply('OTHERGENERATION') end
local found = {}
local kept = redis.call('HGET', store, 'k:' .. ARGV[1]) or ''
for i = 2, #KEYS do
  local entry = read(KEYS[i], ARGV[1], ARGV[2])
  found[i - 1] = entry and (entry.is_now or string.find(kept, entry.of, 1, true)) and 1 or 0
end
return found
"""
)
PROBE = """
redis.call('HGET', KEYS[1], 'run') redis.call('INFO', 'server') redis.call('TIME')
return string.match(redis.call('INFO', 'memory'), 'maxmemory_policy:([%w-]+)') or ''
"""

assert {then.value for then in Then} == {"kept", "written", "unknown", "doubted", "nobody", "erased"}, (
    "as SETTLE knows them"
)
