"""How the kernel's orders look in this contract."""

from hutong.apps.storefront.orders.schemas import OrderView, PayView, StatusWord
from hutong.kernel.http.languages import Language
from hutong.kernel.orders import Order, OrderStatus, PayParameters
from hutong.kit.clock import iso_z


def word_of(status: OrderStatus) -> StatusWord:
    """The contract's word for a status."""
    return StatusWord[status.name]


def status_of(word: StatusWord) -> OrderStatus:
    """The status behind a word of the contract."""
    return OrderStatus[word.name]


def view(order: Order, language: Language) -> OrderView:
    """The order as its owner sees it."""
    return OrderView(
        order_no=order.order_no,
        status=word_of(order.status),
        product_id=order.product_id,
        name=order.name(language),
        quantity=order.quantity,
        amount=order.money.amount,
        currency=order.money.currency,
        channel=order.channel,
        refunded=order.refunded,
        created_at=iso_z(order.created_at),
        expires_at=iso_z(order.expires_at),
        paid_at=iso_z(order.paid_at) if order.paid_at else None,
        fulfilled_at=iso_z(order.fulfilled_at) if order.fulfilled_at else None,
        pay=_pay(order.pay) if order.pay else None,
    )


def _pay(parameters: PayParameters) -> PayView:
    return PayView(way=parameters.way, values=dict(parameters.values))
