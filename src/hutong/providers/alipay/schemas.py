"""What Alipay's answers say of trades and refunds, in the port's words. Source: Alipay OpenAPI, trade query, refund query."""

from hutong.kernel.orders.errors import ChannelUnavailable
from hutong.kernel.orders.ports import Money, Payment, PaymentFound, PaymentState, RefundFound, RefundState
from hutong.providers.alipay import moments
from hutong.providers.alipay.amounts import AmountMalformed, fen_of
from hutong.providers.alipay.gateway import Reply

CURRENCY = "CNY"
LONGEST_ID = 64
WAITING, SUCCESS, FINISHED, CLOSED = "WAIT_BUYER_PAY", "TRADE_SUCCESS", "TRADE_FINISHED", "TRADE_CLOSED"
PAID = frozenset({SUCCESS, FINISHED})


def payment_found(reply: Reply, order_no: str) -> PaymentFound:
    """What a trade query found.

    A closed trade was either never paid, or paid and given back in full: only the latter has a date of payment.

    Raises:
        ChannelUnavailable: it is about another order, or makes no sense.
    """
    _check_same(reply, "out_trade_no", order_no)
    status = reply.text("trade_status")
    if status in PAID or (status == CLOSED and reply.text("send_pay_date")):
        return PaymentFound(PaymentState.PAID, _payment(reply, order_no))
    if status == WAITING:
        return PaymentFound(PaymentState.WAITING)
    if status == CLOSED:
        return PaymentFound(PaymentState.CLOSED)
    raise ChannelUnavailable(f"Alipay names the state {status[:32]!r}, which is none")


def refund_found(reply: Reply, order_no: str, refund_no: str) -> RefundFound:
    """What a refund query found. Without `refund_status` Alipay never had the refund, or it failed: ask for it again.

    Raises:
        ChannelUnavailable: it is about another refund, or makes no sense.
    """
    if reply.text("refund_status") != "REFUND_SUCCESS":
        return RefundFound(RefundState.UNKNOWN, refund_no)
    _check_same(reply, "out_trade_no", order_no)
    _check_same(reply, "out_request_no", refund_no)
    return RefundFound(RefundState.DONE, refund_no, money=Money(_fen(reply, "refund_amount"), CURRENCY))


def _payment(reply: Reply, order_no: str) -> Payment:
    transaction_id = reply.text("trade_no")
    if not 1 <= len(transaction_id) <= LONGEST_ID:
        raise ChannelUnavailable("Alipay names no trade")
    try:
        paid_at = moments.read(reply.text("send_pay_date"))
    except ValueError as error:
        raise ChannelUnavailable(f"Alipay names no date of payment: {error}") from error
    money = Money(_fen(reply, "total_amount"), reply.text("trans_currency") or CURRENCY)
    payer = reply.text("buyer_user_id") or reply.text("buyer_open_id") or None
    return Payment(order_no, transaction_id, money, paid_at, payer)


def _fen(reply: Reply, name: str) -> int:
    try:
        return fen_of(reply.text(name))
    except AmountMalformed as error:
        raise ChannelUnavailable(f"Alipay's {name}: {error}") from error


def _check_same(reply: Reply, name: str, asked: str) -> None:
    if reply.text(name) != asked:
        raise ChannelUnavailable("Alipay answered about another order than it was asked for")
