"""Use cases of orders, as apps call them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hutong.kernel.db import Database
from hutong.kernel.identity.clients import Client
from hutong.kernel.jobs import Jobs, Schedule, Task
from hutong.kernel.orders.catalogue import Catalogue
from hutong.kernel.orders.ports import Acknowledgement, Money, PaymentChannel
from hutong.kernel.orders.settings import OrdersSettings
from hutong.kernel.orders.tables import OrderStatus
from hutong.kernel.orders.views import Created, OnFulfilled, Order, RefundView
from hutong.kit.clock import Clock
from hutong.kit.paging import Page, PageRequest


@dataclass(frozen=True)
class Shop:
    """What an app's orders are made of.

    Args:
        realm: of the app and its users; names its jobs, `<realm>.orders.fulfil`.
        db, jobs, ids, clock: the kernel's.
        catalogue: what is on sale.
        channels: where customers pay, by name.
        settings: times and policies.
        notify_url: of a channel's name, where its vendor reports; ends in a call of `Orders.receive`.
        on_fulfilled: the app's own part of handing over.
        key_lease_seconds: after which an Idempotency-Key whose request died may be used again.
    """

    realm: str
    db: Database
    jobs: Jobs
    ids: Callable[[], int]
    clock: Clock
    catalogue: Catalogue
    channels: Mapping[str, PaymentChannel]
    settings: OrdersSettings
    notify_url: Callable[[str], str]
    on_fulfilled: OnFulfilled = lambda conn, order: None
    key_lease_seconds: float = 30.0


@dataclass(frozen=True)
class OrdersWork:
    """What orders do outside requests; goes into the app's `Work`. Their promises are the kernel's, the host checks them."""

    tasks: Sequence[Task] = ()
    schedules: Sequence[Schedule] = field(default=())


class Orders(Protocol):
    """The orders of one realm."""

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
            ChannelUnavailable: the order is pending and can be retried with the same key; without one it expires.
            ChannelRefused: the vendor does not take it; the order is failed.
        """
        ...

    async def get(self, user_id: int, order_no: str) -> Order:
        """The user's own order.

        Raises:
            OrderUnknown: there is none, or it is somebody else's.
        """
        ...

    async def list(self, user_id: int, page: PageRequest, status: OrderStatus | None = None) -> Page[Order]:
        """The user's own orders, newest first; of one status if that is given, as `Order.status` shows it."""
        ...

    async def cancel(self, user_id: int, order_no: str) -> Order:
        """Call an order off: it is closed at the vendor first. One that is cancelled already stays so.

        Raises:
            OrderUnknown: there is none, or it is somebody else's.
            OrderExpired: its time was up.
            OrderNotCancellable: it was paid (`OrderAlreadyPaid`), also when the vendor says so only now, or it has failed.
            ChannelUnavailable: the vendor cannot say; the order stays as it is.
            ChannelRefused: the vendor does not close it; the order stays as it is.
        """
        ...

    async def receive(self, channel: str, headers: Mapping[str, str], body: bytes) -> Acknowledgement:
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
        ...

    async def refund(self, order_no: str, money: Money | None, reason: str, refund_key: str) -> RefundView:
        """Give money back for a paid order, in a job; for operators and policies, never for a user's own request.

        Args:
            order_no: whoever's it is.
            money: how much; None gives back all that is left of the payment.
            reason: shown to the customer, at most 80 characters.
            refund_key: the same key again gives the refund that it made first.

        Raises:
            OrderUnknown, OrderNotPaid, RefundTooLarge, RefundRefused, RefundKeyReused: nothing changed.
        """
        ...

    async def list_refunds(self, user_id: int, order_no: str) -> Sequence[RefundView]:
        """The refunds of the user's own order, oldest first.

        Raises:
            OrderUnknown.
        """
        ...

    def work(self) -> OrdersWork:
        """Jobs and schedules."""
        ...
