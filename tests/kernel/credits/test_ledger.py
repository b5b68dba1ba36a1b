"""The ledger keeps its promises, alone and under racers, on every database."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from hutong.kernel import credits
from hutong.kernel.credits import CreditsExhausted, EntryKind, HoldNotOpen, Wallet
from hutong.kernel.credits.errors import AccountUnknown
from hutong.kernel.credits.holds import HoldRequest
from hutong.kernel.credits.ledger import Move
from hutong.kernel.db import Connection, Database
from hutong.kernel.observability.invariants import check
from hutong.kit.paging import PageRequest

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ACCOUNT = 7
ids = count(1).__next__


def move(amount: int, key: str, kind: EntryKind = EntryKind.CONSUME, period: str | None = None) -> Move:
    return Move(ids(), ACCOUNT, kind, amount, key, NOW, period_key=period)


def request(amount: int, ref: str, expires: timedelta = timedelta(hours=1)) -> HoldRequest:
    return HoldRequest(ids(), ids(), ACCOUNT, amount, "work", ref, NOW + expires, NOW)


def opened(conn: Connection, points: int) -> None:
    credits.create_account(conn, ACCOUNT, NOW)
    credits.grant(conn, move(points, "start", EntryKind.REWARD))


async def balance(db: Database) -> int:
    assert await db.read(check, credits.INVARIANTS) == []
    return await db.read(credits.balance_of, ACCOUNT)


async def test_racers_for_the_last_points_get_exactly_what_is_there(db: Database) -> None:
    await db.write(opened, 10)
    wallet = Wallet(db)
    outcomes = await asyncio.gather(*(wallet.spend(move(-1, f"spend-{n}")) for n in range(30)), return_exceptions=True)

    assert sum(outcome is True for outcome in outcomes) == 10
    assert sum(isinstance(outcome, CreditsExhausted) for outcome in outcomes) == 20
    assert await balance(db) == 0


async def test_the_same_key_spends_once(db: Database) -> None:
    await db.write(opened, 10)
    wallet = Wallet(db)
    outcomes = await asyncio.gather(*(wallet.spend(move(-4, "once")) for _ in range(8)))

    assert sorted(outcomes) == [False] * 7 + [True]
    assert await balance(db) == 6


async def test_a_period_is_granted_once(db: Database) -> None:
    await db.write(opened, 1)
    first = await db.write(credits.grant, move(2000, "a", EntryKind.REWARD, "2026-W47"))
    second = await db.write(credits.grant, move(2000, "b", EntryKind.REWARD, "2026-W47"))

    assert (first, second) == (True, False)
    assert await balance(db) == 2001


@pytest.mark.parametrize("amount", [0, 1, 2**53, True])
async def test_amounts_that_do_not_take_are_refused(db: Database, amount: int) -> None:
    await db.write(opened, 10)
    with pytest.raises(ValueError, match="cannot be moved"):
        await db.write(credits.spend, move(amount if amount != 2**53 else -amount, "bad"))

    assert await balance(db) == 10


async def test_an_unknown_account_is_not_an_empty_one(db: Database) -> None:
    with pytest.raises(AccountUnknown):
        await Wallet(db).spend(move(-1, "nobody"))


async def test_a_hold_takes_and_a_release_gives_back_once(db: Database) -> None:
    await db.write(opened, 10)
    wanted = request(7, "1")
    await db.write(credits.hold, wanted)
    held = await balance(db)
    await db.write(credits.release, wanted.hold_id, ids(), NOW)
    with pytest.raises(HoldNotOpen):
        await db.write(credits.release, wanted.hold_id, ids(), NOW)

    assert (held, await balance(db)) == (3, 10)


async def test_settling_a_part_gives_the_rest_back(db: Database) -> None:
    await db.write(opened, 10)
    wanted = request(7, "1")
    await db.write(credits.hold, wanted)
    await db.write(lambda conn: credits.settle(conn, wanted.hold_id, NOW, used=5, entry_id=ids()))
    page = await db.read(credits.list_entries, ACCOUNT, PageRequest())

    assert await balance(db) == 5
    assert [(entry.kind, entry.amount) for entry in page.items][:2] == [(EntryKind.REFUND, 2), (EntryKind.CONSUME, -7)]


async def test_of_a_settle_and_a_release_one_wins(db: Database) -> None:
    """Every interleaving ends with the points either kept or back, never both."""
    await db.write(opened, 100)
    for number in range(10):
        wanted = request(5, f"race-{number}")
        await db.write(credits.hold, wanted)
        racers: list[Callable[[Connection], None]] = [
            lambda conn, w=wanted: credits.settle(conn, w.hold_id, NOW),  # type: ignore[misc]
            lambda conn, w=wanted: credits.release(conn, w.hold_id, ids(), NOW),  # type: ignore[misc]
        ]
        outcomes = await asyncio.gather(*(db.write(racer) for racer in racers), return_exceptions=True)
        assert sum(isinstance(outcome, HoldNotOpen) for outcome in outcomes) == 1

    assert (await balance(db)) % 5 == 0


async def test_a_failed_transaction_leaves_no_trace(db: Database) -> None:
    await db.write(opened, 10)

    def half(conn: Connection) -> None:
        credits.hold(conn, request(4, "half"))
        raise RuntimeError("power loss")

    with pytest.raises(RuntimeError):
        await db.write(half)

    assert await balance(db) == 10


async def test_the_auditor_finds_damage(db: Database) -> None:
    """Written behind the ledger's back: a wrong balance, an entry of nobody's, a hold without its charge."""
    await db.write(opened, 10)
    wanted = request(3, "1")
    await db.write(credits.hold, wanted)
    from sqlalchemy import text

    def damage(conn: Connection) -> None:
        conn.execute(text("UPDATE credit_accounts SET balance = balance + 1"))
        conn.execute(text(f"UPDATE credit_holds SET amount = 4 WHERE id = {wanted.hold_id}"))
        conn.execute(text("UPDATE credit_entries SET account_id = 8 WHERE kind = 'reward'"))

    await db.write(damage)
    found = {violation.invariant for violation in await db.read(check, credits.INVARIANTS)}

    assert found == {"credits.balance_is_sum", "credits.entry_has_account", "credits.hold_charged_once"}
