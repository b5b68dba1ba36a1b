"""What the host does with quotas and keys each night, and what `hutong ledger verify` asks about them."""

from datetime import timedelta

import pytest
from sqlalchemy import text, update

from hutong.kernel.db import Connection
from hutong.kernel.identity import ApiKeys
from hutong.kernel.identity.tables import api_keys
from hutong.kernel.quotas import INVARIANTS, Limits, Quotas
from support.stand import Stand, until

WEEK, MONTH = 7 * 86_400.0, timedelta(days=30)
UNLIMITED = Limits(None, None, None, None)
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_reservations_and_keys_that_ended_long_ago_are_forgotten_by_the_workers(stand: Stand) -> None:
    kernel = stand.host.kernel
    quotas, keys = Quotas("chat", kernel.clock), ApiKeys("chat", kernel.ids, kernel.clock)

    def past(conn: Connection) -> None:
        for number, age in ((1, WEEK + 60), (2, WEEK - 60), (3, WEEK + 60)):
            quotas.reserve(
                conn,
                reservation_id=number,
                user_id=42,
                limits=UNLIMITED,
                tokens=1,
                seconds=60.0,
                owner=f"reply:{number}",
            )
            quotas.extend(conn, [number], -age)
        assert quotas.settle(conn, 1, 1) and quotas.release(conn, 2)
        old, _ = keys.create(conn, 42, "old")
        keys.create(conn, 42, "good")
        keys.revoke(conn, 42, old.id)
        long_ago = kernel.clock.now() - MONTH - timedelta(hours=1)
        conn.execute(update(api_keys).where(api_keys.c.id == old.id).values(revoked_at=long_ago))
        for task in ("kernel.quotas.forget_reservations", "kernel.identity.forget_sessions"):
            kernel.jobs.enqueue(conn, task, {})

    await kernel.db.write(past)

    async def left() -> bool:
        def look(conn: Connection) -> tuple[list[int], list[str]]:
            reservations = conn.execute(text("SELECT id FROM quota_reservations ORDER BY id")).scalars().all()
            return list(reservations), list(conn.execute(text("SELECT name FROM api_keys")).scalars().all())

        return await kernel.db.read(look) == ([2, 3], ["good"])

    await until(left)
    assert await kernel.db.write(quotas.settle, 3, 1)


async def test_every_promise_about_quotas_is_among_those_that_are_checked(stand: Stand) -> None:
    assert {one.name for one in INVARIANTS} <= {one.name for one in stand.host.work.invariants}
