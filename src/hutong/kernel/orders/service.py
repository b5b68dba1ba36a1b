"""Use cases of orders, as apps call them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from hutong.kernel.identity.clients import Client
from hutong.kernel.jobs import Schedule, Task
from hutong.kernel.observability import metrics
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.observability.logs import logger
from hutong.kernel.orders import notices, refunds, repository, rules
from hutong.kernel.orders.errors import (
    NoticeRefused,
    OrderAlreadyPaid,
    OrderExpired,
    OrderNotCancellable,
    OrderUnknown,
)
from hutong.kernel.orders.opening import Opening, Wanted
from hutong.kernel.orders.payments import Applied
from hutong.kernel.orders.ports import Acknowledgement, Money, Notice, PaymentChannel
from hutong.kernel.orders.refunds import Wish
from hutong.kernel.orders.repository import OrderRow, Why
from hutong.kernel.orders.settling import Settling
from hutong.kernel.orders.shop import Shop
from hutong.kernel.orders.tables import OrderStatus
from hutong.kernel.orders.tasks import OrderTasks
from hutong.kernel.orders.views import Created, Order, Received, RefundView
from hutong.kit.errors import Unavailable
from hutong.kit.paging import Page, PageRequest

UNKNOWN_YET = "what this is about is not known here yet"
PROBE = "probe"
"""The reason in the details of a refusal when a vendor only tried whether bad signatures are noticed: nothing to warn of."""
_log = logger("orders")


@dataclass(frozen=True)
class OrdersWork:
    """What orders do outside requests; goes into the app's `Work`. Their promises are the kernel's, the host checks them."""

    tasks: Sequence[Task]
    schedules: Sequence[Schedule]


class Orders:
    """The orders of one realm.

    Args:
        shop: what they are made of.
    """

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._opening, self._settling, self._tasks = Opening(shop), Settling(shop), OrderTasks(shop)

    async def create(
        self,
        user_id: int,
        product_id: str,
        channel: str,
        client: Client,
        *,
        idempotency_key: str | None = None,
        quantity: int = 1,
        payer: str | None = None,
    ) -> Created:
        """Order a product, and make the payment known to the vendor. The price is the catalogue's.

        Args:
            user_id: the buyer.
            product_id: as in the catalogue.
            channel: name of a payment channel.
            client: where the call comes from; its language is the one of the description that the vendor shows.
            idempotency_key: the header's value; the same key and request again gives the first answer.
            quantity: pieces.
            payer: the buyer's id at the vendor (openid), where the way of paying needs one.

        Raises:
            ProductUnknown, ChannelUnknown, CurrencyNotTaken, QuantityRefused: nothing was stored.
            KeyMalformed, KeyInUse, KeyReused: of the Idempotency-Key.
            OrderNotPayable: the order of this Idempotency-Key was never opened at the vendor and has ended.
            ChannelUnavailable: the order is pending and can be retried with the same key; without one it is closed later.
            ChannelRefused: the vendor does not take it; the order is failed.
        """
        wanted = Wanted(user_id, product_id, channel, client, quantity, payer)
        return await self._opening.create(wanted, idempotency_key)

    async def get(self, user_id: int, order_no: str) -> Order:
        """The user's own order.

        Raises:
            OrderUnknown: there is none, or it is somebody else's.
        """
        return repository.view(await self._own(user_id, order_no), self._shop.clock.now())

    async def list(self, user_id: int, page: PageRequest, status: OrderStatus | None = None) -> Page[Order]:
        """The user's own orders, newest first; of one status if that is given, as `Order.status` shows it."""
        shop, now = self._shop, self._shop.clock.now()
        found = await shop.db.read(repository.list_own, shop.realm, user_id, page, status, now)
        return found.map(lambda row: repository.view(row, now))

    async def cancel(self, user_id: int, order_no: str) -> Order:
        """Call an order off: it is closed at the vendor first. One that is cancelled already stays so.

        Raises:
            OrderUnknown: there is none, or it is somebody else's.
            OrderExpired: its time was up.
            OrderNotCancellable: it was paid (`OrderAlreadyPaid`), also when the vendor says so only now, or it has failed.
            ChannelUnavailable: the vendor cannot say; the order stays as it is.
            ChannelRefused: the vendor does not close it; the order stays as it is.
        """
        order = await self._own(user_id, order_no)
        if self._shown(order) is OrderStatus.PENDING:
            order = await self._settling.close(order, OrderStatus.CANCELLED, Why("user", "cancelled"))
        self._check_cancelled(order)
        return repository.view(order, self._shop.clock.now())

    def _check_cancelled(self, order: OrderRow) -> None:
        status = self._shown(order)
        if status is OrderStatus.EXPIRED:
            raise OrderExpired
        if status is OrderStatus.FAILED:
            raise OrderNotCancellable
        if status is not OrderStatus.CANCELLED:
            raise OrderAlreadyPaid

    async def receive(self, channel: str, headers: Mapping[str, str], body: bytes) -> Received:
        """A vendor's report of a payment or a refund: verified, stored once, applied in the same transaction.

        Never raises for what the vendor sent; the answer to give is in the vendor's own form, and says success if and only
        if the report is stored and applied, now or before.

        Args:
            channel: as in the path of the call.
            headers: of the request, names in any case.
            body: its bytes as they came.

        Raises:
            ChannelUnknown: there is no such channel.
        """
        vendor = self._shop.channel(channel)
        try:
            notice = _read(vendor, headers, body)
        except NoticeRefused as error:
            metrics.payment_notices.labels(channel, "refused").inc()
            probe = (error.details or {}).get("reason") == PROBE
            (_log.info if probe else _log.warning)("payment notice refused", channel=channel, reason=error.message)
            return Received(vendor.acknowledge(error.message), verified=False)
        failpoint("orders.notice.verified")
        return Received(await self._taken(vendor, notice, hashlib.sha256(body).hexdigest()), verified=True)

    async def _taken(self, vendor: PaymentChannel, notice: Notice, body_hash: str) -> Acknowledgement:
        shop = self._shop
        try:
            applied = await shop.db.write(notices.take, shop.office, shop.inbox, vendor.name, notice, body_hash)
        except Unavailable as error:  # nothing is stored: the vendor has to send it again
            metrics.payment_notices.labels(vendor.name, "unavailable").inc()
            return vendor.acknowledge(error.message)
        failpoint("orders.notice.applied")
        metrics.payment_notices.labels(vendor.name, applied.value).inc()
        return vendor.acknowledge(UNKNOWN_YET if applied is Applied.UNKNOWN else None)

    async def refund(self, order_no: str, money: Money | None, reason: str, refund_key: str) -> RefundView:
        """Give money back for a paid order, in a job; for operators and policies, never for a user's own request.

        Args:
            order_no: whoever's it is.
            money: how much; None gives back all that is left of the payment.
            reason: shown to the customer, cut to 80 characters.
            refund_key: the same key again gives the refund that it made first.

        Raises:
            OrderUnknown, OrderNotPaid, RefundTooLarge, RefundRefused, RefundKeyReused: nothing changed.
        """
        wish = Wish(money, reason, refund_key, "operator")
        return refunds.view(await self._shop.db.write(self._refund, order_no, wish))

    def _refund(self, conn: Connection, order_no: str, wish: Wish) -> refunds.RefundRow:
        order = repository.lock(conn, order_no)
        if order is None or order.realm != self._shop.realm:
            raise OrderUnknown
        return refunds.request_main(conn, self._shop.office, order, wish)

    async def list_refunds(self, user_id: int, order_no: str) -> Sequence[RefundView]:
        """The refunds of the user's own order, oldest first.

        Raises:
            OrderUnknown.
        """
        order = await self._own(user_id, order_no)
        return [refunds.view(row) for row in await self._shop.db.read(refunds.list_refunds, order.order_no)]

    def work(self) -> OrdersWork:
        """Jobs and schedules."""
        return OrdersWork(self._tasks.tasks(), self._tasks.schedules())

    async def _own(self, user_id: int, order_no: str) -> OrderRow:
        found = await self._shop.db.read(repository.find_own, self._shop.realm, user_id, order_no)
        if found is None:
            raise OrderUnknown
        return found

    def _shown(self, order: OrderRow) -> OrderStatus:
        return rules.shown(order.status, order.expires_at, self._shop.clock.now())


def _read(vendor: PaymentChannel, headers: Mapping[str, str], body: bytes) -> Notice:
    """What a report says, if it is one.

    Raises:
        NoticeRefused.
    """
    notice = vendor.read_notice({name.lower(): value for name, value in headers.items()}, body)
    if not notices.fits(notice):
        raise NoticeRefused
    return notice
