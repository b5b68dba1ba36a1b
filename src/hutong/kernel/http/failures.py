"""A limit that only failures count against: whoever makes none is never slowed down."""

from hutong.kernel.http.limits import Limit, Limiter, LimitExceeded
from hutong.kernel.store import Store, StoreUnavailable
from hutong.kit.clock import Clock


class FailureLimit:
    """Refuses a subject that failed too often, before any work is done for it. Without the store it refuses nobody.

    Args:
        limit: how many failures a minute.
        limiter, store, clock: the kernel's.
    """

    def __init__(self, limit: Limit, limiter: Limiter, store: Store, clock: Clock) -> None:
        self._limit, self._limiter, self._store, self._clock = limit, limiter, store, clock

    async def check(self, subject: str) -> None:
        """Let the subject pass, uncounted.

        Raises:
            LimitExceeded: it failed too often in the last minute.
        """
        try:
            until = await self._store.get(self._key(subject))
        except StoreUnavailable:
            return
        if until is not None:
            raise LimitExceeded(retry_after=max(1.0, float(until) - self._clock.now().timestamp()))

    async def count(self, subject: str) -> None:
        """Note a failure; one too many closes the door until the limit says so."""
        try:
            await self._limiter.hit(self._limit, subject)
        except LimitExceeded as error:
            seconds = error.retry_after or 1.0
            await self._close(subject, seconds)

    async def _close(self, subject: str, seconds: float) -> None:
        until = self._clock.now().timestamp() + seconds
        try:
            await self._store.put(self._key(subject), str(until), seconds=seconds)
        except StoreUnavailable:
            return

    def _key(self, subject: str) -> str:
        return f"closed:{self._limit.name}:{{{subject}}}"
