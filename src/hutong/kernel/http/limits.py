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
REMEMBERED = 50_000
_log = logger("http.limits")

HIT = Script(
    "limits.hit",
    """
    local current = redis.call('INCR', KEYS[1])
    if current == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
    return {current, tonumber(redis.call('GET', KEYS[2]) or '0')}
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
        window, share = int(now // WINDOW_SECONDS), (now % WINDOW_SECONDS) / WINDOW_SECONDS
        tag = f"limit:{limit.name}:{{{subject}}}"
        try:
            current, previous = await self._store.run(
                HIT, [f"{tag}:{window}", f"{tag}:{window - 1}"], [2 * WINDOW_SECONDS * 1000]
            )
        except StoreUnavailable:
            current, previous = self._count_here(tag, window)
        if current + previous * (1 - share) > limit.per_minute:
            wait = WINDOW_SECONDS * (1 - share) if current >= limit.per_minute else WINDOW_SECONDS * (1 - share) / 2
            raise LimitExceeded(
                retry_after=max(1.0, wait), details={"limit": limit.name, "per_minute": limit.per_minute}
            )

    def _count_here(self, tag: str, window: int) -> tuple[int, int]:
        count = self._local.get((tag, window), 0) + 1
        self._local[tag, window] = count
        if len(self._local) > REMEMBERED:
            self._local.popitem(last=False)
        return count, self._local.get((tag, window - 1), 0)
