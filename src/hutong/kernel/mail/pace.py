"""The pace at which mails leave: a turn for each, in the order in which they asked, over all workers.

A turn is kept in the store under the job's id, so that a job asks twice at most however long the line is. A store that is
away lets each worker keep the pace by itself. Source: the generic cell rate algorithm (ITU-T I.371).
"""

import math

from hutong.kernel.store import Script, Store, StoreUnavailable
from hutong.kit.clock import Clock

BURST_SECONDS = 10.0
"""How many seconds' worth of mails may leave at once after a pause."""

TURN = Script(
    "mail.turn",
    """
    local clock = redis.call('TIME')
    local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
    local held = tonumber(redis.call('GET', KEYS[2]) or '0')
    if held > now then return held - now end
    if held > 0 then
        redis.call('DEL', KEYS[2])
        return 0
    end
    local step, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
    local turn = tonumber(redis.call('GET', KEYS[1]) or '0')
    if turn < now or turn - now > 86400000 then turn = now end
    local following = math.ceil(turn + step)
    redis.call('SET', KEYS[1], following, 'PX', following - now)
    local at = math.ceil(turn - burst)
    if at <= now then return 0 end
    redis.call('SET', KEYS[2], at, 'PX', at - now + 3600000)
    return at - now
    """,
)


class Pace:
    """Gives mails their turns.

    Args:
        store, clock: the kernel's.
        per_minute: how many mails leave in a minute.
    """

    def __init__(self, store: Store, clock: Clock, per_minute: int) -> None:
        self._store, self._clock = store, clock
        self._step = 60.0 / per_minute
        self._burst = max(0.0, BURST_SECONDS - self._step)
        self._next = -math.inf

    async def wait(self, job_id: int) -> float:
        """Seconds until it is this job's turn; 0 when it is now, which takes the turn."""
        keys = ["{mail}:pace", f"{{mail}}:turn:{job_id}"]
        try:
            found = await self._store.run(TURN, keys, [round(self._step * 1000), round(self._burst * 1000)])
        except StoreUnavailable:
            return self._wait_here()
        return float(found) / 1000

    def _wait_here(self) -> float:
        now = self._clock.monotonic()
        turn = max(now, self._next)
        if turn - self._burst > now:
            return turn - self._burst - now
        self._next = turn + self._step
        return 0.0
