"""Accounts and what is read of them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from hutong.kernel.credits.errors import AccountUnknown
from hutong.kernel.credits.tables import EntryKind, credit_accounts, credit_entries
from hutong.kernel.db import insert_if_absent
from hutong.kit.paging import Page, PageRequest


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger. `amount` is negative when the balance fell."""

    id: int
    kind: EntryKind
    amount: int
    balance_after: int
    period_key: str | None
    ref_type: str | None
    ref_id: str | None
    created_at: datetime


def create_account(conn: Connection, account_id: int, now: datetime) -> bool:
    """Open an empty account unless it is there. Returns whether it was opened."""
    return insert_if_absent(conn, credit_accounts, {"account_id": account_id, "balance": 0, "updated_at": now})


def balance_of(conn: Connection, account_id: int) -> int:
    """The account's balance, read from its row and never from a cache.

    Raises:
        AccountUnknown: there is no such account.
    """
    balance = conn.execute(select(credit_accounts.c.balance).where(credit_accounts.c.account_id == account_id)).scalar()
    if balance is None:
        raise AccountUnknown
    return int(balance)


def list_entries(conn: Connection, account_id: int, request: PageRequest) -> Page[Entry]:
    """The account's ledger, newest first."""
    mine = credit_entries.c.account_id == account_id
    total = conn.execute(select(func.count()).select_from(credit_entries).where(mine)).scalar_one()
    columns = [credit_entries.c[name] for name in Entry.__dataclass_fields__]
    newest = select(*columns).where(mine).order_by(credit_entries.c.id.desc())
    rows = conn.execute(newest.limit(request.page_size).offset(request.offset)).all()
    return Page([Entry(*row) for row in rows], total, request.page, request.page_size)
