"""Alipay's codes by what to do about them, in one table. Source: Alipay OpenAPI, common codes and those of each method.

Messages are for people and change; only codes are matched. `AQC.` is the vendor's own misspelling.
"""

from collections.abc import Mapping
from enum import StrEnum

from hutong.kernel.observability.logs import logger
from hutong.kernel.orders.errors import ChannelRefused, ChannelUnavailable

_log = logger("providers.alipay")


class Meaning(StrEnum):
    """What an answer's codes come to."""

    DONE = "done"
    MISSING = "missing"  # there is no such trade (a page payment is one only when the customer has opened it)
    PAID = "paid"
    CLOSED = "closed"
    OTHER_STATE = "other state"  # the trade's state forbids it; a query tells which it is
    AGAIN = "again"  # nothing is known; the same call may be made again
    ACCOUNT = "account"  # our application, key or contract is not right: nothing was done, somebody must look
    POOR = "poor"  # the merchant's balance does not suffice at present, or the trade is frozen
    LOST = "lost"  # this refund cannot reach the customer
    REFUSED = "refused"


SUB_CODES: Mapping[str, Meaning] = {
    "ACQ.TRADE_NOT_EXIST": Meaning.MISSING,
    "ACQ.TRADE_HAS_SUCCESS": Meaning.PAID,
    "ACQ.TRADE_HAS_FINISHED": Meaning.PAID,
    "ACQ.TRADE_HAS_CLOSE": Meaning.CLOSED,
    **dict.fromkeys(
        ("ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_ILLEGAL_STATUS", "ACQ.REASON_TRADE_STATUS_INVALID"), Meaning.OTHER_STATE
    ),
    **dict.fromkeys(
        (
            *("ACQ.SYSTEM_ERROR", "AQC.SYSTEM_ERROR", "SYSTEM_ERROR", "ACQ.REQUEST_TOO_FREQUENT"),
            *("isp.unknow-error", "aop.unknow-error", "isv.app-call-limited", "isv.method-call-limited"),
        ),
        Meaning.AGAIN,
    ),
    **dict.fromkeys(("ACQ.ACCESS_FORBIDDEN", "ACQ.PARTNER_ERROR"), Meaning.ACCOUNT),
    **dict.fromkeys(("ACQ.SELLER_BALANCE_NOT_ENOUGH", "ACQ.REASON_TRADE_BEEN_FREEZEN"), Meaning.POOR),
    **dict.fromkeys(("ACQ.TRADE_NOT_ALLOW_REFUND", "ACQ.BUYER_NOT_EXIST"), Meaning.LOST),
    "isv.invalid-parameter": Meaning.REFUSED,
}
CODES: Mapping[str, Meaning] = {
    "10000": Meaning.DONE,
    "20000": Meaning.AGAIN,  # the service is not available
    "20001": Meaning.ACCOUNT,  # an authorisation is missing or over
    "40005": Meaning.AGAIN,  # too many calls
    "40006": Meaning.ACCOUNT,  # the contract does not cover it
}
PAUSES: Mapping[Meaning, float] = {Meaning.AGAIN: 5.0, Meaning.ACCOUNT: 60.0, Meaning.POOR: 600.0}
"""Seconds after which another try makes sense."""


def meaning_of(code: str, sub_code: str) -> Meaning:
    """What the two codes of an answer come to; unknown ones are refusals, unknown ones of the gateway our account's."""
    found = CODES.get(code) or SUB_CODES.get(sub_code)
    if found is not None:
        return found
    return Meaning.ACCOUNT if sub_code.startswith("isv.") else Meaning.REFUSED


def failure_of(call: str, code: str, sub_code: str) -> ChannelUnavailable | ChannelRefused:
    """The port's error for an answer that says no."""
    meaning = meaning_of(code, sub_code)
    message = f"Alipay refused {call}: {sub_code or code or 'no code'}"
    if meaning in {Meaning.ACCOUNT, Meaning.POOR}:
        _log.error("alipay needs an operator", call=call, code=code, sub_code=sub_code)
    if meaning in PAUSES:
        return ChannelUnavailable(message, retry_after=PAUSES[meaning])
    return ChannelRefused(message, details={"channel_code": sub_code or code})
