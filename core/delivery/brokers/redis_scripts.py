"""What runs inside Redis: each script is one step that is done whole or not at all.

A batch of XADDs in one script costs the client one command and its answer in place of hundreds, and a Redis
that is full refuses it before the first. Settling removes and counts in one step, so that what somebody else
removed shows as a difference. All keys of a call have one hash tag, as Redis Cluster needs it.
"""

from __future__ import annotations

from hashlib import sha1
from typing import NamedTuple

__all__ = [
    "ALL",
    "CONSUMERS",
    "GROUP",
    "KEEP",
    "LETTERS",
    "PUBLISH",
    "REMOVE",
    "SETTLE",
    "STATE",
    "SWEEP",
    "Script",
]


class Script(NamedTuple):
    """A script and the name that Redis gives it."""

    text: str
    digest: str


def _script(text: str) -> Script:
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


#: Stream; most entries (0: no bound), version, bodies → how many were added, or -1 for none: there is no
#: room.
PUBLISH = _script("""\
local most = tonumber(ARGV[1])
if most > 0 and redis.call('EXISTS', KEYS[1]) == 1 and redis.call('XLEN', KEYS[1]) >= most then return -1 end
for i = 3, #ARGV do redis.call('XADD', KEYS[1], '*', 'v', ARGV[2], 'e', ARGV[i]) end
return #ARGV - 2
""")

#: Stream, counter; group, ids → how many were there. The ids are one text with spaces between them, for each
#: argument costs the client a microsecond. A full Redis lets it pass, for it makes room.
SETTLE = _script("""\
#!lua flags=allow-oom
local ids = {}
for id in string.gmatch(ARGV[2], '%S+') do ids[#ids + 1] = id end
redis.call('XACK', KEYS[1], ARGV[1], unpack(ids))
local gone = redis.call('XDEL', KEYS[1], unpack(ids))
if gone > 0 then redis.call('INCRBY', KEYS[2], gone) end
return gone
""")

#: Stream, counter; group → 1 if the group was made, which then begins at the oldest entry. A worker must be
#: able to begin where Redis is full.
GROUP = _script("""\
#!lua flags=allow-oom
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if not made.err then return 1 end
if string.find(made.err, 'BUSYGROUP') then return 0 end
return made
""")

#: Stream, counter; group → length, pending, consumers, id of the first entry, added ever, settled ever.
STATE = _script("""\
#!lua flags=no-writes
if redis.call('EXISTS', KEYS[1]) == 0 then return {0, 0, 0, '', 0, 0} end
local function named(flat)
  local found = {}
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end
local stream = named(redis.call('XINFO', 'STREAM', KEYS[1]))
local first = stream['first-entry']
local pending, consumers = 0, 0
for _, each in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = named(each)
  if group['name'] == ARGV[1] then pending, consumers = group['pending'], group['consumers'] end
end
local settled = tonumber(redis.call('GET', KEYS[2]) or 0)
return {stream['length'], pending, consumers, first and first[1] or '', stream['entries-added'], settled}
""")

#: Stream; group, milliseconds, a consumer's name → how many consumers were forgotten: that one, and those
#: silent for so long, if they hold nothing. In one step, for whoever forgets a consumer forgets what it
#: holds.
SWEEP = _script("""\
#!lua flags=allow-oom
local found = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if found.err then return 0 end
local gone = 0
for _, flat in ipairs(found) do
  local each = {}
  for i = 1, #flat, 2 do each[flat[i]] = flat[i + 1] end
  if each['pending'] == 0 and (each['name'] == ARGV[3] or each['idle'] > tonumber(ARGV[2])) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], each['name'])
    gone = gone + 1
  end
end
return gone
""")

#: Stream; group → name, pending and idle milliseconds of each consumer, one after the other.
CONSUMERS = _script("""\
#!lua flags=no-writes
local found = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
local flat = {}
if found.err then return flat end
for _, consumer in ipairs(found) do
  local each = {}
  for i = 1, #consumer, 2 do each[consumer[i]] = consumer[i + 1] end
  flat[#flat + 1] = each['name']
  flat[#flat + 1] = each['pending']
  flat[#flat + 1] = each['idle']
end
return flat
""")

#: Stream of letters, counter of their bytes; bodies → how many there are now.
KEEP = _script("""\
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
local size = 0
for i = 1, #ARGV do
  redis.call('XADD', KEYS[1], '*', 'l', ARGV[i])
  size = size + #ARGV[i]
end
redis.call('INCRBY', KEYS[2], size)
return redis.call('XLEN', KEYS[1])
""")

#: Stream of letters, counter of their bytes; positions → how many were there.
REMOVE = _script("""\
#!lua flags=allow-oom
local gone, size = 0, 0
for i = 1, #ARGV do
  local found = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])
  if found[1] then
    size = size + #(found[1][2][2] or '')
    gone = gone + redis.call('XDEL', KEYS[1], ARGV[i])
  end
end
if gone > 0 then redis.call('INCRBY', KEYS[2], -size) end
return gone
""")

#: Stream of letters, counter of their bytes → number, bytes, position of the first.
LETTERS = _script("""\
#!lua flags=no-writes
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
if not first[1] then return {0, 0, ''} end
return {redis.call('XLEN', KEYS[1]), tonumber(redis.call('GET', KEYS[2]) or 0), first[1][1]}
""")

ALL = (PUBLISH, SETTLE, GROUP, STATE, SWEEP, CONSUMERS, KEEP, REMOVE, LETTERS)
