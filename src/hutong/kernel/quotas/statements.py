"""The two moves of every request, as few statements as each database allows.

One conditional UPDATE decides over all four counters and begins new windows in the same breath, so that there is nothing
between looking and taking. Source: reference/chat.md §6.2 (1, 2, 4, 8).
"""

from hutong.kernel.db import NamedStatement, NamedSteps
from hutong.kernel.quotas.limits import COUNTERS

_MINE = "realm = :realm AND user_id = :user_id"
_SEEN = ", ".join(COUNTERS) + ", last_reset_date"


def _present(counter: str) -> str:
    """What a counter stands at in the present windows. A date ahead of ours is another machine's midnight: it counts."""
    begins = ":day" if counter.startswith("daily") else ":month"
    return f"(CASE WHEN last_reset_date >= {begins} THEN {counter} ELSE 0 END)"


def _more(counter: str) -> str:
    return _present(counter) + (" + :tokens" if counter.endswith("tokens") else " + 1")


_TAKE = f"""
    UPDATE user_quotas SET
        {", ".join(f"{counter} = {_more(counter)}" for counter in COUNTERS)},
        refunds = CASE WHEN last_reset_date >= :day THEN refunds ELSE 0 END,
        last_reset_date = CASE WHEN last_reset_date >= :day THEN last_reset_date ELSE :day END
    WHERE {_MINE} AND {" AND ".join(f"{_more(counter)} <= :max_{counter}" for counter in COUNTERS)}"""  # noqa: S608 - constants
"""`last_reset_date` is set last: MySQL's assignments see those before them."""
_ENTER = """
    INSERT INTO quota_reservations (id, realm, user_id, owner, tokens, day, state, created_at, expires_at)
    SELECT :id, realm, user_id, :owner, :tokens, last_reset_date, 'open', {now}, {later} FROM """
"""The window is the one that the UPDATE left, not the caller's idea of the date."""
_LOOK = f"SELECT {_SEEN} FROM user_quotas WHERE {_MINE}"  # noqa: S608 - constants
LOOK = NamedStatement("quotas.look", {"default": _LOOK})

_RESERVE = f"""
    WITH taken AS ({_TAKE} RETURNING realm, user_id, {_SEEN}), entered AS ({_ENTER} taken)
    SELECT {_SEEN} FROM taken"""  # noqa: S608 - constants
RESERVE = NamedSteps(
    "quotas.reserve",
    {"postgresql": (_RESERVE,), "default": (_TAKE, f"{_ENTER} user_quotas WHERE {_MINE}", _LOOK)},
)
"""Takes one request and `:tokens`, writes the reservation; the row is what the counters stand at then."""
RESERVE_ONCE = NamedStatement(
    "quotas.reserve_once",
    {
        "postgresql": _RESERVE,
        "mysql": f"""
            BEGIN; {_TAKE};
            {_ENTER} user_quotas WHERE {_MINE} AND ROW_COUNT() = 1;
            {_LOOK} AND ROW_COUNT() = 1;
            COMMIT""",
    },
)


def _charged(counter: str, quota: str, closed: str) -> str:
    """A counter after its reservation was put right, in the window that it was reserved in; elsewhere as it was."""
    now, then = f"{quota}.last_reset_date", f"{closed}.day"
    same = f"{now} = {then}" if counter.startswith("daily") else f"substr({now}, 1, 7) = substr({then}, 1, 7)"
    after = f"{quota}.{counter} + :used - {closed}.tokens"
    return f"CASE WHEN NOT {same} THEN {quota}.{counter} WHEN {after} > 0 THEN {after} ELSE 0 END"


def _charges(closed: str, quota: str = "user_quotas", prefix: str = "") -> str:
    return ", ".join(f"{prefix}{name} = {_charged(name, quota, closed)}" for name in ("daily_tokens", "monthly_tokens"))


_CLOSE = """
    UPDATE quota_reservations SET state = 'settled', used = :used, closed_at = {now}
    WHERE id = :id AND realm = :realm AND state = 'open'"""
_SETTLE = f"""
    WITH closed AS ({_CLOSE} RETURNING realm, user_id, day, tokens)
    UPDATE user_quotas SET {_charges("closed")} FROM closed
    WHERE user_quotas.realm = closed.realm AND user_quotas.user_id = closed.user_id RETURNING closed.tokens"""  # noqa: S608
_SETTLE_JOINED = f"""
    UPDATE quota_reservations r JOIN user_quotas q ON q.realm = r.realm AND q.user_id = r.user_id
    SET r.state = 'settled', r.used = :used, r.closed_at = {{now}}, {_charges("r", "q", "q.")}
    WHERE r.id = :id AND r.realm = :realm AND r.state = 'open'"""  # noqa: S608 - constants
"""No assignment reads what another one writes: their order is undefined in an UPDATE of several tables."""
SETTLE = NamedSteps(
    "quotas.settle",
    {
        "postgresql": (_SETTLE,),
        "mysql": (_SETTLE_JOINED,),
        "default": (
            _CLOSE,
            f"""UPDATE user_quotas SET {_charges("r")} FROM quota_reservations AS r
                WHERE r.id = :id AND user_quotas.realm = r.realm AND user_quotas.user_id = r.user_id""",  # noqa: S608
        ),
    },
)
"""Compare-and-set from open, and the counters put right by the difference; a row (or a step that found one) if it won."""
SETTLE_ONCE = NamedStatement(
    "quotas.settle_once",
    {
        "postgresql": _SETTLE,
        "mysql": f"BEGIN; {_SETTLE_JOINED}; SELECT ROW_COUNT() FROM DUAL WHERE ROW_COUNT() > 0; COMMIT",  # noqa: S608 - constants
    },
)

CANCEL = NamedStatement(
    "quotas.cancel",
    {
        "default": """UPDATE quota_reservations SET state = 'released', used = 0, closed_at = {now}
                      WHERE id = :id AND realm = :realm AND state = 'open'"""
    },
)
RESERVED = NamedStatement(
    "quotas.reserved", {"default": "SELECT user_id, tokens, day FROM quota_reservations WHERE id = :id"}
)
COUNT_REFUND = NamedStatement(
    "quotas.count_refund",
    {
        "default": f"""UPDATE user_quotas SET refunds = refunds + 1
                       WHERE {_MINE} AND refunds < :most AND substr(last_reset_date, 1, 7) = :month"""  # noqa: S608
    },
)


def _less(counter: str, by: str) -> str:
    same = "last_reset_date = :day" if counter.startswith("daily") else "substr(last_reset_date, 1, 7) = :month"
    return f"{counter} = CASE WHEN NOT {same} THEN {counter} WHEN {counter} > {by} THEN {counter} - {by} ELSE 0 END"


GIVE_BACK = NamedStatement(
    "quotas.give_back",
    {
        "default": f"""
            UPDATE user_quotas SET {_less("daily_requests", ":requests")}, {_less("monthly_requests", ":requests")},
                {_less("daily_tokens", ":tokens")}, {_less("monthly_tokens", ":tokens")}
            WHERE {_MINE}"""  # noqa: S608 - constants
    },
)
