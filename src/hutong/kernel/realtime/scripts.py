"""What happens to a log in the store, each in one turn. All keys of one log share a hash tag.

`lease` holds the writer's token while it lives, and then what became of the log: `ended`, `abandoned` or `gone`. `log` is a
stream whose entries are batches of the writer's entries, each under the number of its last one (`<seq>-0`). `stop` is there
once somebody asked the writer to stop.
"""

from hutong.kernel.store import Script

ENDED, ABANDONED, GONE = b"ended", b"abandoned", b"gone"

OPEN = Script(
    "realtime.open",
    """
    local owner = redis.call('GET', KEYS[1])
    if owner ~= ARGV[1] and (owner or redis.call('EXISTS', KEYS[2]) == 1) then return {0, 0} end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return {1, redis.call('EXISTS', KEYS[3])}
    """,
)
"""Take a log nobody has ever written. ARGV: token, lease ms. {1, whether a stop was asked for}, or {0, 0} if it is taken."""

_STORED = """
    local function stored()
        local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
        return newest[1] and tonumber(string.match(newest[1][1], '^%d+')) or 0
    end
"""

APPEND = Script(
    "realtime.append",
    _STORED
    + """
    local owner = redis.call('GET', KEYS[1])
    if owner and owner ~= ARGV[1] then return {-1, 0, 0} end
    local stop = redis.call('EXISTS', KEYS[3])
    local newest = stored()
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    if newest ~= tonumber(ARGV[4]) then return {0, newest, stop} end
    if ARGV[6] ~= '' then
        redis.call('XADD', KEYS[2], ARGV[5] .. '-0', 'b', ARGV[6])
        redis.call('PEXPIRE', KEYS[2], ARGV[3])
        if ARGV[7] == '1' then redis.call('SET', KEYS[1], 'ended', 'PX', ARGV[3]) end
        redis.call('PUBLISH', ARGV[8], #ARGV[6] <= tonumber(ARGV[9]) and ARGV[6] or '')
        newest = ARGV[5]
    end
    return {1, tonumber(newest), stop}
    """,
)
"""Add a batch behind the last entry that the writer knows of, or only prolong the lease.

ARGV: token, lease ms, keep ms, number of the last entry stored before, of the batch's last, the batch or nothing, 1 if it ends
the log, channel, largest batch that the channel carries (for a larger one it carries nothing, and readers come to fetch it).
{1, stored, stop}; {0, stored, stop} if something else is stored; {-1, 0, 0} if the log is somebody else's, or has ended.
"""

READ = Script(
    "realtime.read",
    """
    local owner = redis.call('GET', KEYS[1])
    local found = redis.call('XRANGE', KEYS[2], ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])
    local batches, size, more = {}, 0, #found == tonumber(ARGV[2]) and 1 or 0
    for _, entry in ipairs(found) do
        local batch = entry[2][2]
        size = size + #batch
        if #batches > 0 and size > tonumber(ARGV[3]) then
            more = 1
            break
        end
        batches[#batches + 1] = batch
    end
    return {owner or '', redis.call('EXISTS', KEYS[2]), more, batches}
    """,
)
"""Batches from an entry on. ARGV: its number, most batches, most bytes (one batch comes whatever its size).

{owner, whether there is a log, whether there is more, batches}
"""

RELEASE = Script(
    "realtime.release",
    """
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    if ARGV[2] == 'gone' then redis.call('DEL', KEYS[2]) end
    return redis.call('PUBLISH', ARGV[4], '')
    """,
)
"""Give up a log before its end. ARGV: token, `abandoned` or `gone` (nothing stays of it), keep ms, channel."""

STOP = Script(
    "realtime.stop",
    """
    redis.call('SET', KEYS[3], '1', 'PX', ARGV[1])
    redis.call('PUBLISH', ARGV[2], ARGV[3])
    local owner = redis.call('GET', KEYS[1])
    return owner and #owner == 32 and 1 or 0
    """,
)
"""Ask whoever writes a log to stop. ARGV: ms for which that holds, channel of stops, the log's id. 1 if somebody writes it (a token
has 32 characters)."""
