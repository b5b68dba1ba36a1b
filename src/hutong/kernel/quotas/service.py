"""Reserve before work begins, settle with its true use, release what reached nobody.

Every function takes the caller's transaction. Rows are locked reservation first, then the counters; `reserve` makes a new
reservation after it has taken from the counters, so nobody waits for each other in a circle.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select, update

from hutong.kernel.db import after_commit, insert_if_absent, now_plus, utc_now
from hutong.kernel.observability import metrics
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.quotas import statements
from hutong.kernel.quotas.errors import QuotaExhausted
from hutong.kernel.quotas.limits import (
    COUNTERS,
    UNLIMITED,
    CounterName,
    CounterUse,
    Limits,
    QuotaUse,
    Windows,
    windows_of,
)
from hutong.kernel.quotas.tables import ReservationState, quota_reservations, user_quotas
from hutong.kit.clock import Clock, iso_z
from hutong.kit.errors import Unavailable

LARGEST = 2**53 - 1
REFUNDS_PER_DAY = 20
FORGOTTEN_AT_ONCE = 500
_TRIES = 3
_LATEST_FIRST: tuple[CounterName, ...] = ("monthly_requests", "monthly_tokens", "daily_requests", "daily_tokens")


@dataclass(frozen=True, slots=True)
class ExpiredReservation:
    """A reservation whose owner did not say for too long that it still runs.

    Args:
        id, user_id, owner: as reserved.
        tokens: as reserved.
        expires_at: when it expired, by the database's clock.
    """

    id: int
    user_id: int
    owner: str
    tokens: int
    expires_at: datetime


class Quotas:
    """Quotas of one realm.

    Args:
        realm: whose users.
        clock: says which UTC day it is; leases go by the database's clock.
        refunds_per_day: requests of one user that `release` gives back a day.
    """

    def __init__(self, realm: str, clock: Clock, refunds_per_day: int = REFUNDS_PER_DAY) -> None:
        self._realm, self._clock, self._refunds = realm, clock, refunds_per_day

    def reserve(
        self,
        conn: Connection,
        *,
        reservation_id: int,
        user_id: int,
        limits: Limits,
        tokens: int,
        seconds: float,
        owner: str,
    ) -> QuotaUse:
        """Take one request and `tokens` from all four counters, or nothing.

        Args:
            conn: the unit of work.
            reservation_id: a fresh Snowflake id.
            user_id: whose quota.
            limits: that apply to the user now.
            tokens: the most that the work should need, 0 to 2⁵³ − 1.
            seconds: after which, by the database's clock, `expired` lists it, unless `extend` was called.
            owner: `<kind>:<id>` of the work, as in `reply:42`; 96 characters.

        Returns:
            What is left, for `QuotaUse.headers`; what is reserved counts as used there.

        Raises:
            QuotaExhausted: a counter would pass its limit; nothing changed.
        """
        params = self.taking(reservation_id, user_id, limits, tokens, seconds, owner)
        counters = self._take(conn, limits, params)
        failpoint("quotas.reserve.taken")
        after_commit(conn, partial(_reserved.inc, tokens))
        return self.use_of(counters, limits)

    def taking(
        self, reservation_id: int, user_id: int, limits: Limits, tokens: int, seconds: float, owner: str
    ) -> dict[str, Any]:
        """Parameters of the statements that reserve."""
        if not 0 <= tokens <= LARGEST or seconds <= 0:
            raise ValueError(f"{tokens} tokens cannot be reserved for {seconds} seconds")
        windows = self._windows()
        bounds = {
            f"max_{name}": UNLIMITED if limit is None else limit
            for name, limit in zip(COUNTERS, limits.all(), strict=True)
        }
        return bounds | {
            "id": reservation_id,
            "realm": self._realm,
            "user_id": user_id,
            "owner": owner,
            "tokens": tokens,
            "seconds": seconds,
            "day": windows.day,
            "month": windows.month,
        }

    def settle(self, conn: Connection, reservation_id: int, tokens: int) -> bool:
        """The work has ended: charge what it used in place of what was reserved, in full even if that is more.

        The windows in which it was reserved are put right, if they are still the present ones.

        Args:
            conn: the unit of work.
            reservation_id: as reserved.
            tokens: the true use, not negative.

        Returns:
            False when it was settled or released before: nothing changed.
        """
        done = statements.SETTLE.run(conn, **self.settling(reservation_id, tokens)) is not None
        failpoint("quotas.settle.closed")
        if done:
            after_commit(conn, partial(_settled.inc, tokens))
        return done

    def settling(self, reservation_id: int, tokens: int) -> dict[str, Any]:
        """Parameters of the statements that settle."""
        if not 0 <= tokens <= LARGEST:
            raise ValueError(f"{tokens} tokens cannot be charged")
        return {"id": reservation_id, "realm": self._realm, "used": tokens}

    def release(self, conn: Connection, reservation_id: int) -> bool:
        """Nothing reached the user and no provider was paid: give the tokens back, and the request.

        The request stays counted once `refunds_per_day` of them came back on that day, so that failures cannot be farmed.
        Settle first where there is anything to charge: what is released cannot be charged any more.

        Returns:
            False when it was settled or released before: nothing changed.
        """
        if statements.CANCEL.change(conn, id=reservation_id, realm=self._realm) != 1:
            return False
        ((user_id, tokens, day),) = statements.RESERVED.run(conn, id=reservation_id)
        mine = {"realm": self._realm, "user_id": user_id, "month": day[:7]}
        counted = statements.COUNT_REFUND.change(conn, most=self._refunds, **mine)
        statements.GIVE_BACK.run(conn, requests=counted, tokens=tokens, day=day, **mine)
        after_commit(conn, partial(_released.inc, tokens))
        return True

    def extend(self, conn: Connection, reservation_ids: Collection[int], seconds: float) -> None:
        """The work still runs: open ones of these expire `seconds` from now, by the database's clock."""
        running = (quota_reservations.c.id.in_(sorted(reservation_ids)), self._open())
        conn.execute(update(quota_reservations).where(*running).values(expires_at=now_plus(round(seconds, 3))))

    def expired(self, conn: Connection, limit: int = 100, kind: str | None = None) -> list[ExpiredReservation]:
        """Open reservations past their time, the oldest first, for their owner to settle with what was saved.

        Args:
            conn: the unit of work.
            limit: how many at most.
            kind: only those whose owner begins with it and a colon.
        """
        columns = [quota_reservations.c[name] for name in ExpiredReservation.__dataclass_fields__]
        late = select(*columns).where(self._open(), quota_reservations.c.expires_at <= utc_now())
        if kind is not None:
            late = late.where(quota_reservations.c.owner.startswith(f"{kind}:", autoescape=True))
        oldest = late.order_by(quota_reservations.c.expires_at).limit(limit)
        return [ExpiredReservation(*row) for row in conn.execute(oldest)]

    def usage(self, conn: Connection, user_id: int, limits: Limits) -> QuotaUse:
        """The user's four counters at this moment: used for good, reserved by what still runs, and what is left."""
        windows = self._windows()
        found = statements.LOOK.run(conn, realm=self._realm, user_id=user_id)
        taken = _present(found[0], windows) if found else (0,) * len(COUNTERS)
        held = self._held(conn, user_id, windows)
        both = zip(COUNTERS, limits.all(), taken, held, strict=True)
        return QuotaUse(
            *(
                CounterUse(limit, max(0, count - reserved), min(count, reserved), windows.ends(name))
                for name, limit, count, reserved in both
            )
        )

    def remove(self, conn: Connection, user_id: int) -> None:
        """Forget a user who is deleted; what still runs settles to nothing."""
        for table in (quota_reservations, user_quotas):
            conn.execute(table.delete().where(table.c.user_id == user_id, table.c.realm == self._realm))

    def use_of(self, counters: Sequence[Any], limits: Limits) -> QuotaUse:
        """What a row of the counters means, what is reserved being used."""
        windows = self._windows()
        both = zip(COUNTERS, limits.all(), counters, strict=False)
        return QuotaUse(*(CounterUse(limit, count, 0, windows.ends(name)) for name, limit, count in both))

    def _take(self, conn: Connection, limits: Limits, params: dict[str, Any]) -> Sequence[Any]:
        """Raises `QuotaExhausted`; `Unavailable` if the counters change each time they are looked at."""
        mine = {"realm": self._realm, "user_id": params["user_id"]}
        for _ in range(_TRIES):
            rows = statements.RESERVE.run(conn, **params)
            if rows:
                return rows[0]  # type: ignore[no-any-return]
            found = statements.LOOK.run(conn, **mine)
            if found:
                self._refuse_if_full(found[0], limits, params["tokens"])
            else:
                nothing = dict.fromkeys((*COUNTERS, "refunds"), 0)
                insert_if_absent(conn, user_quotas, mine | nothing | {"last_reset_date": params["day"]})
        raise Unavailable("This account's quota changes too fast; try again shortly.", retry_after=1)

    def _refuse_if_full(self, row: Sequence[Any], limits: Limits, tokens: int) -> None:
        """Name the counter that begins anew last: whoever waits for an earlier one would be refused again."""
        windows = self._windows()
        taken = dict(zip(COUNTERS, _present(row, windows), strict=True))
        for name in _LATEST_FIRST:
            limit, needed = limits.of(name), tokens if name.endswith("tokens") else 1
            if limit is not None and taken[name] + needed > limit:
                metrics.quota_refusals.labels(name).inc()
                use = QuotaUse(*(CounterUse(limits.of(c), taken[c], 0, windows.ends(c)) for c in COUNTERS))
                raise refusal(name, needed, use, self._clock.now())

    def _held(self, conn: Connection, user_id: int, windows: Windows) -> tuple[int, int, int, int]:
        """What open reservations hold in the present windows, in the order of `COUNTERS`."""
        rows = quota_reservations.c
        sums = select(rows.day, func.count(), func.sum(rows.tokens)).group_by(rows.day)
        mine = sums.where(rows.user_id == user_id, self._open())
        held = [(day, int(count), int(tokens)) for day, count, tokens in conn.execute(mine)]
        today = [(count, tokens) for day, count, tokens in held if day >= windows.day]
        month = [(count, tokens) for day, count, tokens in held if day >= windows.month]
        return (
            sum(count for count, _ in today),
            sum(count for count, _ in month),
            sum(tokens for _, tokens in today),
            sum(tokens for _, tokens in month),
        )

    def _open(self) -> Any:
        return (quota_reservations.c.realm == self._realm) & (quota_reservations.c.state == ReservationState.OPEN)

    def _windows(self) -> Windows:
        return windows_of(self._clock.now().date())


def refusal(name: CounterName, needed: int, use: QuotaUse, now: datetime) -> QuotaExhausted:
    """The error that names a full counter, with the headers of its answer."""
    counter: CounterUse = getattr(use, name)
    details = {
        "counter": name,
        "limit": counter.limit,
        "used": counter.used,
        "needed": needed,
        "resets_at": iso_z(counter.resets_at),
    }
    error = QuotaExhausted(details=details, retry_after=max(1.0, (counter.resets_at - now).total_seconds()))
    error.headers = {**QuotaExhausted.headers, **use.headers(now)}
    return error


def forget_closed(conn: Connection, seconds: float) -> int:
    """Delete some settled and released reservations that would have expired `seconds` ago; returns how many."""
    rows = quota_reservations.c
    closed = rows.state.in_([ReservationState.SETTLED, ReservationState.RELEASED])
    old = select(rows.id).where(closed, rows.expires_at < now_plus(-seconds)).limit(FORGOTTEN_AT_ONCE)
    ids = conn.execute(old).scalars().all()
    return conn.execute(quota_reservations.delete().where(rows.id.in_(ids))).rowcount if ids else 0


def _present(row: Sequence[Any], windows: Windows) -> tuple[int, ...]:
    """The counters of a row in the present windows: nought in one that has not begun anew yet."""
    since = row[len(COUNTERS)]
    begins = (windows.day if name.startswith("daily") else windows.month for name in COUNTERS)
    return tuple(count if since >= begin else 0 for count, begin in zip(row, begins, strict=False))


_reserved = metrics.quota_tokens.labels("reserved")
_settled = metrics.quota_tokens.labels("settled")
_released = metrics.quota_tokens.labels("released")
