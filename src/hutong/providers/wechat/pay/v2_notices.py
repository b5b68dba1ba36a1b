"""Reading the older API's notices, and answering them.

Source: WeChat Pay v2, payment and refund notices; reference/album.md §3.1, §3.4.
"""

import hashlib
from collections.abc import Mapping

from hutong.kernel.orders.ports import Acknowledgement, Notice
from hutong.providers.wechat.pay import v2_schemas, v2_xml
from hutong.providers.wechat.pay.credentials import V2Credentials
from hutong.providers.wechat.pay.notices import STATUSES, accepted, refused
from hutong.providers.wechat.pay.schemas import Malformed
from hutong.providers.wechat.pay.v2_signatures import SignType, is_signed, open_sealed

TAKEN = v2_xml.render({"return_code": "SUCCESS", "return_msg": "OK"})


def read_notice(channel: str, own: V2Credentials, sign_type: SignType, body: bytes) -> Notice:
    """See `PaymentChannel.read_notice`. The older API dates no notices: one that was kept is as good as a new one.

    Raises:
        NoticeRefused.
    """
    if len(body) > v2_xml.LARGEST:
        raise refused(channel, "too_large")
    try:
        return accepted(channel, _read(channel, own, sign_type, v2_xml.parse(body)))
    except Malformed as wrong:
        raise refused(channel, "malformed") from wrong


def acknowledge(refusal: str | None) -> Acknowledgement:
    """SUCCESS, or FAIL with a failing status."""
    if refusal is None:
        return Acknowledgement(200, TAKEN, {"Content-Type": "text/xml"})
    answer = v2_xml.render({"return_code": "FAIL", "return_msg": refusal[:128]})
    return Acknowledgement(STATUSES.get(refusal, 500), answer, {"Content-Type": "text/xml"})


def _read(channel: str, own: V2Credentials, sign_type: SignType, fields: Mapping[str, str]) -> Notice:
    if "req_info" in fields:
        return _refund(channel, own, fields)
    if not fields.get("sign"):
        raise refused(channel, "unsigned")
    if not is_signed(fields, own.key, sign_type):
        raise refused(channel, "forged")
    _check_owner(channel, own, fields)
    if fields.get("return_code") != "SUCCESS" or fields.get("result_code") != "SUCCESS":
        # Genuine, and no payment: refused, it would only come again.
        return Notice(f"failure-{fields['sign'][:64]}", "PAYMENT.FAIL")
    payment = v2_schemas.payment_of(fields)
    return Notice(f"payment-{payment.transaction_id}", "PAYMENT.SUCCESS", payment=payment)


def _refund(channel: str, own: V2Credentials, fields: Mapping[str, str]) -> Notice:
    """The vendor signs no notices of refunds; what makes them genuine is that they open with our key."""
    _check_owner(channel, own, fields)
    sealed = fields["req_info"]
    try:
        inside = v2_xml.parse(open_sealed(sealed, own.key), "root")
    except Malformed as wrong:
        raise refused(channel, "forged") from wrong
    found = v2_schemas.refund_found(inside)
    number = hashlib.sha256(f"{found.channel_refund_id} {inside['refund_status']}".encode()).hexdigest()[:32]
    return Notice(f"refund-{number}", f"REFUND.{inside['refund_status']}", refund=found)


def _check_owner(channel: str, own: V2Credentials, fields: Mapping[str, str]) -> None:
    if (fields.get("appid"), fields.get("mch_id")) != (own.appid, own.mchid):
        raise refused(channel, "foreign")
