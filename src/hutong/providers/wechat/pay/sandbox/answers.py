"""What WeChat Pay answers: refusals with their code and status, signed JSON, signed XML.

Source: WeChat Pay APIv3 and v2 error tables. Messages are ours where the vendor's are not published.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from starlette.responses import Response

from hutong.kit.clock import epoch_ms
from hutong.providers.wechat.pay import v2_xml
from hutong.providers.wechat.pay.credentials import V2Credentials
from hutong.providers.wechat.pay.sandbox.credentials import PLATFORM_ID, SandboxKeys
from hutong.providers.wechat.pay.signatures import SCHEME, nonce, sign
from hutong.providers.wechat.pay.v2_signatures import SignType
from hutong.providers.wechat.pay.v2_signatures import sign as sign_v2

REFUSALS: Mapping[str, tuple[int, str]] = {
    "SYSTEM_ERROR": (500, "系统异常，请稍后重试"),
    "SIGN_ERROR": (401, "签名错误"),
    "PARAM_ERROR": (400, "参数错误"),
    "INVALID_REQUEST": (400, "请求不符合业务规则"),
    "APPID_MCHID_NOT_MATCH": (400, "appid和mch_id不匹配"),
    "MCH_NOT_EXISTS": (400, "商户号不存在"),
    "ORDERPAID": (400, "订单已支付"),
    "ORDER_CLOSED": (400, "订单已关闭"),
    "NO_AUTH": (403, "商户无权限"),
    "OUT_TRADE_NO_USED": (403, "商户订单号重复"),
    "NOT_ENOUGH": (403, "余额不足"),
    "USER_ACCOUNT_ABNORMAL": (403, "用户账户异常或注销"),
    "ORDER_NOT_EXIST": (404, "订单不存在"),
    "RESOURCE_NOT_EXISTS": (404, "查询的资源不存在"),
    "FREQUENCY_LIMITED": (429, "频率超限"),
    "RATELIMITED": (429, "请求频率超限"),
    "USERPAYING": (202, "用户支付中，需要输入密码"),
}
V2_CODES: Mapping[str, str] = {
    "SYSTEM_ERROR": "SYSTEMERROR",
    "SIGN_ERROR": "SIGNERROR",
    "ORDER_CLOSED": "ORDERCLOSED",
    "ORDER_NOT_EXIST": "ORDERNOTEXIST",
    "RESOURCE_NOT_EXISTS": "REFUNDNOTEXIST",
    "NOT_ENOUGH": "NOTENOUGH",
    "NO_AUTH": "NOAUTH",
    "MCH_NOT_EXISTS": "MCHID_NOT_EXIST",
}
"""Codes of APIv3 that the older API spells otherwise."""


class PayRefusal(Exception):
    """A call that is not carried out; `code` is one of APIv3's."""

    def __init__(self, code: str, message: str | None = None) -> None:
        self.code = code
        self.status, usual = REFUSALS[code]
        self.message = message or usual
        super().__init__(f"{code}: {self.message}")


class SignedJson:
    """Answers of APIv3, each signed with the platform's key."""

    def __init__(self, keys: SandboxKeys) -> None:
        self._keys = keys

    def answer(self, status: int, content: Mapping[str, Any] | None, now: datetime) -> Response:
        body = b"" if content is None else orjson.dumps(content)
        headers = {
            **signed_headers(self._keys.platform, body, epoch_ms(now) // 1000),
            "Request-ID": secrets.token_hex(16),
        }
        return Response(body, status, headers, "application/json; charset=utf-8")

    def refusal(self, refusal: PayRefusal, now: datetime) -> Response:
        return self.answer(refusal.status, {"code": refusal.code, "message": refusal.message}, now)


class SignedXml:
    """Answers of the older API, each signed with the shared key; HTTP status 200 always."""

    def __init__(self, own: V2Credentials, sign_type: SignType) -> None:
        self._own = own
        self._sign_type = sign_type

    def answer(self, fields: Mapping[str, str]) -> Response:
        content = {
            "return_code": "SUCCESS",
            "return_msg": "OK",
            "appid": self._own.appid,
            "mch_id": self._own.mchid,
            "nonce_str": nonce(),
            **({"result_code": "SUCCESS"} if "result_code" not in fields else {}),
            **fields,
        }
        content["sign"] = sign_v2(content, self._own.key, self._sign_type)
        return Response(v2_xml.render(content), media_type="text/xml")

    def refusal(self, refusal: PayRefusal) -> Response:
        """A signature that is wrong is refused at the door, by an answer without one; the rest with a code."""
        if refusal.code == "SIGN_ERROR":
            return Response(
                v2_xml.render({"return_code": "FAIL", "return_msg": refusal.message}), media_type="text/xml"
            )
        code = V2_CODES.get(refusal.code, refusal.code)
        return self.answer({"result_code": "FAIL", "err_code": code, "err_code_des": refusal.message})


def signed_headers(key: RSAPrivateKey, body: bytes, seconds: int, signature: str | None = None) -> dict[str, str]:
    """Wechatpay-… headers over a body, as they stand in answers and notices."""
    once = nonce()
    return {
        "Wechatpay-Serial": PLATFORM_ID,
        "Wechatpay-Timestamp": str(seconds),
        "Wechatpay-Nonce": once,
        "Wechatpay-Signature-Type": SCHEME,
        "Wechatpay-Signature": signature or sign(key, str(seconds), once, body),
    }
