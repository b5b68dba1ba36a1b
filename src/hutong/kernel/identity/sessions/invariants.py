"""Promises about sessions."""

from hutong.kernel.observability.invariants import Invariant

INVARIANTS = (
    Invariant(
        "identity.sessions_within_their_time",
        "No session's tokens outlive it.",
        "SELECT id, user_id FROM sessions WHERE expires_at > lasts_until",
    ),
    Invariant(
        "identity.ended_sessions_say_why",
        "A session has a reason to have ended exactly if it has ended.",
        "SELECT id, user_id FROM sessions WHERE (ended_at IS NULL AND end_reason IS NOT NULL)"
        " OR (ended_at IS NOT NULL AND end_reason IS NULL)",
    ),
)
