"""Reading APIv3's notices, and answering them.

Source: WeChat Pay APIv3, payment and refund notices, "decrypt notices"; reference/album.md §3.2, §3.4.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hutong.kernel.observability import metrics
from hutong.kernel.orders.errors import NoticeRefused
from hutong.kernel.orders.ports import Acknowledgement, Notice
from hutong.providers.wechat.pay.credentials import Credentials
from hutong.providers.wechat.pay.schemas import Malformed, object_of, part, payment_found, refund_found, text
from hutong.providers.wechat.pay.signatures import Unverified, Verifier

LARGEST = 64 * 1024
ALGORITHM = "AEAD_AES_256_GCM"
REASONS: Mapping[str, tuple[int, str]] = {
    "unsigned": (401, "This payment notice bears no signature."),
    "unknown_key": (401, "This payment notice is signed with a key that is not pinned."),
    "stale": (401, "This payment notice is not fresh."),
    "forged": (401, "The signature of this payment notice is wrong."),
    "nonce_reused": (401, "The nonce of this payment notice stood over another one."),
    "probe": (401, "This payment notice is a signature probe."),
    "too_large": (413, "This payment notice is too large."),
    "malformed": (400, "This payment notice is not well formed."),
    "foreign": (400, "This payment notice is for another merchant."),
}
"""Why a notice is refused: the HTTP status of the answer, and the sentence."""
STATUSES: Mapping[str, int] = {sentence: status for status, sentence in REASONS.values()}


def refused(channel: str, reason: str) -> NoticeRefused:
    """The refusal of a notice, counted; `details["reason"]` is one of `REASONS`. Whoever alarms leaves out `probe`."""
    metrics.channel_notices.labels(channel, reason).inc()
    return NoticeRefused(REASONS[reason][1], details={"reason": reason})


def accepted(channel: str, notice: Notice) -> Notice:
    """A notice that may be believed, counted."""
    metrics.channel_notices.labels(channel, "refund" if notice.refund else "payment").inc()
    return notice


def read_notice(channel: str, own: Credentials, verifier: Verifier, headers: Mapping[str, str], body: bytes) -> Notice:
    """See `PaymentChannel.read_notice`.

    Raises:
        NoticeRefused.
    """
    if len(body) > LARGEST:
        raise refused(channel, "too_large")
    try:
        verifier.check_once(headers, body)
        notice = _opened(channel, own, object_of(body))
    except Unverified as doubt:
        raise refused(channel, doubt.reason) from doubt
    except Malformed as wrong:
        raise refused(channel, "malformed") from wrong
    return accepted(channel, notice)


def acknowledge(refusal: str | None) -> Acknowledgement:
    """204, or a failure: its status decides, so a refusal is never a 200. What we could not store is our own 500."""
    if refusal is None:
        return Acknowledgement(204, b"")
    answer = orjson.dumps({"code": "FAIL", "message": refusal[:256]})
    return Acknowledgement(STATUSES.get(refusal, 500), answer, {"Content-Type": "application/json"})


def decrypt(key: bytes, resource: Mapping[str, Any]) -> bytes:
    """What a notice holds.

    Raises:
        Malformed: it is not sealed with this key.
    """
    if resource.get("algorithm") != ALGORITHM:
        raise Malformed("another algorithm")
    beside = resource.get("associated_data") or ""
    try:
        sealed = base64.b64decode(text(resource, "ciphertext", LARGEST), validate=True)
        return AESGCM(key).decrypt(text(resource, "nonce", 16).encode(), sealed, str(beside).encode())
    except (InvalidTag, binascii.Error, ValueError) as wrong:
        raise Malformed("it cannot be opened") from wrong


def _opened(channel: str, own: Credentials, envelope: Mapping[str, Any]) -> Notice:
    notice_id, event = text(envelope, "id", 64), text(envelope, "event_type", 64)
    if envelope.get("resource_type") != "encrypt-resource":
        raise Malformed("another resource")
    inside = object_of(decrypt(own.apiv3_key, part(envelope, "resource")))
    if inside.get("mchid") != own.mchid:
        raise refused(channel, "foreign")
    if event.startswith("REFUND."):  # names no app
        return Notice(notice_id, event, refund=refund_found(inside, "refund_status"))
    if inside.get("appid") != own.appid:
        raise refused(channel, "foreign")
    # What is genuine and no payment is told as it is: refused, it would only come again.
    return Notice(notice_id, event, payment=payment_found(inside).payment)
