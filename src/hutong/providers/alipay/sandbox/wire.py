"""The gateway's wire: requests with their signature, signed answers, yuan and times of Beijing.

Source: Alipay OpenAPI, gateway.do. Written from that description, apart from the client, so that each can find the other wrong.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from starlette.requests import Request
from starlette.responses import Response

from hutong.providers.alipay.sandbox.refusals import MESSAGES, UNSIGNED, AlipayRefusal

SHANGHAI = timezone(timedelta(hours=8))
LARGEST = 64 * 1024
MOST_PARAMETERS = 60
LARGEST_FEN = 10_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PRICE = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?", re.ASCII)
_TIME = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose signature was verified."""

    method: str
    parameters: Mapping[str, str]
    content: Mapping[str, Any]

    def text(self, name: str, longest: int = 64) -> str:
        """A text of the content, empty when it is left out.

        Raises:
            AlipayRefusal.
        """
        value = self.content.get(name, "")
        if not isinstance(value, str) or len(value) > longest:
            raise AlipayRefusal("ACQ.INVALID_PARAMETER")
        return value

    def fen(self, name: str) -> int:
        """An amount of the content, 0.01 to 100000000 yuan.

        Raises:
            AlipayRefusal.
        """
        found = _PRICE.fullmatch(str(self.content.get(name, "")))
        fen = int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0")) if found else 0
        if not 1 <= fen <= LARGEST_FEN:
            raise AlipayRefusal("ACQ.INVALID_PARAMETER")
        return fen


async def parameters_of(request: Request) -> dict[str, str]:
    """What stands in the address and in the form; each may be in either.

    Raises:
        AlipayRefusal: it is no form, too large, or names a parameter twice.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise AlipayRefusal("isv.invalid-parameter")
    try:
        pairs = [
            pair
            for part in (request.url.query, body.decode())
            for pair in parse_qsl(part, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
        ]
    except ValueError as error:
        raise AlipayRefusal("isv.invalid-parameter") from error
    found = dict(pairs)
    if len(found) != len(pairs):
        raise AlipayRefusal("isv.invalid-parameter")
    return found


def verified(parameters: Mapping[str, str], app_id: str, key: RSAPublicKey) -> Call:
    """The request, if the application signed it.

    Raises:
        AlipayRefusal.
    """
    _check_common(parameters, app_id)
    names = sorted(name for name, value in parameters.items() if value and name != "sign")
    text = "&".join(f"{name}={parameters[name]}" for name in names)
    if not _is_signed(key, text.encode(), parameters["sign"]):
        raise AlipayRefusal("isv.invalid-signature")
    return Call(parameters["method"], parameters, _content(parameters.get("biz_content", "")))


def response_name(method: str) -> str:
    """The member that holds the answer to a method."""
    return f"{method.replace('.', '_')}_response" if method else "error_response"


def answer(method: str, content: Mapping[str, Any], key: RSAPrivateKey) -> Response:
    """A signed answer to a call that was carried out."""
    return _answer(method, {"code": "10000", "msg": MESSAGES["10000"], **content}, key)


def refused(method: str, refusal: AlipayRefusal, key: RSAPrivateKey) -> Response:
    """The answer to a call that was not carried out, signed unless nobody knows who asks."""
    return _answer(method, refusal.content, None if refusal.sub_code in UNSIGNED else key)


def sign(key: RSAPrivateKey, text: bytes) -> str:
    """An RSA2 signature."""
    return base64.b64encode(key.sign(text, padding.PKCS1v15(), SHA256())).decode()


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def beijing(ms: int, *, exact: bool = False) -> str:
    """Milliseconds since 1970 as Alipay writes a time; `exact` with milliseconds."""
    written = (EPOCH + timedelta(milliseconds=ms)).astimezone(SHANGHAI).strftime(_TIME)
    return f"{written}.{ms % 1000:03d}" if exact else written


def from_beijing(text: str) -> int:
    """Milliseconds since 1970.

    Raises:
        ValueError.
    """
    moment = datetime.strptime(text, _TIME).replace(tzinfo=SHANGHAI)
    return (moment - EPOCH) // timedelta(milliseconds=1)


def _answer(method: str, content: Mapping[str, Any], key: RSAPrivateKey | None) -> Response:
    written = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    signature = f',"sign":"{sign(key, written.encode())}"' if key is not None else ""
    body = f'{{"{response_name(method)}":{written}{signature}}}'
    return Response(body.encode(), media_type="text/html;charset=utf-8")  # the vendor's own type


def _check_common(parameters: Mapping[str, str], app_id: str) -> None:
    for name, code in (
        ("method", "isv.missing-method"),
        ("app_id", "isv.missing-app-id"),
        ("sign_type", "isv.missing-signature-type"),
        ("sign", "isv.missing-signature"),
        ("timestamp", "isv.missing-timestamp"),
        ("version", "isv.missing-version"),
    ):
        if not parameters.get(name):
            raise AlipayRefusal(code)
    if parameters["app_id"] != app_id:
        raise AlipayRefusal("isv.invalid-app-id")
    if parameters["sign_type"] != "RSA2":
        raise AlipayRefusal("isv.invalid-signature-type")
    if parameters.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        raise AlipayRefusal("isv.invalid-charset")
    if parameters.get("format", "JSON").upper() != "JSON":
        raise AlipayRefusal("isv.invalid-format")
    try:
        from_beijing(parameters["timestamp"])
    except ValueError as error:
        raise AlipayRefusal("isv.invalid-timestamp") from error


def _is_signed(key: RSAPublicKey, text: bytes, signature: str) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), text, padding.PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _content(text: str) -> Mapping[str, Any]:
    try:
        content = json.loads(text or "{}")
    except ValueError as error:
        raise AlipayRefusal("isv.invalid-parameter") from error
    if not isinstance(content, dict):
        raise AlipayRefusal("isv.invalid-parameter")
    return content
