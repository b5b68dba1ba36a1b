"""WeChat Pay's error codes of both APIs, by what to do about them.

Source: the vendor's error tables (APIv3: JSAPI, native, refunds; v2: unifiedorder, closeorder, refund). Messages change; only
codes are matched.
"""

from collections.abc import Mapping
from enum import StrEnum

from hutong.kernel.observability.logs import logger
from hutong.kernel.orders.errors import ChannelRefused, ChannelUnavailable
from hutong.kit.errors import HutongError

_log = logger("providers.wechat.pay")


class Meaning(StrEnum):
    """What a code says."""

    AGAIN = "again"  # nothing is known; the same call may be made again
    ACCOUNT = "account"  # our account, key or clock is not right: nothing was done, somebody must look
    POOR = "poor"  # the merchant's balance does not suffice at present
    PAID = "paid"
    CLOSED = "closed"
    MISSING = "missing"  # there is no such order or refund
    PAYING = "paying"  # the customer is at it
    LOST = "lost"  # this refund cannot reach the customer
    REFUSED = "refused"


MEANINGS: Mapping[str, Meaning] = {
    **dict.fromkeys(
        (
            *("SYSTEM_ERROR", "SYSTEMERROR", "BANK_ERROR", "BANKERROR", "BIZERR_NEED_RETRY", "ERROR"),
            *("RATELIMITED", "RATELIMIT_EXCEEDED", "FREQUENCY_LIMITED", "FREQUENCY_LIMIT_EXCEED"),
        ),
        Meaning.AGAIN,
    ),
    **dict.fromkeys(
        (
            *("SIGN_ERROR", "SIGNERROR", "NO_AUTH", "NOAUTH", "MCH_NOT_EXISTS", "MCHID_NOT_EXIST", "CERT_ERROR"),
            *("APPID_NOT_EXIST", "APPID_MCHID_NOT_MATCH", "ACCOUNT_ERROR", "ACCOUNTERROR", "RULE_LIMIT"),
        ),
        Meaning.ACCOUNT,
    ),
    **dict.fromkeys(("NOT_ENOUGH", "NOTENOUGH"), Meaning.POOR),
    **dict.fromkeys(("ORDERPAID", "ORDER_PAID"), Meaning.PAID),
    **dict.fromkeys(("ORDER_CLOSED", "ORDERCLOSED", "ORDER_REVERSED", "ORDERREVERSED"), Meaning.CLOSED),
    **dict.fromkeys(("ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS", "REFUNDNOTEXIST"), Meaning.MISSING),
    "USERPAYING": Meaning.PAYING,
    **dict.fromkeys(("USER_ACCOUNT_ABNORMAL", "TRADE_OVERDUE"), Meaning.LOST),
}
PAUSES: Mapping[Meaning, float] = {Meaning.AGAIN: 5.0, Meaning.PAYING: 5.0, Meaning.ACCOUNT: 60.0, Meaning.POOR: 600.0}
"""Seconds after which another try makes sense."""


class CallRefused(Exception):
    """WeChat Pay said no, with a code."""

    def __init__(self, call: str, status: int, code: str) -> None:
        super().__init__(f"{call}: {status} {code}")
        self.call = call
        self.status = status
        self.code = code

    @property
    def meaning(self) -> Meaning:
        """What it says; a code that nobody knows is judged by the status."""
        known = MEANINGS.get(self.code)
        if known is not None:
            return known
        if self.status == 429 or self.status >= 500:
            return Meaning.AGAIN
        return Meaning.ACCOUNT if self.status == 401 else Meaning.REFUSED


def failure_of(refused: CallRefused) -> HutongError:
    """The port's error for a call that was not carried out."""
    meaning = refused.meaning
    message = f"WeChat Pay refused to {refused.call}: {refused.code or refused.status}"
    if meaning in {Meaning.ACCOUNT, Meaning.POOR}:
        _log.error("wechat pay needs an operator", call=refused.call, status=refused.status, code=refused.code)
    if meaning in PAUSES:
        return ChannelUnavailable(message, retry_after=PAUSES[meaning])
    return ChannelRefused(message, details={"channel_code": refused.code})
