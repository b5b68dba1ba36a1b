"""Jobs of orders, each idempotent: settling, fulfilling, giving back, and applying reports that came too early."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection

from hutong.kernel.jobs import Again, Job, Retry, Schedule, Task
from hutong.kernel.observability import metrics
from hutong.kernel.observability.logs import logger
from hutong.kernel.orders import fulfilment, notices, repository, rules
from hutong.kernel.orders.errors import ChannelRefused, ChannelUnavailable
from hutong.kernel.orders.ports import PaymentState
from hutong.kernel.orders.refunding import Refunding
from hutong.kernel.orders.repository import OrderRow, Why, task_name
from hutong.kernel.orders.settling import Settling
from hutong.kernel.orders.shop import Shop
from hutong.kernel.orders.tables import OrderStatus
from hutong.kit.errors import HutongError

LASTING = Retry(attempts=1_000_000, first=5.0, longest=300.0)
SWEEP_SECONDS, SWEPT_AT_ONCE, ASKED_AT_ONCE = 10.0, 200, 8
LONGEST_NOTICE_WAIT = 3600.0
_log = logger("orders.tasks")


class OrderTasks:
    """The handlers of one shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop, self._settling, self._refunding = shop, Settling(shop), Refunding(shop)

    def tasks(self) -> Sequence[Task]:
        """All of them, named for the realm."""

        def named(verb: str) -> str:
            return task_name(self._shop.realm, verb)

        return (
            Task(named("sweep"), self.sweep, Retry(attempts=20), timeout=120.0),
            Task(named("reconcile"), self.reconcile, LASTING),
            Task(named("fulfil"), self.fulfil, Retry(attempts=20, first=1.0), on_dead=self._not_fulfilled),
            Task(named("revoke"), self.revoke, Retry(attempts=20, first=1.0)),
            Task(named("refund"), self._refunding.refund, LASTING),
            Task(named("apply_notice"), self.apply_notice, LASTING),
        )

    def schedules(self) -> Sequence[Schedule]:
        """What runs by itself."""
        return (Schedule(task_name(self._shop.realm, "sweep"), every=SWEEP_SECONDS),)

    # -- pending orders --------------------------------------------------------------------------------------------------

    async def sweep(self, job: Job) -> None:
        """Settle pending orders whose time is up, after asking their vendors."""
        for channel in self._shop.channels:
            now = self._shop.clock.now()
            late = await self._shop.db.read(repository.list_overdue, self._shop.realm, channel, now, SWEPT_AT_ONCE)
            for start in range(0, len(late), ASKED_AT_ONCE):
                batch = late[start : start + ASKED_AT_ONCE]
                if not all(await asyncio.gather(*map(self._expired, batch))):
                    break  # a vendor that is away is not asked two hundred times
        await self._measure()

    async def _expired(self, order: OrderRow) -> bool:
        """Returns whether its vendor could say."""
        try:
            await self._settling.expire(order)
        except (ChannelUnavailable, ChannelRefused) as error:
            _log.warning("an order cannot be settled yet", order=order.order_no, error=error.message)
            return False
        return True

    async def _measure(self) -> None:
        oldest = await self._shop.db.read(notices.oldest_waiting, self._shop.realm)
        age = (self._shop.clock.now() - oldest).total_seconds() if oldest else 0.0
        metrics.payment_notice_oldest_seconds.labels(self._shop.realm).set(age)

    async def reconcile(self, job: Job) -> Again | None:
        """Ask the vendor about an order at growing intervals until it has ended, and once more after that."""
        order = await self._shop.db.read(repository.find, str(job.args["order_no"]))
        if order is None or order.status not in rules.UNPAID:
            return None
        if order.status is not OrderStatus.PENDING:
            return await self._last_look(order)
        try:
            left = await self._settle(order)
        except (ChannelUnavailable, ChannelRefused) as error:
            _log.warning("a vendor cannot say whether an order was paid", order=order.order_no, error=error.message)
            left = order
        if left.status is not OrderStatus.PENDING:
            return None
        return Again(rules.until_next_look(left.created_at, left.expires_at, self._shop.clock.now()))

    async def _settle(self, order: OrderRow) -> OrderRow:
        now = self._shop.clock.now()
        if now >= order.expires_at:
            return await self._settling.expire(order)
        if order.pay_way is None and now - order.created_at >= timedelta(seconds=self._shop.settings.unopened_seconds):
            return await self._give_up(order)
        state = await self._settling.look(order)
        if state is PaymentState.CLOSED:
            return await self._settling.end(order, OrderStatus.CANCELLED, Why("channel", "closed at the channel"))
        if state is PaymentState.FAILED:
            return await self._settling.close(order, OrderStatus.FAILED, Why("channel", "failed at the channel"))
        return await self._present(order)

    async def _give_up(self, order: OrderRow) -> OrderRow:
        """The call that should have opened it died: nobody has anything to pay with, unless the vendor says otherwise."""
        if await self._settling.look(order) is PaymentState.PAID:
            return await self._present(order)
        return await self._settling.close(order, OrderStatus.FAILED, Why("job", "never opened"))

    async def _present(self, order: OrderRow) -> OrderRow:
        return await self._shop.db.read(repository.find, order.order_no) or order

    async def _last_look(self, order: OrderRow) -> Again | None:
        """Money may have come although the vendor had said that the order is closed."""
        left = (rules.last_look_at(order.moved_at, order.expires_at) - self._shop.clock.now()).total_seconds()
        if left > 0:
            return Again(left)
        try:
            settled = await self._settling.look_again(order)
        except HutongError as error:
            _log.warning(
                "a vendor cannot say whether an ended order was paid", order=order.order_no, error=error.message
            )
            settled = False
        return None if settled else Again(rules.LATEST_PAYMENT)

    # -- what follows a payment ------------------------------------------------------------------------------------------

    async def fulfil(self, job: Job) -> None:
        """Hand over what a paid order is for, once."""
        shop = self._shop
        await shop.db.write(fulfilment.fulfil, shop.office, str(job.args["order_no"]), shop.on_fulfilled)

    def _not_fulfilled(self, conn: Connection, job: Job, error: str) -> None:
        fulfilment.put_up_for_review(conn, self._shop.office, str(job.args["order_no"]))

    async def revoke(self, job: Job) -> None:
        """Take back what a fully refunded order had granted, where its product says so."""
        await self._shop.db.write(fulfilment.revoke, self._shop.office, str(job.args["order_no"]))

    async def apply_notice(self, job: Job) -> Again | None:
        """Apply a vendor's report that came before what it tells of."""
        shop = self._shop
        received = await shop.db.write(
            notices.retry, shop.office, shop.inbox, int(job.args["notice"]), shop.settings.notice_seconds
        )
        if received is None:
            return None
        age = (shop.clock.now() - received).total_seconds()
        return Again(min(max(age, notices.FIRST_RETRY.total_seconds()), LONGEST_NOTICE_WAIT))
