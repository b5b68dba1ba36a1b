"""Notices made by hand, from the vendor's description alone: genuine ones, and those that somebody would like to pass for it."""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hutong.kit.clock import ManualClock, epoch_ms
from hutong.providers.wechat.pay import settings
from hutong.providers.wechat.pay.sandbox.credentials import PLATFORM_ID, SandboxKeys

Letter = tuple[dict[str, str], bytes]
TRANSACTION: Mapping[str, Any] = {
    "appid": settings.SANDBOX_APPID,
    "mchid": settings.SANDBOX_MCHID,
    "out_trade_no": "ORDER00000001",
    "transaction_id": "4200000000202611010000000001",
    "trade_type": "JSAPI",
    "trade_state": "SUCCESS",
    "trade_state_desc": "支付成功",
    "bank_type": "OTHERS",
    "success_time": "2026-11-01T12:00:00+08:00",
    "payer": {"openid": "oCustomer"},
    "amount": {"total": 1234, "payer_total": 1234, "currency": "CNY", "payer_currency": "CNY"},
}
REFUND: Mapping[str, Any] = {
    "mchid": settings.SANDBOX_MCHID,
    "out_trade_no": "ORDER00000001",
    "transaction_id": "4200000000202611010000000001",
    "out_refund_no": "REFUND000001",
    "refund_id": "50300000002026110100000000001",
    "refund_status": "SUCCESS",
    "success_time": "2026-11-01T13:00:00+08:00",
    "user_received_account": "支付用户零钱",
    "amount": {"total": 1234, "refund": 234, "payer_total": 1234, "payer_refund": 234},
}


@dataclass
class Forge:
    """Writes notices with the keys of a data folder, at the time of a clock."""

    keys: SandboxKeys
    clock: ManualClock
    serial: str = PLATFORM_ID
    key: RSAPrivateKey | None = None
    apiv3_key: bytes = settings.SANDBOX_APIV3_KEY.encode()
    headers: dict[str, str] = field(default_factory=dict)

    def payment(self, changed: Mapping[str, Any] | None = None, **options: Any) -> Letter:
        """A payment's notice, with some facts changed."""
        return self.letter("TRANSACTION.SUCCESS", {**TRANSACTION, **(changed or {})}, **options)

    def refund(self, changed: Mapping[str, Any] | None = None, **options: Any) -> Letter:
        """A refund's notice, with some facts changed."""
        return self.letter("REFUND.SUCCESS", {**REFUND, **(changed or {})}, **options)

    def letter(self, event: str, inside: Any, *, envelope: Mapping[str, Any] | None = None, **resource: Any) -> Letter:
        """Any notice; `envelope` and `resource` replace what stands around the sealed content."""
        once = secrets.token_hex(6)
        sealed = AESGCM(self.apiv3_key).encrypt(once.encode(), json.dumps(inside).encode(), b"transaction")
        content = {
            "id": "EV-2026110100000001",
            "create_time": "2026-11-01T12:00:01+08:00",
            "event_type": event,
            "resource_type": "encrypt-resource",
            "summary": "支付成功",
            "resource": {
                "original_type": "transaction",
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": base64.b64encode(sealed).decode(),
                "associated_data": "transaction",
                "nonce": once,
                **resource,
            },
            **(envelope or {}),
        }
        return self.signed(json.dumps(content, ensure_ascii=False).encode())

    def signed(self, body: bytes, *, seconds: int | None = None, nonce: str | None = None) -> Letter:
        """Any body, rightly signed."""
        moment = str(epoch_ms(self.clock.now()) // 1000 if seconds is None else seconds)
        once = nonce or secrets.token_hex(16)
        signature = (self.key or self.keys.platform).sign(
            f"{moment}\n{once}\n".encode() + body + b"\n", padding.PKCS1v15(), hashes.SHA256()
        )
        headers = {
            "wechatpay-serial": self.serial,
            "wechatpay-timestamp": moment,
            "wechatpay-nonce": once,
            "wechatpay-signature": base64.b64encode(signature).decode(),
            "wechatpay-signature-type": "WECHATPAY2-SHA256-RSA2048",
        }
        return {**headers, **self.headers}, body
