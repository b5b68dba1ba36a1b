"""Holds whose time is up are resolved together with the work they stand for, in one transaction.

Source: DESIGN §2.14: "expiry resolves the work in the same transaction".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from hutong.kernel.credits.tables import HoldState, credit_holds


@dataclass(frozen=True, slots=True)
class ExpiredHold:
    """A hold that is still open after its time."""

    id: int
    account_id: int
    ref_type: str
    ref_id: str


Resolver = Callable[[Connection, ExpiredHold, datetime], None]
"""Ends the work and releases or settles the hold; must leave the hold resolved."""
HoldResolvers = Mapping[str, Resolver]


def list_expired(conn: Connection, now: datetime, limit: int = 100) -> list[ExpiredHold]:
    """Open holds past their time, oldest first."""
    columns = [credit_holds.c[name] for name in ExpiredHold.__dataclass_fields__]
    late = select(*columns).where(credit_holds.c.state == HoldState.OPEN, credit_holds.c.expires_at <= now)
    return [ExpiredHold(*row) for row in conn.execute(late.order_by(credit_holds.c.expires_at).limit(limit))]


def expire_holds(conn: Connection, late: ExpiredHold, resolvers: HoldResolvers, now: datetime) -> None:
    """Resolve one expired hold through the owner of its work; a transaction each, for each is another user's.

    Raises:
        LookupError: nobody knows this kind of work.
    """
    resolver = resolvers.get(late.ref_type)
    if resolver is None:
        raise LookupError(f"nothing resolves holds for {late.ref_type!r}")
    resolver(conn, late, now)
