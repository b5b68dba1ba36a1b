"""What can go wrong with orders and payments."""

from hutong.kit.errors import Conflict, InvalidInput, NotFound, Unavailable, Unprocessable, UpstreamFailed


class OrderUnknown(NotFound):
    """There is no such order."""

    code = "orders.unknown"


class ProductUnknown(NotFound):
    """There is no such product on sale."""

    code = "orders.product_unknown"


class ChannelUnknown(Unprocessable):
    """This way of paying is not offered."""

    code = "orders.channel_unknown"


class CurrencyNotTaken(Unprocessable):
    """This way of paying does not take the product's currency; choose another one."""

    code = "orders.currency_not_taken"


class QuantityRefused(Unprocessable):
    """This product is not sold in that quantity."""

    code = "orders.quantity_refused"


class OrderNotCancellable(Conflict):
    """This order cannot be cancelled any more."""

    code = "orders.not_cancellable"


class OrderAlreadyPaid(OrderNotCancellable):
    """This order is paid already."""

    code = "orders.already_paid"


class OrderExpired(Conflict):
    """This order was not paid in time; make a new one."""

    code = "orders.expired"


class OrderNotPayable(Conflict):
    """This order cannot be paid any more; make a new one."""

    code = "orders.not_payable"


class OrderNotPaid(Conflict):
    """Nothing was paid for this order, so nothing can be given back."""

    code = "orders.not_paid"


class RefundTooLarge(Conflict):
    """That is more than what is left of the payment."""

    code = "orders.refund_too_large"


class RefundRefused(Unprocessable):
    """A refund needs a positive amount in the currency of the payment, and a key of 1 to 128 characters."""

    code = "orders.refund_refused"


class RefundKeyReused(Unprocessable):
    """This refund key was used for another amount; take a new key."""

    code = "orders.refund_key_reused"


class RefundUnknown(NotFound):
    """There is no such refund."""

    code = "orders.refund_unknown"


class ChannelUnavailable(Unavailable):
    """The payment channel does not answer at present; try again shortly."""

    code = "orders.channel_unavailable"


class ChannelRefused(UpstreamFailed):
    """The payment channel refused the request."""

    code = "orders.channel_refused"


class NoticeRefused(InvalidInput):
    """This payment notice cannot be verified."""

    code = "orders.notice_refused"
