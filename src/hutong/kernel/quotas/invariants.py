"""What is always true of quotas, as SQL."""

from sqlalchemy import select

from hutong.kernel.db import now_plus
from hutong.kernel.observability.invariants import Invariant
from hutong.kernel.quotas.tables import ReservationState, quota_reservations

OVERDUE_SECONDS = 3600.0
"""Sweeps run each minute or so; whatever lies longer belongs to nobody."""

_OPEN_SUMS = """
    SELECT q.realm, q.user_id FROM user_quotas q JOIN quota_reservations r ON r.realm = q.realm AND r.user_id = q.user_id
    WHERE r.state = 'open' AND {same}
    GROUP BY q.realm, q.user_id, q.{window}_requests, q.{window}_tokens
    HAVING COUNT(*) > q.{window}_requests OR SUM(r.tokens) > q.{window}_tokens"""

INVARIANTS = (
    Invariant(
        "quotas.not_negative",
        "No counter is negative.",
        """SELECT realm, user_id FROM user_quotas
           WHERE daily_requests < 0 OR monthly_requests < 0 OR daily_tokens < 0 OR monthly_tokens < 0 OR refunds < 0""",
    ),
    Invariant(
        "quotas.day_within_month",
        "What a day has used, its month has used too.",
        """SELECT realm, user_id FROM user_quotas
           WHERE daily_requests > monthly_requests OR daily_tokens > monthly_tokens""",
    ),
    Invariant(
        "quotas.reserved_today_is_counted",
        "What is reserved today is in the counters of the day.",
        _OPEN_SUMS.format(window="daily", same="r.day = q.last_reset_date"),
    ),
    Invariant(
        "quotas.reserved_this_month_is_counted",
        "What is reserved in this month is in its counters.",
        _OPEN_SUMS.format(window="monthly", same="substr(r.day, 1, 7) = substr(q.last_reset_date, 1, 7)"),
    ),
    Invariant(
        "quotas.closed_says_what_was_used",
        "A reservation says what was used exactly if it is closed.",
        """SELECT id, user_id, state FROM quota_reservations
           WHERE (state = 'open' AND (used IS NOT NULL OR closed_at IS NOT NULL))
           OR (state <> 'open' AND (used IS NULL OR closed_at IS NULL))""",
    ),
    Invariant(
        "quotas.nobody_forgets_a_reservation",
        "No reservation is open an hour after it expired: its owner swept it.",
        select(quota_reservations.c.id, quota_reservations.c.user_id, quota_reservations.c.owner).where(
            quota_reservations.c.state == ReservationState.OPEN,
            quota_reservations.c.expires_at < now_plus(-OVERDUE_SECONDS),
        ),
    ),
)
