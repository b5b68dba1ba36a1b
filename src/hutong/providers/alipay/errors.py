"""Alipay's codes by what to do about them, in one table. Source: Alipay OpenAPI, common codes and those of each method.

Messages are for people and change; only codes are matched. `AQC.` is the vendor's own misspelling.
"""

from collections.abc import Mapping
from enum import StrEnum

from hutong.kernel.orders.errors import ChannelRefused, ChannelUnavailable

OK = "10000"
UNAVAILABLE_SECONDS = 5.0


class Meaning(StrEnum):
    """What an answer's codes come to."""

    DONE = "done"
    MISSING = "missing"  # there is no such trade (a page payment is one only when the customer has opened it)
    PAID = "paid"
    CLOSED = "closed"
    OTHER_STATE = "other state"  # the trade's state forbids it; a query tells which it is
    BUSY = "busy"  # nothing is known, ask again
    REFUSED = "refused"


SUB_CODES: Mapping[str, Meaning] = {
    "ACQ.TRADE_NOT_EXIST": Meaning.MISSING,
    "ACQ.TRADE_HAS_SUCCESS": Meaning.PAID,
    "ACQ.TRADE_HAS_FINISHED": Meaning.PAID,
    "ACQ.TRADE_HAS_CLOSE": Meaning.CLOSED,
    "ACQ.TRADE_STATUS_ERROR": Meaning.OTHER_STATE,
    "ACQ.REASON_ILLEGAL_STATUS": Meaning.OTHER_STATE,
    "ACQ.REASON_TRADE_STATUS_INVALID": Meaning.OTHER_STATE,
    "ACQ.SYSTEM_ERROR": Meaning.BUSY,
    "AQC.SYSTEM_ERROR": Meaning.BUSY,
    "SYSTEM_ERROR": Meaning.BUSY,
    "ACQ.REQUEST_TOO_FREQUENT": Meaning.BUSY,
    "isp.unknow-error": Meaning.BUSY,
    "aop.unknow-error": Meaning.BUSY,
    "isv.app-call-limited": Meaning.BUSY,
    "isv.method-call-limited": Meaning.BUSY,
}
CODES: Mapping[str, Meaning] = {
    OK: Meaning.DONE,
    "20000": Meaning.BUSY,  # the service is not available
    "40005": Meaning.BUSY,  # too many calls
}


def meaning_of(code: str, sub_code: str) -> Meaning:
    """What the two codes of an answer come to; unknown ones are refusals."""
    return CODES.get(code) or SUB_CODES.get(sub_code, Meaning.REFUSED)


def failure_of(code: str, sub_code: str) -> ChannelUnavailable | ChannelRefused:
    """The error for an answer that is not what the caller hoped for."""
    said = f"Alipay answered {code or 'without a code'} {sub_code}".rstrip() + "."
    if meaning_of(code, sub_code) is Meaning.BUSY:
        return ChannelUnavailable(said, retry_after=UNAVAILABLE_SECONDS)
    return ChannelRefused(said)
