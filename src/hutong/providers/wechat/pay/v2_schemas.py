"""Fields of the older API, read into the port's types; what does not look as it should is `Malformed`.

Source: WeChat Pay v2, orderquery, refundquery, payment and refund notices; reference/album.md §3.1.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from hutong.kernel.orders.ports import Money, Payment, PaymentFound, PaymentState, RefundFound, RefundState
from hutong.kit.text import is_clean
from hutong.providers.wechat.pay.schemas import CHINA, CURRENCY, LARGEST_SUM, STATES, Malformed

STAMP = "%Y%m%d%H%M%S"
REFUND_STATES: Mapping[str, RefundState] = {
    "SUCCESS": RefundState.DONE,
    "PROCESSING": RefundState.PROCESSING,
    "REFUNDCLOSE": RefundState.FAILED,
    "CHANGE": RefundState.FAILED,
}


def text(fields: Mapping[str, str], name: str, longest: int = 128) -> str:
    """A field that is there and can be stored.

    Raises:
        Malformed.
    """
    value = fields.get(name, "")
    if not 1 <= len(value) <= longest or not is_clean(value):
        raise Malformed(f"{name} is no text")
    return value


def money_of(fields: Mapping[str, str], name: str, currency_name: str) -> Money:
    """A sum in fen.

    Raises:
        Malformed.
    """
    value = text(fields, name, 13)
    if not (value.isascii() and value.isdigit()) or int(value) > LARGEST_SUM:
        raise Malformed(f"{name} is no sum")
    return Money(int(value), fields.get(currency_name) or CURRENCY)


def stamp(moment: datetime) -> str:
    """A moment as the older API writes it: China's time, no zone."""
    return moment.astimezone(CHINA).strftime(STAMP)


def payment_of(fields: Mapping[str, str]) -> Payment:
    """A payment, out of a query's answer or a notice.

    Raises:
        Malformed.
    """
    try:
        paid_at = datetime.strptime(text(fields, "time_end", 14), STAMP).replace(tzinfo=CHINA).astimezone(UTC)
    except ValueError:
        raise Malformed("time_end is no moment") from None
    return Payment(
        order_no=text(fields, "out_trade_no", 32),
        transaction_id=text(fields, "transaction_id", 64),
        money=money_of(fields, "total_fee", "fee_type"),
        paid_at=paid_at,
        payer=fields.get("openid") or None,
    )


def payment_found(fields: Mapping[str, str]) -> PaymentFound:
    """What a query's answer says.

    Raises:
        Malformed.
    """
    state = STATES.get(text(fields, "trade_state"))
    if state is None:
        raise Malformed("trade_state is unknown")
    return PaymentFound(state, payment_of(fields) if state is PaymentState.PAID else None)


def refund_found(fields: Mapping[str, str], end: str = "") -> RefundFound:
    """What a refund's notice, or (with `end="_0"`) a query's answer says.

    Raises:
        Malformed.
    """
    word = text(fields, f"refund_status{end}")
    state = REFUND_STATES.get(word)
    if state is None:
        raise Malformed("refund_status is unknown")
    return RefundFound(
        state=state,
        refund_no=text(fields, f"out_refund_no{end}", 64),
        channel_refund_id=text(fields, f"refund_id{end}", 64),
        money=money_of(fields, f"refund_fee{end}", "refund_fee_type"),
        reason=word if state is RefundState.FAILED else None,
    )
