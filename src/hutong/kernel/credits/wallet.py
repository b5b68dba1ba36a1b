"""The hottest calls: reading a balance and spending outright, as single statements on the raw driver.

Same rows and same rules as `ledger`; only the way to the database is shorter.
"""

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from hutong.kernel.credits import ledger
from hutong.kernel.credits.errors import AccountUnknown
from hutong.kernel.credits.ledger import Move
from hutong.kernel.credits.tables import EntryKind
from hutong.kernel.db import Database, NamedStatement
from hutong.kernel.observability.metrics import points_moved

BALANCE = NamedStatement(
    "credits.balance", {"default": "SELECT balance FROM credit_accounts WHERE account_id = :account"}
)
_COLUMNS = "id, account_id, kind, amount, balance_after, idempotency_key, period_key, ref_type, ref_id, created_at"
TAKE = NamedStatement(
    "credits.take",
    {
        "default": """UPDATE credit_accounts SET balance = balance - :amount, updated_at = :now
                      WHERE account_id = :account AND balance >= :amount RETURNING balance"""
    },
)
ENTER = NamedStatement(
    "credits.enter",
    {
        "default": f"""INSERT INTO credit_entries ({_COLUMNS})
                       VALUES (:id, :account, 'consume', -:amount, :after, :key, NULL, :ref_type, :ref_id, :now)"""  # noqa: S608 - constants
    },
)
SPEND = NamedStatement(
    "credits.spend",
    {
        "postgresql": f"""
            WITH taken AS (
                UPDATE credit_accounts SET balance = balance - CAST(:amount AS bigint), updated_at = :now
                WHERE account_id = :account AND balance >= CAST(:amount AS bigint) RETURNING balance)
            INSERT INTO credit_entries ({_COLUMNS})
            SELECT :id, :account, 'consume', -CAST(:amount AS bigint), taken.balance, :key, NULL, :ref_type, :ref_id, :now
            FROM taken RETURNING balance_after""",  # noqa: S608 - constants
        "mysql": f"""
            BEGIN;
            UPDATE credit_accounts SET balance = balance - :amount, updated_at = :now
            WHERE account_id = :account AND balance >= :amount;
            INSERT INTO credit_entries ({_COLUMNS})
            SELECT :id, account_id, 'consume', -:amount, balance, :key, NULL, :ref_type, :ref_id, :now
            FROM credit_accounts WHERE account_id = :account AND ROW_COUNT() = 1;
            SELECT ROW_COUNT() FROM DUAL WHERE ROW_COUNT() = 1;
            COMMIT""",  # noqa: S608 - constants
    },
)


class Wallet:
    """Balances and outright spends, as fast as the database allows."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def balance(self, account_id: int) -> int:
        """The balance, from its row.

        Raises:
            AccountUnknown: there is no such account.
        """
        rows = await self._db.hot(BALANCE, account=account_id)
        if not rows:
            raise AccountUnknown
        return int(rows[0][0])

    async def spend(self, move: Move) -> bool:
        """Take points for good; as `ledger.spend`, in a transaction of its own.

        Raises:
            CreditsExhausted: the balance is too low; nothing changed.
        """
        try:
            if await self._take(move):
                points_moved.labels(EntryKind.CONSUME.value).inc(-move.amount)
                return True
        except IntegrityError:
            pass  # the key was spent before, and the statement undid itself
        return await self._db.write(ledger.spend, move)

    async def _take(self, move: Move) -> bool:
        """The quick way; False when it changed nothing, and `ledger.spend` then finds out why."""
        if self._db.capabilities.one_trip_writes:
            return bool(await self._db.hot(SPEND, **_params(move)))
        if self._db.capabilities.update_returning:
            return await self._db.write(_take_and_enter, _params(move))
        return False


def _take_and_enter(conn: Connection, params: dict[str, Any]) -> bool:
    taken = TAKE.run(conn, account=params["account"], amount=params["amount"], now=params["now"])
    if not taken:
        return False
    ENTER.run(conn, after=taken[0][0], **params)
    return True


def _params(move: Move) -> dict[str, Any]:
    return {
        "id": move.entry_id,
        "account": move.account_id,
        "amount": -move.amount,
        "key": move.key,
        "ref_type": move.ref_type,
        "ref_id": move.ref_id,
        "now": move.now,
    }
