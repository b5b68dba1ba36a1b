"""Holds: the charge for work that may fail. A hold is resolved exactly once, by settling or releasing it.

Source: DESIGN §2.14; reference/reliability.md §1.1 (TigerBeetle's two-phase rules).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from hutong.kernel.credits.errors import HoldNotOpen, HoldUnknown
from hutong.kernel.credits.ledger import Move, post, spend
from hutong.kernel.credits.tables import EntryKind, HoldState, credit_holds


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """Points to be taken for one piece of work.

    Args:
        hold_id, entry_id: fresh Snowflake ids.
        account_id: whose points.
        amount: positive.
        ref_type, ref_id: the work, as in `emoji_task` and its id; one hold for each.
        expires_at: when the hold resolves itself (see `expire_holds`).
    """

    hold_id: int
    entry_id: int
    account_id: int
    amount: int
    ref_type: str
    ref_id: str
    expires_at: datetime
    now: datetime


def hold(conn: Connection, request: HoldRequest) -> None:
    """Take the points: writes the hold and its −n entry (`consume`).

    Raises:
        CreditsExhausted: the balance is too low; nothing changed.
    """
    took = spend(
        conn,
        Move(
            entry_id=request.entry_id,
            account_id=request.account_id,
            kind=EntryKind.CONSUME,
            amount=-request.amount,
            key=f"hold:{request.ref_type}:{request.ref_id}",
            now=request.now,
            ref_type=request.ref_type,
            ref_id=request.ref_id,
        ),
    )
    if not took:
        raise HoldNotOpen(f"{request.ref_type} {request.ref_id} was held for before")
    conn.execute(
        credit_holds.insert().values(
            id=request.hold_id,
            account_id=request.account_id,
            amount=request.amount,
            settled=0,
            state=HoldState.OPEN,
            ref_type=request.ref_type,
            ref_id=request.ref_id,
            expires_at=request.expires_at,
            created_at=request.now,
        )
    )


def settle(
    conn: Connection, hold_id: int, now: datetime, *, used: int | None = None, entry_id: int | None = None
) -> None:
    """The work is done: keep `used` points (all of them when left out) and give the rest back.

    Args:
        conn: the unit of work.
        hold_id: the hold.
        now: the moment.
        used: points that the work cost, 0..amount.
        entry_id: a fresh id, needed when something is given back.

    Raises:
        HoldUnknown, HoldNotOpen: nothing changed.
        ValueError: `used` is out of range, or something is left and no entry id was given.
    """
    row = _find(conn, hold_id)
    spent = row.amount if used is None else used
    if not 0 <= spent <= row.amount:
        raise ValueError(f"a hold of {row.amount} points cannot be settled for {spent}")
    _resolve(conn, hold_id, HoldState.SETTLED, spent, now)
    if spent < row.amount:
        if entry_id is None:
            raise ValueError("giving points back needs an entry id")
        _give_back(conn, row, row.amount - spent, entry_id, now)


def release(conn: Connection, hold_id: int, entry_id: int, now: datetime) -> None:
    """The work failed or was called off: all points come back (`refund`).

    Raises:
        HoldUnknown, HoldNotOpen: nothing changed.
    """
    row = _find(conn, hold_id)
    _resolve(conn, hold_id, HoldState.RELEASED, 0, now)
    _give_back(conn, row, row.amount, entry_id, now)


def _find(conn: Connection, hold_id: int) -> Row[Any]:
    columns = (credit_holds.c[name] for name in ("id", "account_id", "amount", "ref_type", "ref_id"))
    row = conn.execute(select(*columns).where(credit_holds.c.id == hold_id)).first()
    if row is None:
        raise HoldUnknown
    return row


def _resolve(conn: Connection, hold_id: int, state: HoldState, settled: int, now: datetime) -> None:
    """Compare-and-set from open: of two racers one wins, the other one's transaction fails here."""
    still_open = (credit_holds.c.id == hold_id, credit_holds.c.state == HoldState.OPEN)
    done = conn.execute(update(credit_holds).where(*still_open).values(state=state, settled=settled, resolved_at=now))
    if done.rowcount != 1:
        raise HoldNotOpen


def _give_back(conn: Connection, row: Row[Any], amount: int, entry_id: int, now: datetime) -> None:
    move = Move(
        entry_id=entry_id,
        account_id=row.account_id,
        kind=EntryKind.REFUND,
        amount=amount,
        key=f"refund:{row.id}",
        now=now,
        ref_type=row.ref_type,
        ref_id=row.ref_id,
    )
    if not post(conn, move):
        raise HoldNotOpen("this hold's points came back before")
