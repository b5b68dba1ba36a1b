"""The ledger's moves: one guarded UPDATE of the balance and one entry, in the caller's transaction.

Never read-then-write. Source: DESIGN §2.3; reference/reliability.md §0.3.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select

from hutong.kernel.credits.errors import AccountUnknown, CreditsExhausted
from hutong.kernel.credits.tables import EntryKind, credit_accounts, credit_entries
from hutong.kernel.db import add_within, insert_if_absent
from hutong.kernel.observability.metrics import points_moved

LARGEST_AMOUNT = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Move:
    """One intended change of a balance.

    Args:
        entry_id: a fresh Snowflake id.
        account_id: whose balance.
        kind: why.
        amount: signed, not zero.
        key: unique within the account; the same key again changes nothing.
        period_key: unique within the account and kind where set (a weekly reward's ISO week).
        ref_type, ref_id: what the move is about, as in `emoji_task` and its id.
    """

    entry_id: int
    account_id: int
    kind: EntryKind
    amount: int
    key: str
    now: datetime
    period_key: str | None = None
    ref_type: str | None = None
    ref_id: str | None = None


def grant(conn: Connection, move: Move) -> bool:
    """Add points. Returns False, with nothing changed, when this key or period was granted before.

    Raises:
        ValueError: the amount is not positive or too large.
        AccountUnknown: there is no such account.
    """
    _check_amount(move.amount)
    return post(conn, move)


def spend(conn: Connection, move: Move) -> bool:
    """Take points for good (`amount` negative). Returns False when this key was spent before.

    Raises:
        ValueError: the amount is not negative or too large.
        CreditsExhausted: the balance is too low; nothing changed.
    """
    _check_amount(-move.amount)
    return post(conn, move)


def post(conn: Connection, move: Move) -> bool:
    """Write one move; a repeated key takes its own change of the balance back and returns False."""
    row = {
        "id": move.entry_id,
        "account_id": move.account_id,
        "kind": move.kind,
        "amount": move.amount,
        "balance_after": 0,
        "idempotency_key": move.key,
        "period_key": move.period_key,
        "ref_type": move.ref_type,
        "ref_id": move.ref_id,
        "created_at": move.now,
    }
    after = _add(conn, move)
    if after is None:
        return _refused(conn, move)
    if not insert_if_absent(conn, credit_entries, row | {"balance_after": after}):
        _add(conn, move, -1)
        return False
    points_moved.labels(move.kind.value).inc(abs(move.amount))
    return True


def _add(conn: Connection, move: Move, sign: int = 1) -> int | None:
    stamp = {"updated_at": move.now}
    return add_within(conn, credit_accounts.c.balance, _account(move), sign * move.amount, also=stamp)


def _refused(conn: Connection, move: Move) -> bool:
    """The balance refused: a repeated key is no error, an empty purse and a missing account are."""
    same = (credit_entries.c.account_id == move.account_id, credit_entries.c.idempotency_key == move.key)
    if conn.execute(select(credit_entries.c.id).where(*same)).first() is not None:
        return False
    found = conn.execute(select(credit_accounts.c.balance).where(_account(move))).first()
    if found is None:
        raise AccountUnknown
    raise CreditsExhausted(details={"balance": int(found.balance), "needed": -move.amount})


def _account(move: Move) -> ColumnElement[bool]:
    return credit_accounts.c.account_id == move.account_id


def _check_amount(amount: int) -> None:
    if isinstance(amount, bool) or not 0 < amount <= LARGEST_AMOUNT:
        raise ValueError(f"an amount of {amount} points cannot be moved")
