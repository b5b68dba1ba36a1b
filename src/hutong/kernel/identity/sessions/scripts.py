"""What the store decides in one step. Redis 6.2; every key is passed, and all of one user share a hash tag.

A session's hash, its *family*, holds the turn of its newest pair and the digests of that pair and of the refresh token
before it; the three sorted sets hold digests with the second in which each ends, as the contract has them.

`seal` in a family says: in this history of the store, at `sealed`, SQL called the session live. A history ends whenever
data may have been lost: a restarted server, a promoted replica, and a slot's new owner all have another `master_replid`.
Source: contracts/storefront.md "Tokens"; ADR 0017.
"""

from hutong.kernel.http.limits import COUNT
from hutong.kernel.store import Script

_CLOCK = """
    local function clock(given)
        if given ~= '' then return tonumber(given) end
        local t = redis.call('TIME')
        return tonumber(t[1]) + tonumber(t[2]) / 1000000
    end
"""
_HISTORY = """
    local function history()
        return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
    end
"""
_TRIM = """
    local function trim(now)
        for i = 1, 3 do redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now) end
    end
"""
_KEEP = """
    local function keep(key, seconds)
        local ms = math.max(1, math.ceil(seconds * 1000))
        if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
    end
"""
_DROP = """
    local function drop(family)
        local f = redis.call('HMGET', family, 'access', 'refresh', 'before')
        for i = 1, 3 do
            if f[i] then redis.call('ZREM', KEYS[i], f[i]) end
        end
        redis.call('DEL', family)
    end
"""

OPEN = Script(
    "sessions.open",
    _CLOCK
    + _HISTORY
    + _TRIM
    + _KEEP
    + """
    local now = clock(ARGV[1])
    local access, refresh, access_until, refresh_until = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
    trim(now)
    redis.call('ZADD', KEYS[1], access_until, access)
    redis.call('ZADD', KEYS[2], refresh_until, refresh)
    redis.call('HSET', KEYS[4], 'access', access, 'refresh', refresh, 'access_until', access_until,
        'refresh_until', refresh_until, 'counter', ARGV[6], 'stamp', ARGV[7], 'issued', ARGV[8], 'kid', ARGV[9],
        'seal', history(), 'sealed', now)
    keep(KEYS[1], access_until - now)
    keep(KEYS[2], refresh_until - now)
    keep(KEYS[4], math.max(access_until, refresh_until) - now)
    return 1
    """,
)
"""Keys: access, refresh, used, family. Arguments: now, both digests, both ends, the turn."""

ROTATE = Script(
    "sessions.rotate",
    _CLOCK
    + _TRIM
    + _KEEP
    + _DROP
    + """
    local now, presented, counter = clock(ARGV[1]), ARGV[10], tonumber(ARGV[11])
    local f = redis.call('HMGET', KEYS[4], 'refresh', 'counter', 'access', 'before', 'reuses')
    if not f[1] then return {'gone'} end
    if presented == f[1] then
        local ends = redis.call('ZSCORE', KEYS[2], presented)
        if not ends or tonumber(ends) <= now then return {'expired'} end
        local access, refresh, access_until, refresh_until = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
        redis.call('ZREM', KEYS[1], f[3])
        redis.call('ZREM', KEYS[2], presented)
        if f[4] then redis.call('ZREM', KEYS[3], f[4]) end
        trim(now)
        redis.call('ZADD', KEYS[1], access_until, access)
        redis.call('ZADD', KEYS[2], refresh_until, refresh)
        redis.call('ZADD', KEYS[3], now + ARGV[12], presented)
        redis.call('HSET', KEYS[4], 'access', access, 'refresh', refresh, 'access_until', access_until,
            'refresh_until', refresh_until, 'counter', ARGV[6], 'stamp', ARGV[7], 'issued', ARGV[8], 'kid', ARGV[9],
            'before', presented, 'reuses', 0)
        keep(KEYS[1], access_until - now)
        keep(KEYS[2], refresh_until - now)
        keep(KEYS[3], ARGV[12])
        keep(KEYS[4], math.max(access_until, refresh_until) - now)
        return {'rotated'}
    end
    if presented == f[4] then
        local ends = redis.call('ZSCORE', KEYS[3], presented)
        if ARGV[14] == '1' or (ends and now <= tonumber(ends)) then
            if tonumber(f[5]) >= tonumber(ARGV[13]) then return {'busy'} end
            redis.call('HINCRBY', KEYS[4], 'reuses', 1)
            return {'again', redis.call('HMGET', KEYS[4],
                'counter', 'stamp', 'issued', 'access_until', 'refresh_until', 'kid', 'refresh')}
        end
    end
    if counter >= tonumber(f[2]) then return {'behind'} end
    drop(KEYS[4])
    return {'reused', f[2]}
    """,
)
"""Keys: access, refresh, used, family. Arguments: now, both digests and ends and the turn of the successor; digest and
counter of the token presented; seconds of grace; most answers in it; whether SQL knows no newer token."""

DROP = Script(
    "sessions.drop",
    _DROP
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
    if not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return {'ended'} end
    local f, known = redis.call('HMGET', KEYS[2], 'seal', 'sealed'), history()
    if f[1] ~= known or clock(ARGV[1]) > f[2] + ARGV[3] then return {'unsealed', known} end
    if not KEYS[3] then return {'admitted', 0, 0} end
    return {'admitted', count(KEYS[3], KEYS[4], ARGV[4])}
    """,
)
"""Keys: access, family, and a tally's. Arguments: now, digest, seconds that a seal lasts, milliseconds of a counter."""

SEAL = Script(
    "sessions.seal",
    _CLOCK
    + _HISTORY
    + _DROP
    + """
    if history() ~= ARGV[2] then return 'moved' end
    local counter = redis.call('HGET', KEYS[4], 'counter')
    if not counter then return 'ended' end
    if tonumber(counter) < tonumber(ARGV[3]) then
        drop(KEYS[4])
        return 'ended'
    end
    redis.call('HSET', KEYS[4], 'seal', ARGV[2], 'sealed', clock(ARGV[1]))
    return 'sealed'
    """,
)
"""Keys: access, refresh, used, family. Arguments: now, the history that SQL was asked in, the counter that it knows."""
