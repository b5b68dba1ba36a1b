"""Orders beside a small model of them: pay, late, twice, wrong, expire, cancel, refund, in any order, reports lost or late.

After every step the statuses are the model's and every promise holds; at the end all money is where it belongs.
Source: reference/identity_orders.md §5.2.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

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

from hutong.host.settings import load_settings
from hutong.kernel.db import Database, open_database
from hutong.kernel.orders import Money, Order
from hutong.kernel.orders.errors import (
    OrderAlreadyPaid,
    OrderExpired,
    OrderNotPaid,
    RefundTooLarge,
)
from hutong.kernel.store import Store
from hutong.kit.clock import ManualClock
from support.hypotheses import share
from support.shop import PRICE, START, Counter, Letter, Vendor, make_counter

T = TypeVar("T")
WHICH = st.integers(0, 50)
MINUTE = 60


@dataclass
class Paid:
    """A transaction at the vendor's. `purpose` is set once it is known here."""

    id: str
    amount: int
    at: datetime
    letter: Letter
    purpose: str = ""


@dataclass
class Thing:
    """An order as it should be."""

    order: Order
    status: str = "pending"
    at_vendor: str = "waiting"
    paid: list[Paid] = field(default_factory=list)
    accepted: bool = False
    handed: bool = False
    refunded: int = 0
    reserved: int = 0
    keys: set[str] = field(default_factory=set)
    watched: bool = True
    """Whether its vendor will still be asked: until it is paid, or once after it ended."""

    def hear(self, tx: Paid, revive: bool) -> None:
        """What a report of a transaction should come to."""
        if tx.purpose:
            return
        if tx.amount != PRICE:
            tx.purpose = "mismatched"
        elif self.status in {"paid", "partially_refunded", "refund_pending", "refunded"}:
            tx.purpose = "second"
        elif (self.status == "pending" and tx.at < self.order.expires_at) or revive:
            tx.purpose, self.status, self.accepted = "settling", "paid", True
        else:
            tx.purpose, self.status, self.reserved = "late", "refund_pending", PRICE

    def asked(self, revive: bool) -> None:
        """What the vendor's answer should come to: it tells of the first transaction."""
        if self.at_vendor == "paid":
            self.hear(self.paid[0], revive)

    def restate(self) -> None:
        """What refunds leave."""
        if self.refunded == PRICE:
            self.status = "refunded"
        elif not self.accepted or self.refunded + self.reserved == PRICE:
            self.status = "refund_pending"
        else:
            self.status = "partially_refunded" if self.refunded else "paid"


@dataclass
class World:
    """One database and one vendor for all examples."""

    runner: asyncio.Runner
    clock: ManualClock
    counters: dict[str, Counter]
    user: int = 1000

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)


@pytest.fixture
def world(database_url: str, store_url: str, tmp_path: Path) -> Iterator[World]:
    """In a loop of its own, for hypothesis calls its rules without one."""
    clock = ManualClock(START)
    vendor = Vendor(tmp_path / "vendor.db", clock)
    with asyncio.Runner() as runner:
        db, store = runner.run(_opened(database_url, store_url))
        handed: list[str] = []
        counters = {
            policy: make_counter(db, store, vendor, clock, handed, late_payment=policy)
            for policy in ("revive", "refund")
        }
        yield World(runner, clock, counters)
        runner.run(store.close())
        runner.run(db.close())
    vendor.close_books()


async def _opened(database_url: str, store_url: str) -> tuple[Database, Store]:
    return open_database(load_settings(env="test", database_url=database_url)), Store(store_url)


class OrdersMachine(RuleBasedStateMachine):
    """One user's orders."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        world.user += 1
        self.user = world.user
        self.things: list[Thing] = []

    @initialize(policy=st.sampled_from(["revive", "refund"]))
    def opens(self, policy: str) -> None:
        self.revive = policy == "revive"
        self.counter = self.world.counters[policy]
        self.vendor = self.counter.vendor
        self.create()

    @precondition(lambda self: len(self.things) < 4)
    @rule()
    def create(self) -> None:
        self.things.append(Thing(self.run(self.counter.order(self.user))))

    @rule(which=WHICH, reported=st.booleans())
    def pay(self, which: int, reported: bool) -> None:
        """As the vendor allows; its report is delivered at once, or is still on its way."""
        thing = self._thing(which)
        if thing.at_vendor == "waiting" and self.world.clock.now() < thing.order.expires_at:
            letter = self.vendor.pay(thing.order.order_no)
            self._paid(thing, letter, PRICE, reported)

    @rule(which=WHICH, amount=st.sampled_from([PRICE, PRICE, PRICE - 1, PRICE * 2]), reported=st.booleans())
    def pay_what_should_not_be_taken(self, which: int, amount: int, reported: bool) -> None:
        """Late, twice, or another amount."""
        thing = self._thing(which)
        if len(thing.paid) < 4:
            letter = self.vendor.pay_anyway(thing.order.order_no, money=Money(amount, "CNY"))
            self._paid(thing, letter, amount, reported)

    @rule(which=WHICH, tx=WHICH, times=st.integers(1, 3))
    def a_report_arrives(self, which: int, tx: int, times: int) -> None:
        """For the first time or again, late or early."""
        thing = self._thing(which)
        if thing.paid:
            self._report(thing, thing.paid[tx % len(thing.paid)], times)

    @rule(minutes=st.sampled_from([1, 5, 29, 31]))
    def time_passes(self, minutes: int) -> None:
        self.world.clock.advance(minutes * MINUTE)

    @rule()
    def the_sweeper_comes(self) -> None:
        self.run(self.counter.sweep())
        for thing in self.things:
            if thing.status == "pending" and self._is_over(thing):
                self._settle(thing, "expired")

    @rule()
    def pending_orders_are_reconciled(self) -> None:
        """Those that ended are asked about again only ten minutes later, once; this asks then."""
        self.world.clock.advance(11 * MINUTE)
        self.run(self.counter.run("reconcile"))
        for thing in self.things:
            if not thing.watched:
                continue
            if thing.status == "pending":
                if self._is_over(thing):
                    self._settle(thing, "expired")
                thing.asked(self.revive)
                thing.watched = thing.status in {"pending", "expired"}
            else:
                if thing.status in {"expired", "cancelled"}:
                    thing.asked(self.revive)
                thing.watched = False

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        thing = self._thing(which)
        got = self._outcome(self.counter.orders.cancel(self.user, thing.order.order_no))
        over = self._is_over(thing)
        if thing.status == "pending" and not over:
            self._settle(thing, "cancelled")
            assert got is (None if thing.status == "cancelled" else OrderAlreadyPaid)
        elif thing.status in {"expired", "pending"}:
            assert got is OrderExpired
        else:
            assert got is (None if thing.status == "cancelled" else OrderAlreadyPaid)

    @rule(which=WHICH, amount=st.one_of(st.none(), st.integers(1, PRICE + 1)), key=st.sampled_from("abcdef"))
    def refund(self, which: int, amount: int | None, key: str) -> None:
        thing = self._thing(which)
        money = None if amount is None else Money(amount, "CNY")
        got = self._outcome(self.counter.orders.refund(thing.order.order_no, money, "because", f"{key}{amount}"))
        main = any(tx.purpose in {"settling", "late"} for tx in thing.paid)
        left = PRICE - thing.refunded - thing.reserved
        if not main:
            assert got is OrderNotPaid
        elif f"{key}{amount}" in thing.keys:
            assert got is None
        elif (amount or left) > left or left == 0:
            assert got is RefundTooLarge
        else:
            assert got is None
            thing.keys.add(f"{key}{amount}")
            thing.reserved += amount or left
            thing.restate()

    @rule()
    def jobs_run(self) -> None:
        """Fulfilment and refunds; a vendor that is asked gives back at once."""
        self.run(self.counter.run("fulfil"))
        for thing in self.things:
            thing.handed = thing.handed or thing.status in {"paid", "partially_refunded"}
        self.run(self.counter.run("refund"))
        for thing in self.things:
            thing.refunded, thing.reserved = thing.refunded + thing.reserved, 0
            if any(tx.purpose in {"settling", "late"} for tx in thing.paid):
                thing.restate()

    @invariant()
    def orders_are_the_models(self) -> None:
        if not self.things:
            return
        assert self.run(self.counter.broken()) == []
        for thing in self.things:
            found = self.run(self.counter.look(thing.order))
            expected = "expired" if thing.status == "pending" and self._is_over(thing) else thing.status
            assert (found.status, found.refunded) == (expected, thing.refunded)
            assert self.counter.handed.count(thing.order.order_no) == thing.handed

    def teardown(self) -> None:
        """Every report arrives, every job runs: what was not owed is back, and what was bought is there."""
        for thing in self.things:
            for tx in thing.paid:
                self._report(thing, tx, 1)
        for _ in range(2):
            self.jobs_run()
        for thing in self.things:
            took = sum(tx.amount for tx in thing.paid)
            owed = PRICE - thing.refunded if thing.accepted else 0
            assert took - self.vendor.given_back(thing.order.order_no) == owed
        if self.things:
            self.orders_are_the_models()

    # -- what the rules ask ----------------------------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.world.run(work)

    def _outcome(self, work: Coroutine[Any, Any, Any]) -> type[Exception] | None:
        try:
            self.run(work)
        except (OrderAlreadyPaid, OrderExpired, OrderNotPaid, RefundTooLarge) as error:
            return type(error)
        return None

    def _thing(self, which: int) -> Thing:
        return self.things[which % len(self.things)]

    def _is_over(self, thing: Thing) -> bool:
        return self.world.clock.now() >= thing.order.expires_at

    def _paid(self, thing: Thing, letter: Letter, amount: int, reported: bool) -> None:
        number = self.vendor._one("SELECT MAX(id) FROM transactions")[0]
        tx = Paid(number, amount, self.world.clock.now(), letter)
        thing.paid.append(tx)
        thing.at_vendor = "paid"
        if reported:
            self._report(thing, tx, 1)

    def _report(self, thing: Thing, tx: Paid, times: int) -> None:
        for _ in range(times):
            assert self.run(self.counter.post(tx.letter)) == 200
        thing.hear(tx, self.revive)

    def _settle(self, thing: Thing, to: str) -> None:
        """The vendor is asked, closes, or says that it was paid."""
        thing.asked(self.revive)
        if thing.status == "pending" and (to == "expired" or thing.at_vendor != "paid"):
            thing.status = to
        if thing.at_vendor == "waiting":
            thing.at_vendor = "closed"


def test_whatever_happens_money_and_goods_are_where_they_belong(world: World) -> None:
    """Against a model, with reports that are late, lost and repeated, and a vendor that takes what it should not."""
    run_state_machine_as_test(cast("type[OrdersMachine]", partial(OrdersMachine, world)), settings=share(0.7))
