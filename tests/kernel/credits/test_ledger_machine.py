"""The ledger against a model of it: any sequence of calls, each possibly repeated, keeps every promise after every step.

Source: reference/reliability.md §1.2 and §1.3 L1.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate, count
from typing import Any, cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from hutong.host.settings import load_settings
from hutong.kernel import credits
from hutong.kernel.credits import CreditsExhausted, EntryKind, HoldNotOpen, Wallet
from hutong.kernel.credits.expiry import ExpiredHold, expire_holds, list_expired
from hutong.kernel.credits.holds import HoldRequest
from hutong.kernel.credits.ledger import Move
from hutong.kernel.db import Connection, Database, open_database
from hutong.kernel.observability.invariants import check
from hutong.kit.paging import PageRequest

START = datetime(2026, 11, 22, tzinfo=UTC)
WORK = "work"
EVERYTHING = PageRequest(1, 10_000)
TWICE = (
    "SELECT account_id, idempotency_key FROM credit_entries GROUP BY account_id, idempotency_key HAVING COUNT(*) > 1"
)
AMOUNTS = st.integers(1, 40)
KEYS = st.integers(0, 7).map("key-{}".format)
PERIODS = st.one_of(st.none(), st.integers(1, 3).map("2026-W0{}".format))
REPEATS = st.integers(1, 3)
WHICH = st.integers(0, 50)
Outcome = bool | type[Exception] | None


@dataclass
class Account:
    """What the ledger should know of one account."""

    id: int
    entries: list[tuple[EntryKind, int]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    periods: set[tuple[EntryKind, str]] = field(default_factory=set)

    @property
    def balance(self) -> int:
        return sum(amount for _, amount in self.entries)

    def move(self, kind: EntryKind, amount: int, key: str, period: str | None = None) -> Outcome:
        """What a grant or spend should come to; remembers it."""
        if key in self.keys or (period is not None and (kind, period) in self.periods):
            return False
        if self.balance + amount < 0:
            return CreditsExhausted
        self.entries.append((kind, amount))
        self.keys.add(key)
        if period is not None:
            self.periods.add((kind, period))
        return True


@dataclass
class Held:
    """A hold as it should be."""

    id: int
    account: Account
    amount: int
    ref: str
    expires: datetime
    state: str = "open"
    settled: int = 0

    def end(self, state: str, used: int) -> Outcome:
        """What resolving it should come to; remembers it."""
        if self.state != "open":
            return HoldNotOpen
        self.state, self.settled = state, used
        if used < self.amount:
            self.account.entries.append((EntryKind.REFUND, self.amount - used))
        return None


@dataclass
class World:
    """One database for all examples, each with accounts of its own; ids rise over all of them."""

    runner: asyncio.Runner
    db: Database
    ids: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def run(self, work: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        async def awaited() -> Any:
            return await work(*args)

        return self.runner.run(awaited())

    def outcome(self, work: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """What it returned, or the class of the error it raised."""
        try:
            return self.run(work, *args)
        except (CreditsExhausted, HoldNotOpen) as error:
            return type(error)

    def write(self, work: Callable[..., Any], *args: Any) -> Any:
        return self.outcome(self.db.write, work, *args)

    def read(self, work: Callable[..., Any], *args: Any) -> Any:
        return self.run(self.db.read, work, *args)


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """In a loop of its own, for hypothesis calls its rules without one."""
    with asyncio.Runner() as runner:
        made = World(runner, open_database(load_settings(env="test", database_url=database_url)))
        yield made
        made.run(made.db.close)


class LedgerMachine(RuleBasedStateMachine):
    """Grants, spends, holds and their ends on up to three accounts, beside a model of them."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.now = world, START
        self.accounts: list[Account] = []
        self.holds: list[Held] = []
        self.seen: dict[int, list[Any]] = {}

    @initialize(amount=AMOUNTS)
    def first_account(self, amount: int) -> None:
        self.open_account()
        self.grant(0, EntryKind.REWARD, amount, "start", None, 1)

    @precondition(lambda self: len(self.accounts) < 3)
    @rule()
    def open_account(self) -> None:
        account = Account(self.world.ids())
        assert self.world.write(credits.create_account, account.id, self.now) is True
        assert self.world.write(credits.create_account, account.id, self.now) is False
        self.accounts.append(account)

    @rule(
        which=WHICH,
        kind=st.sampled_from([EntryKind.REWARD, EntryKind.PURCHASE]),
        amount=AMOUNTS,
        key=KEYS,
        period=PERIODS,
        times=REPEATS,
    )
    def grant(self, which: int, kind: EntryKind, amount: int, key: str, period: str | None, times: int) -> None:
        account = self._account(which)
        for _ in range(times):
            move = Move(self.world.ids(), account.id, kind, amount, key, self.now, period_key=period)
            got = self.world.write(credits.grant, move)
            assert got == account.move(kind, amount, key, period)

    @rule(which=WHICH, amount=AMOUNTS, key=KEYS, times=REPEATS, quickly=st.booleans())
    def spend(self, which: int, amount: int, key: str, times: int, quickly: bool) -> None:
        account = self._account(which)
        wallet = Wallet(self.world.db)
        for _ in range(times):
            move = Move(self.world.ids(), account.id, EntryKind.CONSUME, -amount, key, self.now)
            got = self.world.outcome(wallet.spend, move) if quickly else self.world.write(credits.spend, move)
            assert got == account.move(EntryKind.CONSUME, -amount, key)

    @rule(which=WHICH, amount=AMOUNTS, ref=st.integers(0, 9).map(str), seconds=st.integers(1, 60), times=REPEATS)
    def hold(self, which: int, amount: int, ref: str, seconds: int, times: int) -> None:
        account = self._account(which)
        expires = self.now + timedelta(seconds=seconds)
        for _ in range(times):
            wanted = HoldRequest(self.world.ids(), self.world.ids(), account.id, amount, WORK, ref, expires, self.now)
            got = self.world.write(credits.hold, wanted)
            took = account.move(EntryKind.CONSUME, -amount, f"hold:{WORK}:{ref}")
            assert got == {True: None, False: HoldNotOpen}.get(took, took)  # type: ignore[arg-type]
            if took is True:
                self.holds.append(Held(wanted.hold_id, account, amount, ref, expires))

    @precondition(lambda self: self.holds)
    @rule(which=WHICH, used=st.one_of(st.none(), st.floats(0, 1)), times=REPEATS)
    def settle(self, which: int, used: float | None, times: int) -> None:
        """For a part of it, nothing of it, or all."""
        held = self._held(which)
        spent = None if used is None else round(held.amount * used)
        for _ in range(times):
            got = self.world.write(self._settle, held, spent)
            assert got == held.end("settled", held.amount if spent is None else spent)

    @precondition(lambda self: self.holds)
    @rule(which=WHICH, times=REPEATS)
    def release(self, which: int, times: int) -> None:
        held = self._held(which)
        for _ in range(times):
            got = self.world.write(self._release, held)
            assert got == held.end("released", 0)

    @precondition(lambda self: self.holds)
    @rule(which=WHICH)
    def settle_and_release_at_once(self, which: int) -> None:
        """One of the two wins unless the hold had ended before."""
        held = self._held(which)
        settled, released = self.world.run(self._race, held)
        if held.state == "open":
            assert {settled, released} == {None, HoldNotOpen}
            held.end(*(("settled", held.amount) if settled is None else ("released", 0)))
        else:
            assert (settled, released) == (HoldNotOpen, HoldNotOpen)

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(times=REPEATS)
    def expire(self, times: int) -> None:
        """Exactly the open holds whose time is up are resolved; a second sweep that saw the same list changes nothing."""
        late = self.world.read(list_expired, self.now)
        due = [held for held in self.holds if held.state == "open" and held.expires <= self.now]
        assert sorted(found.id for found in late) == sorted(held.id for held in due)
        by_id = {held.id: held for held in due}
        for found in late * times:
            got = self.world.write(self._expire, found)
            assert got == by_id[found.id].end("released", 0)

    @rule(which=WHICH, amount=AMOUNTS)
    def power_loss(self, which: int, amount: int) -> None:
        """What had been written in the transaction is gone."""
        account, ids = self._account(which), self.world.ids
        start = Move(ids(), account.id, EntryKind.PURCHASE, amount, "lost", self.now)
        taken = HoldRequest(ids(), ids(), account.id, amount, WORK, "lost", self.now, self.now)

        def half(conn: Connection) -> None:
            credits.grant(conn, start)
            credits.hold(conn, taken)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            self.world.write(half)

    @invariant()
    def the_ledger_is_the_model(self) -> None:
        """Balances, every entry in its order, running balances, holds; and the auditor finds nothing."""
        broken, twice, found, holds = self.world.read(self._audit)
        assert (broken, twice) == ([], [])
        for account in self.accounts:
            balance, entries = found[account.id]
            assert balance == account.balance >= 0
            assert [(entry.kind, entry.amount) for entry in entries] == account.entries
            assert [entry.balance_after for entry in entries] == list(
                accumulate(amount for _, amount in account.entries)
            )
            assert entries[: len(self.seen.get(account.id, []))] == self.seen.get(account.id, [])
            self.seen[account.id] = entries
        assert holds == {held.id: (held.state, held.settled) for held in self.holds}

    def teardown(self) -> None:
        """Leave no open hold to the next example, whose sweeps would find it."""
        for held in self.holds:
            if held.state == "open":
                self.world.write(self._release, held)

    def _account(self, which: int) -> Account:
        return self.accounts[which % len(self.accounts)]

    def _held(self, which: int) -> Held:
        return self.holds[which % len(self.holds)]

    def _settle(self, conn: Connection, held: Held, used: int | None) -> None:
        credits.settle(conn, held.id, self.now, used=used, entry_id=self.world.ids())

    def _release(self, conn: Connection, held: Held) -> None:
        credits.release(conn, held.id, self.world.ids(), self.now)

    async def _race(self, held: Held) -> tuple[Outcome, Outcome]:
        racers: list[Callable[[Connection], None]] = [
            lambda conn: self._settle(conn, held, None),
            lambda conn: self._release(conn, held),
        ]
        ends = await asyncio.gather(*(self.world.db.write(racer) for racer in racers), return_exceptions=True)
        first, second = (type(end) if isinstance(end, Exception) else None for end in ends)
        return first, second

    def _expire(self, conn: Connection, found: ExpiredHold) -> None:
        expire_holds(conn, found, {WORK: self._give_up}, self.now)

    def _give_up(self, conn: Connection, found: ExpiredHold, now: datetime) -> None:
        credits.release(conn, found.id, self.world.ids(), now)

    def _audit(self, conn: Connection) -> tuple[Any, ...]:
        found = {}
        for account in self.accounts:
            entries = credits.list_entries(conn, account.id, EVERYTHING).items
            found[account.id] = (credits.balance_of(conn, account.id), list(reversed(entries)))
        known = [held.id for held in self.holds]
        rows = conn.execute(text(f"SELECT id, state, settled FROM credit_holds WHERE id IN ({_listed(known)})"))
        holds = {row.id: (row.state, row.settled) for row in rows}
        return list(check(conn, credits.INVARIANTS)), list(conn.execute(text(TWICE))), found, holds


def _listed(ids: list[int]) -> str:
    return ", ".join(map(str, ids)) or "NULL"


def test_any_sequence_of_calls_keeps_every_promise(world: World) -> None:
    """Against a model, with repeated calls, racers, lost transactions and holds whose time is up."""
    run_state_machine_as_test(cast("type[LedgerMachine]", partial(LedgerMachine, world)))
