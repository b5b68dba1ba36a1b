"""Bodies of APIv3, read into the port's types; what does not look as it should is `Malformed`.

Source: WeChat Pay APIv3, query by out_trade_no, refunds, payment and refund notices; reference/album.md §3.2.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson

from hutong.kernel.orders.ports import Money, Payment, PaymentFound, PaymentState, RefundFound, RefundState
from hutong.kit.text import is_clean

CHINA = timezone(timedelta(hours=8))
CURRENCY = "CNY"
LARGEST_SUM = 10**12
STATES: Mapping[str, PaymentState] = {
    "SUCCESS": PaymentState.PAID,
    "REFUND": PaymentState.PAID,
    "NOTPAY": PaymentState.WAITING,
    "USERPAYING": PaymentState.WAITING,
    "ACCEPT": PaymentState.WAITING,
    "CLOSED": PaymentState.CLOSED,
    "REVOKED": PaymentState.CLOSED,
    "PAYERROR": PaymentState.FAILED,
}
REFUND_STATES: Mapping[str, RefundState] = {
    "SUCCESS": RefundState.DONE,
    "PROCESSING": RefundState.PROCESSING,
    "CLOSED": RefundState.FAILED,
    "ABNORMAL": RefundState.FAILED,
}


class Malformed(ValueError):
    """A body lacks something, or says something impossible."""


def object_of(body: bytes) -> Mapping[str, Any]:
    """A JSON object.

    Raises:
        Malformed.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Malformed("no JSON") from None
    if not isinstance(found, dict):
        raise Malformed("no object")
    return found


def text(content: Mapping[str, Any], name: str, longest: int = 256) -> str:
    """A string that is there and can be stored.

    Raises:
        Malformed.
    """
    value = content.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not is_clean(value):
        raise Malformed(f"{name} is no text")
    return value


def part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside.

    Raises:
        Malformed.
    """
    value = content.get(name)
    if not isinstance(value, dict):
        raise Malformed(f"{name} is no object")
    return value


def money_of(amount: Mapping[str, Any], name: str) -> Money:
    """A sum in fen; notices of refunds name no currency, for there is one only.

    Raises:
        Malformed.
    """
    value, currency = amount.get(name), amount.get("currency", CURRENCY)
    if type(value) is not int or not 0 <= value <= LARGEST_SUM or not isinstance(currency, str):
        raise Malformed(f"{name} is no sum")
    return Money(value, currency)


def moment_of(content: Mapping[str, Any], name: str) -> datetime:
    """A moment in RFC 3339, in UTC.

    Raises:
        Malformed.
    """
    try:
        found = datetime.fromisoformat(text(content, name, 40))
    except ValueError:
        raise Malformed(f"{name} is no moment") from None
    if found.tzinfo is None:
        raise Malformed(f"{name} has no zone")
    return found.astimezone(UTC)


def payment_found(content: Mapping[str, Any]) -> PaymentFound:
    """What a transaction (an answer to a query, or inside a notice) says.

    Raises:
        Malformed.
    """
    state = STATES.get(text(content, "trade_state"))
    if state is None:
        raise Malformed("trade_state is unknown")
    if state is not PaymentState.PAID:
        return PaymentFound(state)
    payer = content.get("payer")
    paid = Payment(
        order_no=text(content, "out_trade_no", 32),
        transaction_id=text(content, "transaction_id", 64),
        money=money_of(part(content, "amount"), "total"),
        paid_at=moment_of(content, "success_time"),
        payer=text(payer, "openid", 128) if isinstance(payer, dict) and payer.get("openid") else None,
    )
    return PaymentFound(state, paid)


def refund_found(content: Mapping[str, Any], state_name: str) -> RefundFound:
    """What a refund says; its state is called `status` in answers and `refund_status` in notices.

    Raises:
        Malformed.
    """
    word = text(content, state_name)
    state = REFUND_STATES.get(word)
    if state is None:
        raise Malformed(f"{state_name} is unknown")
    return RefundFound(
        state=state,
        refund_no=text(content, "out_refund_no", 64),
        channel_refund_id=text(content, "refund_id", 64),
        money=money_of(part(content, "amount"), "refund"),
        reason=word if state is RefundState.FAILED else None,
    )


def expiry(moment: datetime) -> str:
    """A moment as `time_expire` wants it: RFC 3339 to the second, in China's zone."""
    return moment.astimezone(CHINA).isoformat(timespec="seconds")
