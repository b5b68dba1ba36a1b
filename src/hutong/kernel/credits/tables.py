"""Tables of the ledger. The user id is the account id and the shard key.

`credit_entries` is append-only: the sum of an account's entries is its balance at every commit. A hold's −n stands in the
entries as `consume`; what comes back stands there as `refund`. Source: DESIGN §2.3, §2.14; contracts/emoji.md.
"""

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, Index, Integer, String, Table, UniqueConstraint

from hutong.kernel.db import Enumerated, Id, UtcTime, metadata


class EntryKind(StrEnum):
    """Why the balance moved."""

    CONSUME = "consume"
    PURCHASE = "purchase"
    REWARD = "reward"
    REFUND = "refund"


class HoldState(StrEnum):
    """A hold is open until exactly one of the others."""

    OPEN = "open"
    SETTLED = "settled"
    RELEASED = "released"


credit_accounts = Table(
    "credit_accounts",
    metadata,
    Column("account_id", Id, primary_key=True, autoincrement=False),
    Column("balance", Id, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    CheckConstraint("balance >= 0", name="balance_not_negative"),
)

credit_entries = Table(
    "credit_entries",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("account_id", Id, nullable=False),
    Column("kind", Enumerated(EntryKind, 16), nullable=False),
    Column("amount", Id, nullable=False),
    Column("balance_after", Id, nullable=False),
    Column("idempotency_key", String(128), nullable=False),
    Column("period_key", String(32)),
    Column("ref_type", String(32)),
    Column("ref_id", String(64)),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("account_id", "idempotency_key"),
    UniqueConstraint("account_id", "kind", "period_key"),
    Index(None, "account_id", "id"),
)

credit_holds = Table(
    "credit_holds",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("account_id", Id, nullable=False, index=True),
    Column("amount", Integer, nullable=False),
    Column("settled", Integer, nullable=False),
    Column("state", Enumerated(HoldState, 16), nullable=False),
    Column("ref_type", String(32), nullable=False),
    Column("ref_id", String(64), nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("resolved_at", UtcTime),
    UniqueConstraint("account_id", "ref_type", "ref_id"),
    Index(None, "state", "expires_at"),
    CheckConstraint("amount > 0", name="amount_positive"),
    CheckConstraint("settled >= 0 AND settled <= amount", name="settled_within"),
)
