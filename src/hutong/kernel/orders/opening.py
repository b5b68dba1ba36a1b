"""Making an order: the row is committed, then the vendor is told, then what it answered is kept.

The vendor knows no order that the database does not: a report of a payment finds its order however early it comes.
Source: reference/identity_orders.md §5.2, O01 to O03, O11.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from hutong.kernel.http import idempotency
from hutong.kernel.http.idempotency import Claim, KeyReused, Replay
from hutong.kernel.identity.clients import Client
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.orders import repository, rules
from hutong.kernel.orders.catalogue import Product
from hutong.kernel.orders.errors import ChannelRefused, CurrencyNotTaken, OrderNotPayable, QuantityRefused
from hutong.kernel.orders.ports import Charge, Money, PayParameters
from hutong.kernel.orders.repository import OrderRow, Why
from hutong.kernel.orders.shop import Shop
from hutong.kernel.orders.tables import OrderStatus
from hutong.kernel.orders.views import Created
from hutong.kit.text import shorten

FIRST_LOOK = timedelta(seconds=rules.SOONEST)
DESCRIPTION, ADDRESS = 127, 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user asks for; see `Orders.create`."""

    user_id: int
    product_id: str
    channel: str
    client: Client
    quantity: int
    payer: str | None

    @property
    def body(self) -> dict[str, Any]:
        """What makes two requests the same."""
        return {
            "product_id": self.product_id,
            "channel": self.channel,
            "quantity": self.quantity,
            "payer": self.payer,
        }

    def is_for(self, order: OrderRow) -> bool:
        """Whether an order is what is asked for here."""
        return all(getattr(order, name) == value for name, value in self.body.items())


class Opening:
    """Makes orders of a shop and opens them at their vendors."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def create(self, wanted: Wanted, key: str | None) -> Created:
        """See `Orders.create`."""
        if key is None:
            return await self._create(wanted, None)
        claim = idempotency.make_claim(
            wanted.user_id, f"{self._shop.realm}.order.create", key, wanted.body, self._shop.ids()
        )
        now = self._shop.clock.now()
        replay = await self._shop.db.write(idempotency.begin, claim, now, self._shop.key_lease_seconds)
        if isinstance(replay, Replay):
            return await self._again(replay)
        failpoint("orders.create.claimed")
        try:
            return await self._create(wanted, claim)
        except Exception:  # no answer was given: the key may be used again, and finds the order if there is one
            await self._shop.db.write(idempotency.abandon, claim)
            raise

    async def _again(self, replay: Replay) -> Created:
        """The first answer, whatever has become of the order."""
        order = await self._shop.db.read(repository.find, replay.answer["order_no"])
        assert order is not None
        return _created(order, PayParameters(replay.answer["way"], replay.answer["values"]))

    async def _create(self, wanted: Wanted, claim: Claim | None) -> Created:
        shop = self._shop
        product, money = self._priced(wanted)
        order = await shop.db.write(self._store, wanted, product, money, claim)
        failpoint("orders.create.stored")
        try:
            pay = await shop.channel(order.channel).open(self._charge(order))
        except ChannelRefused as error:
            await shop.db.write(self._refused, order, error)
            raise
        failpoint("orders.create.opened")
        return await shop.db.write(self._opened, order, pay, claim)

    def _priced(self, wanted: Wanted) -> tuple[Product, Money]:
        """The price is the catalogue's; nothing that a client sends has a say in it."""
        product, channel = self._shop.catalogue.get(wanted.product_id), self._shop.channel(wanted.channel)
        if type(wanted.quantity) is not int or not 1 <= wanted.quantity <= product.max_quantity:
            raise QuantityRefused(details={"most": product.max_quantity})
        if product.money.currency not in channel.currencies:
            raise CurrencyNotTaken(details={"currency": product.money.currency})
        return product, Money(product.money.amount * wanted.quantity, product.money.currency)

    def _store(self, conn: Connection, wanted: Wanted, product: Product, money: Money, claim: Claim | None) -> OrderRow:
        """A new order, or the one that an earlier request of this key left behind when it died.

        Raises:
            KeyReused: that one was for something else; its claim went with the failure of that request.
            OrderNotPayable: that one has ended meanwhile.
        """
        values = self._values(wanted, product, money, claim)
        if repository.create(conn, values, Why("user", "created")):
            order = repository.find(conn, values["order_no"])
            assert order is not None
            self._shop.office.enqueue(conn, order, "reconcile", run_at=values["created_at"] + FIRST_LOOK)
            return order
        assert claim is not None, "two orders got the same number"
        order = repository.find_by_request(conn, self._shop.realm, wanted.user_id, claim.key_hash)
        assert order is not None, "two orders got the same number"
        if not wanted.is_for(order):
            raise KeyReused
        if rules.shown(order.status, order.expires_at, values["created_at"]) is not OrderStatus.PENDING:
            raise OrderNotPayable
        return order

    def _values(self, wanted: Wanted, product: Product, money: Money, claim: Claim | None) -> dict[str, Any]:
        now = self._shop.clock.now()
        return {
            "id": self._shop.ids(),
            "realm": self._shop.realm,
            "order_no": repository.fresh_number(now),
            "user_id": wanted.user_id,
            "product_id": product.id,
            "names": product.names,
            "description": _description(product, wanted),
            "quantity": wanted.quantity,
            "amount": money.amount,
            "currency": money.currency,
            "grants": product.grants.model_dump(),
            "channel": wanted.channel,
            "request_key": claim.key_hash if claim else None,
            "client_address": wanted.client.address[:ADDRESS],
            "payer": wanted.payer,
            "created_at": now,
            "expires_at": rules.due_at(now, self._shop.settings.expiry_seconds),
            "moved_at": now,
        }

    def _charge(self, order: OrderRow) -> Charge:
        """The same for an order each time: vendors refuse one that changes."""
        return Charge(
            order_no=order.order_no,
            money=Money(order.amount, order.currency),
            description=order.description,
            expires_at=order.expires_at,
            notify_url=self._shop.notify_url(order.channel),
            address=order.client_address,
            payer=order.payer,
        )

    def _opened(self, conn: Connection, order: OrderRow, pay: PayParameters, claim: Claim | None) -> Created:
        """Keep what the client needs to pay; it may have been paid by now, or called off.

        Raises:
            OrderNotPayable: it ended while the vendor was told; it is asked about once more.
        """
        present = repository.lock(conn, order.order_no)
        assert present is not None
        if present.status in rules.OVER:
            raise OrderNotPayable
        way, values = pay.way, dict(pay.values)
        kept = {"pay_way": way, "pay_values": values}
        present = repository.move(conn, present, present.status, Why("user", "opened"), self._shop.clock.now(), kept)
        if claim is not None:
            answer = {"order_no": order.order_no, "way": way, "values": values}
            idempotency.complete(conn, claim, 200, answer)
        return _created(present, pay)

    def _refused(self, conn: Connection, order: OrderRow, error: ChannelRefused) -> None:
        """The vendor said no for good: the order has failed, and its key makes another one."""
        present = repository.lock(conn, order.order_no)
        if present is not None and present.status is OrderStatus.PENDING and present.pay_way is None:
            why = Why("channel", shorten(f"refused: {error.message}", 64))
            now = self._shop.clock.now()
            moved = repository.move(conn, present, OrderStatus.FAILED, why, now, {"request_key": None})
            self._shop.office.enqueue(conn, moved, "reconcile", run_at=now)


def _created(order: OrderRow, pay: PayParameters) -> Created:
    """An order as it was when it was made: the same for each request with its key."""
    return Created(repository.as_created(order, pay), pay)


def _description(product: Product, wanted: Wanted) -> str:
    name = product.names[wanted.client.language]
    return shorten(name if wanted.quantity == 1 else f"{name} × {wanted.quantity}", DESCRIPTION)
