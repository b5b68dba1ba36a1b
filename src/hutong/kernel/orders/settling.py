"""Getting to the truth about one order: ask its vendor, take what it says, close there before anything ends here.

No call of a vendor is made inside a transaction. Source: reference/identity_orders.md §5.2 (expire, cancel).
"""

from sqlalchemy import Connection

from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.observability.logs import logger
from hutong.kernel.orders import payments, repository
from hutong.kernel.orders.errors import ChannelUnavailable
from hutong.kernel.orders.payments import Report
from hutong.kernel.orders.ports import Closing, PaymentFound, PaymentState
from hutong.kernel.orders.repository import OrderRow, Why
from hutong.kernel.orders.rules import OVER, last_look_at, shown
from hutong.kernel.orders.shop import Shop
from hutong.kernel.orders.tables import OrderStatus

_log = logger("orders.settling")


class Settling:
    """Asks vendors about orders of a shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def look(self, order: OrderRow) -> PaymentState:
        """Ask the vendor, and take a payment that it tells of.

        Raises:
            ChannelUnavailable, ChannelRefused: nothing is known.
        """
        found = await self._shop.channel(order.channel).query(order.order_no)
        failpoint("orders.query.answered")
        if found.state is PaymentState.PAID:
            await self._shop.db.write(self._take, order, self._told(order, found))
        return found.state

    async def close(self, order: OrderRow, to: OrderStatus, why: Why) -> OrderRow:
        """Close a pending order at the vendor and then move it; the vendor may say that it was paid instead.

        Returns:
            The order as it stands: moved, paid meanwhile, or moved by somebody else.

        Raises:
            ChannelUnavailable, ChannelRefused: the vendor does not close it now; the order stays as it is.
        """
        closing = await self._shop.channel(order.channel).close(order.order_no)
        failpoint("orders.close.answered")
        if closing is Closing.LATER:
            raise ChannelUnavailable(retry_after=60)
        if closing is Closing.PAID and await self.look(order) is not PaymentState.PAID:
            raise ChannelUnavailable(retry_after=5)
        return await self._shop.db.write(self._end, order, to, why, paid=closing is Closing.PAID)

    async def expire(self, order: OrderRow) -> OrderRow:
        """Settle an order whose time is up: paid, if the vendor says so; else it is closed there, and expires.

        Raises:
            ChannelUnavailable, ChannelRefused: the order stays pending, and is asked about again.
        """
        why = Why("clock", "not paid in time")
        state = await self.look(order)
        if state in {PaymentState.PAID, PaymentState.CLOSED}:
            return await self._shop.db.write(self._end, order, OrderStatus.EXPIRED, why, paid=False)
        return await self.close(order, OrderStatus.EXPIRED, why)

    async def look_again(self, order: OrderRow) -> bool:
        """Ask about an order that has ended, and close what its vendor still keeps open. Returns whether that is settled.

        Raises:
            ChannelUnavailable, ChannelRefused: nothing is known.
        """
        if await self.look(order) is not PaymentState.WAITING:
            return True
        closing = await self._shop.channel(order.channel).close(order.order_no)
        failpoint("orders.close.answered")
        if closing is Closing.PAID:
            return await self.look(order) is PaymentState.PAID
        return closing is Closing.CLOSED

    async def end(self, order: OrderRow, to: OrderStatus, why: Why) -> OrderRow:
        """Move a pending order that the vendor has closed already."""
        return await self._shop.db.write(self._end, order, to, why, paid=False)

    @staticmethod
    def _told(order: OrderRow, found: PaymentFound) -> Report:
        """What was paid, if that is an answer to the question."""
        if found.payment is None or found.payment.order_no != order.order_no:
            _log.error("a vendor answered about another order", order=order.order_no, channel=order.channel)
            raise ChannelUnavailable
        return Report(order.channel, found.payment)

    def _take(self, conn: Connection, order: OrderRow, report: Report) -> None:
        payments.apply(conn, self._shop.office, order.realm, report, self._shop.settings.late_payment)

    def _end(self, conn: Connection, order: OrderRow, to: OrderStatus, why: Why, *, paid: bool) -> OrderRow:
        """One of those who end a pending order wins here; the others find it moved.

        An order whose time is up expires, whoever ends it: its owner may have seen it so.
        """
        present = repository.lock(conn, order.order_no)
        assert present is not None
        if present.status is not OrderStatus.PENDING or paid:
            return present
        assert to in OVER
        now = self._shop.clock.now()
        if to is OrderStatus.CANCELLED and shown(present.status, present.expires_at, now) is OrderStatus.EXPIRED:
            to = OrderStatus.EXPIRED
        values = {"request_key": None} if to is OrderStatus.FAILED else {}
        moved = repository.move(conn, present, to, why, now, values)
        self._shop.office.enqueue(conn, moved, "reconcile", run_at=last_look_at(moved.moved_at, moved.expires_at))
        return moved
