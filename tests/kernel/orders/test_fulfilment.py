"""Handing over: once, in one transaction with the app's own part, and flagged when it cannot be done. Source: reference O14."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from hutong.kernel.credits import balance_of
from hutong.kernel.db import Connection
from hutong.kernel.entitlements import find_active
from hutong.kernel.jobs import Job
from hutong.kernel.orders import Order, Orders, Review
from support.shop import Counter

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_two_memberships_at_once_add_up(counter: Counter) -> None:
    made = [await counter.order(product_id="member-month") for _ in range(4)]
    for order in made:
        await counter.post(counter.vendor.pay(order.order_no, money=order.money))
    (task,) = [task for task in counter.orders.work().tasks if task.name == "shop.orders.fulfil"]
    jobs = [Job(0, task.name, {"order_no": order.order_no}, 1, 1, counter.clock.now()) for order in made * 3]
    await asyncio.gather(*(task.handler(job) for job in jobs))
    held = await counter.db.read(find_active, 7, counter.clock.now())

    assert held is not None
    assert held.ends_at == counter.clock.now() + timedelta(days=4 * 30)
    assert sorted(counter.handed) == sorted(order.order_no for order in made)
    assert await counter.db.read(balance_of, 7) == 40


@ONE_DATABASE
async def test_a_membership_is_added_to_what_is_left_of_it(counter: Counter) -> None:
    await counter.paid(product_id="member-month")
    counter.clock.advance(10 * 86_400)
    await counter.paid(product_id="member-month")
    held = await counter.db.read(find_active, 7, counter.clock.now())
    counter.clock.advance(100 * 86_400)
    await counter.paid(product_id="member-month")
    renewed = await counter.db.read(find_active, 7, counter.clock.now())

    assert held is not None and renewed is not None
    assert held.ends_at == counter.clock.now() - timedelta(days=110) + timedelta(days=60)
    assert renewed.ends_at == counter.clock.now() + timedelta(days=30)


@ONE_DATABASE
async def test_each_piece_counts(counter: Counter) -> None:
    await counter.paid(quantity=3)

    assert await counter.db.read(balance_of, 7) == 300


@ONE_DATABASE
async def test_an_app_that_fails_leaves_nothing_granted_and_then_the_order_flagged(counter: Counter) -> None:
    """What was bought is handed over whole or not at all; in the end an operator is told."""

    def fail(conn: Connection, order: Order) -> None:
        raise RuntimeError("the printer is out of paper")

    counter.orders = Orders(replace(counter.shop, on_fulfilled=fail))
    made = await counter.order()
    await counter.post(counter.vendor.pay(made.order_no))
    with pytest.raises(RuntimeError):
        await counter.run("fulfil")
    granted = await counter.number("SELECT COUNT(*) FROM credit_entries")
    (task,) = [task for task in counter.orders.work().tasks if task.name == "shop.orders.fulfil"]
    job = Job(0, task.name, {"order_no": made.order_no}, 20, 1, counter.clock.now())
    assert task.on_dead is not None
    await counter.db.write(task.on_dead, job, "RuntimeError")
    found = await counter.look(made)

    assert granted == 0
    assert (found.fulfilled_at, found.review) == (None, Review.FULFILMENT_FAILED)


@ONE_DATABASE
async def test_an_order_that_is_not_paid_is_not_handed_over(counter: Counter) -> None:
    made = await counter.order()
    (task,) = [task for task in counter.orders.work().tasks if task.name == "shop.orders.fulfil"]
    await task.handler(Job(0, task.name, {"order_no": made.order_no}, 1, 1, counter.clock.now()))
    await task.handler(Job(0, task.name, {"order_no": "no-such-order"}, 1, 1, counter.clock.now()))

    assert counter.handed == []
    assert (await counter.look(made)).fulfilled_at is None
