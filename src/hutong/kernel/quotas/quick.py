"""The two moves of every request in transactions of their own, each in one trip where the database takes one.

Same rows and same rules as `Quotas`; only the way to the database is shorter.
"""

from hutong.kernel.db import Database
from hutong.kernel.observability import metrics
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.quotas import statements
from hutong.kernel.quotas.limits import Limits, QuotaUse
from hutong.kernel.quotas.service import Quotas


class QuickQuotas:
    """`reserve` and `settle` for callers who have nothing else to write with them.

    Args:
        quotas: of the realm.
        db: where they lie.
    """

    def __init__(self, quotas: Quotas, db: Database) -> None:
        self._quotas, self._db = quotas, db

    async def reserve(
        self, *, reservation_id: int, user_id: int, limits: Limits, tokens: int, seconds: float, owner: str
    ) -> QuotaUse:
        """As `Quotas.reserve`, committed.

        Raises:
            QuotaExhausted: a counter would pass its limit; nothing changed.
        """
        asked = (reservation_id, user_id, limits, tokens, seconds, owner)
        if self._db.capabilities.one_trip_writes:
            rows = await self._db.hot(statements.RESERVE_ONCE, **self._quotas.taking(*asked))
            if rows:
                metrics.quota_tokens.labels("reserved").inc(tokens)
                failpoint("quotas.reserve.committed")
                return self._quotas.use_of(rows[0], limits)
        use = await self._db.write(  # the first request of a user, one too many, or a database that takes two trips
            self._quotas.reserve,
            reservation_id=reservation_id,
            user_id=user_id,
            limits=limits,
            tokens=tokens,
            seconds=seconds,
            owner=owner,
        )
        failpoint("quotas.reserve.committed")
        return use

    async def settle(self, reservation_id: int, tokens: int) -> bool:
        """As `Quotas.settle`, committed."""
        if not self._db.capabilities.one_trip_writes:
            return await self._db.write(self._quotas.settle, reservation_id, tokens)
        done = bool(await self._db.hot(statements.SETTLE_ONCE, **self._quotas.settling(reservation_id, tokens)))
        if done:
            metrics.quota_tokens.labels("settled").inc(tokens)
        return done

    async def release(self, reservation_id: int) -> bool:
        """As `Quotas.release`, committed."""
        return await self._db.write(self._quotas.release, reservation_id)
