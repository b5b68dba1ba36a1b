"""Alipay's reports: forms posted to `notify_url`, signed over all fields but `sign` and `sign_type`.

Alipay signs no nonce, and repeats a report for a day under one `notify_id`: a replay within that day is verified again and
changes nothing, because the id is known and the state has moved. Source: Alipay OpenAPI, asynchronous notices.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import unquote_to_bytes

from hutong.kernel.observability import metrics
from hutong.kernel.orders.errors import NoticeRefused
from hutong.kernel.orders.ports import Acknowledgement, Money, Notice, Payment, RefundFound, RefundState
from hutong.kit.text import is_clean, is_printable
from hutong.providers.alipay import moments
from hutong.providers.alipay.account import Account
from hutong.providers.alipay.amounts import AmountMalformed, fen_of
from hutong.providers.alipay.schemas import CURRENCY, LONGEST_ID, PAID
from hutong.providers.alipay.signing import SIGN_TYPE, signed_text, verify

LARGEST, MOST_FIELDS = 64 * 1024, 100
LONGEST_NOTICE_ID = 128
# Eight tries in 24 h 24 min (4 m, 10 m, 10 m, 1 h, 2 h, 6 h, 15 h); later than that it is no try of Alipay's.
OLDEST = timedelta(hours=26)
AHEAD = timedelta(minutes=10)
CHARSETS = frozenset({"utf-8", "utf8", "gbk", "gb2312", "gb18030"})
REASONS: Mapping[str, tuple[int, str]] = {
    "unsigned": (401, "This payment notice is not signed with RSA2."),
    "forged": (401, "No pinned key of Alipay made the signature of this payment notice."),
    "stale": (401, "This payment notice is not of this time."),
    "too_large": (413, "This payment notice is too large."),
    "malformed": (400, "This payment notice is not well formed."),
    "foreign": (400, "This payment notice is for another application or merchant."),
}
"""Why a notice is refused: the HTTP status of the answer, and the sentence."""
STATUSES: Mapping[str, int] = {sentence: status for status, sentence in REASONS.values()}


class _Doubt(Exception):
    """A notice that is not believed; `reason` is one of `REASONS`, `detail` for the log."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail


def read_notice(channel: str, body: bytes, account: Account, now: datetime) -> Notice:
    """What a report says; counted in `hutong_channel_notices_total`.

    Args:
        channel: its name.
        body: of the POST, as it came.
        account: whose signature is believed, and whom the report must be for.
        now: the time, that the report must be near.

    Raises:
        NoticeRefused: `details["reason"]` is one of `REASONS`, `details["detail"]` names the field.
    """
    try:
        notice = _believed(body, account, now)
    except _Doubt as doubt:
        metrics.channel_notices.labels(channel, doubt.reason).inc()
        details = {"reason": doubt.reason, "detail": doubt.detail}
        raise NoticeRefused(REASONS[doubt.reason][1], details=details) from doubt
    metrics.channel_notices.labels(channel, _outcome(notice)).inc()
    return notice


def acknowledge(refusal: str | None) -> Acknowledgement:
    """Seven letters; whatever else is said is a failure to Alipay. What we could not store is our own 500."""
    status = 200 if refusal is None else STATUSES.get(refusal, 500)
    body = b"success" if refusal is None else b"failure"
    return Acknowledgement(status, body, {"Content-Type": "text/plain; charset=utf-8"})


def _outcome(notice: Notice) -> str:
    if notice.refund is not None:
        return "refund"
    return "payment" if notice.payment is not None else "state"


def _believed(body: bytes, account: Account, now: datetime) -> Notice:
    raw = _fields(body)
    _check_signature(raw, account)
    fields = _decoded(raw)
    _check_receiver(fields, account)
    _check_time(fields, now)
    return _notice(fields)


def _fields(body: bytes) -> dict[bytes, bytes]:
    """The form's fields, URL-decoded but not yet text: those bytes are what Alipay signed."""
    if len(body) > LARGEST:
        raise _Doubt("too_large")
    parts = body.split(b"&")
    if len(parts) > MOST_FIELDS:
        raise _Doubt("malformed", "too many fields")
    found: dict[bytes, bytes] = {}
    for part in parts:
        name, equals, value = (_unquoted(side) for side in part.partition(b"="))
        if not equals or not name or name in found:
            raise _Doubt("malformed", "no form, or a field stands twice")
        found[name] = value
    return found


def _unquoted(side: bytes) -> bytes:
    return unquote_to_bytes(side.replace(b"+", b" "))


def _check_signature(raw: Mapping[bytes, bytes], account: Account) -> None:
    if raw.get(b"sign_type") != SIGN_TYPE.encode():
        raise _Doubt("unsigned")
    signature = raw.get(b"sign", b"").decode("ascii", "replace")
    text = signed_text(raw, without=(b"sign", b"sign_type"))
    if not verify(account.alipay_keys, text, signature):
        raise _Doubt("forged")


def _decoded(raw: Mapping[bytes, bytes]) -> dict[str, str]:
    charset = raw.get(b"charset", b"utf-8").decode("ascii", "replace").lower()
    if charset not in CHARSETS:
        raise _Doubt("malformed", "charset")
    try:
        fields = {name.decode("ascii"): value.decode(charset) for name, value in raw.items()}
    except UnicodeDecodeError as error:
        raise _Doubt("malformed", "charset") from error
    if not all(is_clean(value) for value in fields.values()):
        raise _Doubt("malformed", "characters that cannot be stored")
    return fields


def _check_receiver(fields: Mapping[str, str], account: Account) -> None:
    if fields.get("app_id") != account.app_id:
        raise _Doubt("foreign", "app_id")
    if fields.get("seller_id") != account.seller_id:
        raise _Doubt("foreign", "seller_id")


def _check_time(fields: Mapping[str, str], now: datetime) -> None:
    sent = _moment(fields, "notify_time")
    if not now - OLDEST <= sent <= now + AHEAD:
        raise _Doubt("stale", "notify_time")


def _notice(fields: Mapping[str, str]) -> Notice:
    notice_id, event = _word(fields, "notify_id", LONGEST_NOTICE_ID), _word(fields, "trade_status")
    order_no = _word(fields, "out_trade_no")
    if "gmt_refund" in fields or _fen(fields, "refund_fee", "0") > 0:
        return Notice(notice_id, event, refund=_refund(fields))
    if event in PAID:
        return Notice(notice_id, event, payment=_payment(fields, order_no))
    return Notice(notice_id, event)


def _payment(fields: Mapping[str, str], order_no: str) -> Payment:
    """`gmt_payment` may be missing by the vendor's description; the report was then made after it."""
    return Payment(
        order_no=order_no,
        transaction_id=_word(fields, "trade_no"),
        money=Money(_fen(fields, "total_amount"), fields.get("trans_currency") or CURRENCY),
        paid_at=_moment(fields, "gmt_payment" if "gmt_payment" in fields else "notify_time"),
        payer=fields.get("buyer_id") or fields.get("buyer_open_id") or None,
    )


def _refund(fields: Mapping[str, str]) -> RefundFound | None:
    """`refund_fee` is the sum of all refunds of the trade, so this refund's amount is not told.

    A refund that the merchant made by hand on Alipay's site has no number of ours.
    """
    if not fields.get("out_biz_no"):
        return None
    return RefundFound(RefundState.DONE, _word(fields, "out_biz_no"))


def _word(fields: Mapping[str, str], name: str, longest: int = LONGEST_ID) -> str:
    value = fields.get(name, "")
    if not 1 <= len(value) <= longest or not is_printable(value):
        raise _Doubt("malformed", name)
    return value


def _fen(fields: Mapping[str, str], name: str, default: str = "") -> int:
    try:
        return fen_of(fields.get(name) or default)
    except AmountMalformed as error:
        raise _Doubt("malformed", name) from error


def _moment(fields: Mapping[str, str], name: str) -> datetime:
    try:
        return moments.read(fields.get(name, ""))
    except ValueError as error:
        raise _Doubt("malformed", name) from error
