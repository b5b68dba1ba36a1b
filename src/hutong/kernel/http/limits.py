"""Rate limits in the store: a sliding pair of one-minute windows for each scope, counted atomically.

A store that is away lets requests pass and counts them in this process instead, so that neither a flood nor an outage
stops the service. Source: contracts/emoji.md "Operations".
"""

from collections import OrderedDict
from dataclasses import dataclass

from hutong.kernel.observability.logs import logger
from hutong.kernel.store import Script, Store, StoreUnavailable
from hutong.kit.clock import Clock
from hutong.kit.errors import TooManyRequests

WINDOW_SECONDS = 60
LIFETIME_MS = 2 * WINDOW_SECONDS * 1000
REMEMBERED = 50_000
_log = logger("http.limits")

COUNT = """
    local function count(this, last, lifetime)
        local current = redis.call('INCR', this)
        if current == 1 then redis.call('PEXPIRE', this, lifetime) end
        return current, tonumber(redis.call('GET', last) or '0')
    end
"""
"""Lua that counts a hit, for scripts that look at something else in the same turn; see `Tally`."""

HIT = Script(
    "limits.hit",
    COUNT
    + """
    if KEYS[3] then
        local bar = redis.call('GET', KEYS[3])
        if not bar then return false end
        if tonumber(bar) > tonumber(ARGV[2]) then return {0, 0} end
    end
    return {count(KEYS[1], KEYS[2], ARGV[1])}
    """,
)


class LimitExceeded(TooManyRequests):
    """Too many requests; try again after the time in Retry-After."""

    code = "http.limit_exceeded"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `per_minute` hits of one subject.

    Args:
        name: of the limit, as in `ip` or `emoji.login.ip`.
        per_minute: how many.
    """

    name: str
    per_minute: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A number in the store that a hit must reach to be counted at all.

    Args:
        key: where it is kept; its hash tag is the subject, as in `epoch:emoji:{42}`.
        reached: the hit's own number; it passes from the bar upwards.
    """

    key: str
    reached: int


@dataclass(frozen=True, slots=True)
class Tally:
    """One hit that somebody else's script counts, with `COUNT`.

    Args:
        limit: it counts against.
        keys: counters of this minute and the last one, under the subject's hash tag.
        now: seconds since 1970.
    """

    limit: Limit
    keys: tuple[str, str]
    now: float

    def judge(self, current: int, previous: int) -> None:
        """Refuse the hit if the counters say so.

        Raises:
            LimitExceeded: with `retry_after`.
        """
        _judge(self.limit, self.now, current, previous)


class Limiter:
    """Counts hits and refuses those beyond a limit."""

    def __init__(self, store: Store, clock: Clock, *, enabled: bool = True) -> None:
        self._store = store
        self._clock = clock
        self._enabled = enabled
        self._local: OrderedDict[tuple[str, int], int] = OrderedDict()

    async def hit(self, limit: Limit, subject: str) -> None:
        """Count one hit of `subject`.

        Raises:
            LimitExceeded: with `retry_after`.
        """
        if not self._enabled:
            return
        now = self._clock.now().timestamp()
        try:
            counted = await self._store.run(HIT, _windows(limit, subject, now), [LIFETIME_MS])
        except StoreUnavailable:
            counted = self._count_here(limit, subject, now)
        _judge(limit, now, *counted)

    async def hit_over(self, limit: Limit, subject: str, bar: Bar) -> bool | None:
        """`hit`, in the same turn as a look at `bar`, and only if that is reached.

        Returns:
            Whether the bar is reached; None when the store does not know it, is away, or nothing is counted here: then
            nothing was counted, and the caller has to find out and `hit` by itself.

        Raises:
            LimitExceeded: with `retry_after`.
        """
        if not self._enabled:
            return None
        now = self._clock.now().timestamp()
        try:
            counted = await self._store.run(HIT, [*_windows(limit, subject, now), bar.key], [LIFETIME_MS, bar.reached])
        except StoreUnavailable:
            return None
        if counted is None:
            return None
        _judge(limit, now, *counted)
        return bool(counted[0])

    def tally(self, limit: Limit, subject: str) -> Tally | None:
        """A hit that the caller's own script will count; None where nothing is limited."""
        if not self._enabled:
            return None
        now = self._clock.now().timestamp()
        return Tally(limit, _windows(limit, subject, now), now)

    def _count_here(self, limit: Limit, subject: str, now: float) -> tuple[int, int]:
        name, window = f"{limit.name}:{subject}", int(now // WINDOW_SECONDS)
        count = self._local.get((name, window), 0) + 1
        self._local[name, window] = count
        if len(self._local) > REMEMBERED:
            self._local.popitem(last=False)
        return count, self._local.get((name, window - 1), 0)


def _windows(limit: Limit, subject: str, now: float) -> tuple[str, str]:
    """Keys of this minute and the one before."""
    window, tag = int(now // WINDOW_SECONDS), f"limit:{limit.name}:{{{subject}}}"
    return f"{tag}:{window}", f"{tag}:{window - 1}"


def _judge(limit: Limit, now: float, current: int, previous: int) -> None:
    """Refuse what is beyond the limit; the minute before counts by the share of it that the last 60 seconds hold."""
    share = now % WINDOW_SECONDS / WINDOW_SECONDS
    if current + previous * (1 - share) <= limit.per_minute:
        return
    wait = WINDOW_SECONDS * (1 - share) if current >= limit.per_minute else WINDOW_SECONDS * (1 - share) / 2
    raise LimitExceeded(retry_after=max(1.0, wait), details={"limit": limit.name, "per_minute": limit.per_minute})
