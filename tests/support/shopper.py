"""A process that buys, cancels and gives back, and may be killed at any failpoint: run again it goes on where it was.

python -m support.shopper DATABASE_URL STORE_URL VENDORS_BOOKS NUMBER_OF_THIS_RUN
"""

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hutong.kernel.db import open_database
from hutong.kernel.http.idempotency import KeyInUse
from hutong.kernel.jobs import Bell, Jobs, Worker
from hutong.kernel.orders import Catalogue, Order, Orders, OrdersSettings, OrderStatus, Shop, products_document
from hutong.kernel.orders.errors import OrderAlreadyPaid
from hutong.kernel.orders.repository import find
from hutong.kernel.orders.settling import Settling
from hutong.kernel.settings import JobsSettings, KernelSettings
from hutong.kernel.store import Store
from hutong.kit.clock import SystemClock, epoch_ms
from hutong.kit.ids import Snowflake
from support.deadlines import until
from support.shop import CALLER, PRODUCTS, Vendor

USER = 7
QUICK = JobsSettings(sweep_seconds=0.05, lease_seconds=1)


async def live(database_url: str, store_url: str, books: str, number: int) -> None:
    """One shopper's life."""
    clock, store = SystemClock(), Store(store_url)
    db = open_database(KernelSettings(env="test", database_url=database_url))
    ids, vendor = Snowflake(number, lambda: epoch_ms(clock.now())), Vendor(Path(books), clock)
    bell = Bell(store)
    shop = Shop(
        realm="shop",
        db=db,
        jobs=Jobs(ids, clock, bell),
        ids=ids,
        clock=clock,
        catalogue=Catalogue(products_document("shop", PRODUCTS)),
        channels={vendor.name: vendor},
        settings=OrdersSettings(),
        notify_url=lambda channel: f"https://shop.example.com/notify/{channel}",
        key_lease_seconds=0.5,
    )
    orders = Orders(shop)
    work = orders.work()
    worker = Worker(db, bell, shop.jobs, clock, work.tasks, (), QUICK)
    running = asyncio.create_task(worker.run())
    await _shop(orders, shop, vendor)
    worker.stop()
    await running
    await store.close()
    await db.close()


async def _shop(orders: Orders, shop: Shop, vendor: Vendor) -> None:
    """Three orders: one is paid and given back, one is called off, one is paid without a word from the vendor."""
    bought = await _order(orders, "bought")
    if vendor.state(bought.order_no) == "waiting":
        vendor.pay(bought.order_no)
    letter = vendor.letter(vendor._one("SELECT id FROM transactions WHERE order_no = ?", bought.order_no)[0])
    assert (await orders.receive("till", letter.headers, letter.body)).answer.status == 200
    await _until(orders, bought, lambda order: order.fulfilled_at is not None)
    await orders.refund(bought.order_no, None, "changed their mind", "k")
    await _until(orders, bought, lambda order: order.status is OrderStatus.REFUNDED)

    called_off = await _order(orders, "called off")
    await orders.cancel(USER, called_off.order_no)

    silent = await _order(orders, "silent")
    if vendor.state(silent.order_no) == "waiting":
        vendor.pay(silent.order_no)
    row = await shop.db.read(find, silent.order_no)
    assert row is not None
    await Settling(shop).look(row)
    with suppress(OrderAlreadyPaid):
        await orders.cancel(USER, silent.order_no)
    await _until(orders, silent, lambda order: order.fulfilled_at is not None)


async def _order(orders: Orders, key: str) -> Order:
    """With an Idempotency-Key, as a client that asks again until it is answered."""
    while True:
        try:
            return (
                await orders.create(USER, "points-100", "till", CALLER, idempotency_key=key.replace(" ", "-"))
            ).order
        except KeyInUse:
            await asyncio.sleep(0.05)


async def _until(orders: Orders, order: Order, done: Callable[[Order], bool]) -> None:
    async def look() -> bool:
        return done(await orders.get(USER, order.order_no))

    await until(look)


def main(database_url: str, store_url: str, books: str) -> int:
    """Let shoppers live one after the other until one is not killed; returns how many were."""
    deaths = 0
    while True:
        child = os.fork()
        if child == 0:
            _live_and_leave(database_url, store_url, books, deaths)
        _, status = os.waitpid(child, 0)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            return deaths if status == 0 else sys.exit("a shopper failed")
        deaths += 1


def _live_and_leave(database_url: str, store_url: str, books: str, number: int) -> None:
    try:
        asyncio.run(live(database_url, store_url, books, number))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    sys.stdout.write(f"{main(*sys.argv[1:])}\n")
