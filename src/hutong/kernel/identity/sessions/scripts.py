"""What the store decides in one step. Redis 6.2; every key is passed, and all of one user share a hash tag.

A session's hash, its *family*, holds the turn of its newest pair (opaque here) and the digests of that pair and of the
refresh token before it; the three sorted sets hold digests with the second in which each ends, as the contract has them.

`seal` in a family says: in this history of the store, at `sealed`, SQL called the session live. A history ends whenever
data may have been lost: a restarted server, a promoted replica, and a slot's new owner all have another `master_replid`.
Source: contracts/storefront.md "Tokens"; ADR 0017.
"""

from hutong.kernel.http.limits import COUNT
from hutong.kernel.store import Script

_CALL = """
    local call = redis.call
"""
_CLOCK = (
    _CALL
    + """
    local function clock(given)
        if given ~= '' then return tonumber(given) end
        local t = call('TIME')
        return tonumber(t[1]) + tonumber(t[2]) / 1000000
    end
"""
)
_HISTORY = """
    local function history()
        return string.match(call('INFO', 'replication'), 'master_replid:(%x+)')
    end
"""
_TRIM = """
    local function trim(now)
        for i = 1, 3 do call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now) end
    end
"""
_DROP = """
    local function drop(family)
        local f = call('HMGET', family, 'access', 'refresh', 'before')
        for i = 1, 3 do
            if f[i] then call('ZREM', KEYS[i], f[i]) end
        end
        call('DEL', family)
    end
"""

_PUT = """
    local access, refresh, access_until, refresh_until, turn = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
    local function put(now, counter, ...)
        trim(now)
        call('ZADD', KEYS[1], access_until, access)
        call('ZADD', KEYS[2], refresh_until, refresh)
        call('HSET', KEYS[4], 'access', access, 'refresh', refresh, 'until', refresh_until, 'turn', turn,
            'counter', counter, ...)
        call('PEXPIRE', KEYS[1], ARGV[7])
        call('PEXPIRE', KEYS[2], ARGV[8])
        call('PEXPIRE', KEYS[4], ARGV[8])
    end
"""

OPEN = Script(
    "sessions.open",
    _CLOCK
    + _HISTORY
    + _TRIM
    + _PUT
    + """
    local now = clock(ARGV[1])
    put(now, 0, 'seal', history(), 'sealed', now)
    return 1
    """,
)
"""Keys: access, refresh, used, family. Arguments: now; both digests and ends, the turn, and milliseconds for which the sets
are kept."""

ROTATE = Script(
    "sessions.rotate",
    _CLOCK
    + _TRIM
    + _DROP
    + _PUT
    + """
    local now, presented, counter = clock(ARGV[1]), ARGV[9], tonumber(ARGV[10])
    local f = call('HMGET', KEYS[4], 'refresh', 'counter', 'until', 'access', 'before', 'reuses')
    if not f[1] then return {'gone'} end
    if presented == f[1] then
        if tonumber(f[3]) <= now then return {'expired'} end
        call('ZREM', KEYS[1], f[4])
        call('ZREM', KEYS[2], presented)
        if f[5] then call('ZREM', KEYS[3], f[5]) end
        put(now, counter + 1, 'before', presented, 'reuses', 0)
        call('ZADD', KEYS[3], now + ARGV[11], presented)
        call('PEXPIRE', KEYS[3], ARGV[12])
        return {'rotated'}
    end
    if presented == f[5] then
        local ends = call('ZSCORE', KEYS[3], presented)
        if ARGV[14] == '1' or (ends and now <= tonumber(ends)) then
            if tonumber(f[6]) >= tonumber(ARGV[13]) then return {'busy'} end
            call('HINCRBY', KEYS[4], 'reuses', 1)
            return {'again', call('HGET', KEYS[4], 'turn'), f[1]}
        end
    end
    if counter >= tonumber(f[2]) then return {'behind'} end
    drop(KEYS[4])
    return {'reused'}
    """,
)
"""Keys: access, refresh, used, family. Arguments: as for `OPEN`, of the successor; digest and counter of the token presented;
seconds of grace, and milliseconds; most answers in it; whether SQL knows no newer token."""

DROP = Script(
    "sessions.drop",
    _CALL
    + _DROP
    + """
    for i = 4, #KEYS do drop(KEYS[i]) end
    return 1
    """,
)
"""Keys: access, refresh, used, families."""

ADMIT = Script(
    "sessions.admit",
    _CLOCK
    + _HISTORY
    + COUNT
    + """
    if not call('ZSCORE', KEYS[1], ARGV[2]) then return {'ended'} end
    local f, known = call('HMGET', KEYS[2], 'seal', 'sealed'), history()
    if f[1] ~= known or clock(ARGV[1]) > f[2] + ARGV[3] then return {'unsealed', known} end
    local copy = ARGV[5] == '1' and call('GET', KEYS[#KEYS]) or ''
    if #KEYS < 4 then return {'admitted', copy, 0, 0} end
    return {'admitted', copy, count(KEYS[3], KEYS[4], ARGV[4])}
    """,
)
"""Keys: access, family, perhaps a tally's two, perhaps a copy's. Arguments: now, digest, seconds that a seal lasts,
milliseconds of a counter, `1` if the last key is a copy's."""

SEAL = Script(
    "sessions.seal",
    _CLOCK
    + _HISTORY
    + _DROP
    + """
    if history() ~= ARGV[2] then return 'moved' end
    local counter = call('HGET', KEYS[4], 'counter')
    if not counter then return 'ended' end
    if tonumber(counter) < tonumber(ARGV[3]) then
        drop(KEYS[4])
        return 'ended'
    end
    call('HSET', KEYS[4], 'seal', ARGV[2], 'sealed', clock(ARGV[1]))
    return 'sealed'
    """,
)
"""Keys: access, refresh, used, family. Arguments: now, the history that SQL was asked in, the counter that it knows."""
