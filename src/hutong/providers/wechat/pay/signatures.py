"""Signing and verifying with RSA-SHA256 (WECHATPAY2-SHA256-RSA2048).

Source: WeChat Pay APIv3, "request signature", "verify the signature", "probe traffic"; reference/album.md §3.2.
"""

import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from hutong.kit.clock import Clock, epoch_ms
from hutong.providers.wechat.pay.credentials import Credentials

SCHEME = "WECHATPAY2-SHA256-RSA2048"
PROBE = "WECHATPAY/SIGNTEST/"
FRESH_SECONDS = 300
LONGEST = 1024
REMEMBERED = 20_000


class Unverified(Exception):
    """A message cannot be believed. `reason` is `unsigned`, `probe`, `unknown_key`, `stale`, `forged` or `nonce_reused`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def sign(key: RSAPrivateKey, *lines: str | bytes) -> str:
    """The signature over lines, each with its end of line, in base64."""
    return base64.b64encode(key.sign(joined(*lines), PKCS1v15(), SHA256())).decode()


def is_signed(key: RSAPublicKey, signature: str, *lines: str | bytes) -> bool:
    """Whether `signature` is that of `key` over these lines."""
    try:
        key.verify(base64.b64decode(signature, validate=True), joined(*lines), PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def joined(*lines: str | bytes) -> bytes:
    """What is signed."""
    return b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)


def nonce() -> str:
    """32 random characters."""
    return secrets.token_hex(16).upper()


def authorization(own: Credentials, method: str, target: str, body: bytes, seconds: int) -> str:
    """The header of a request.

    Args:
        target: path and query, as they are sent.
        seconds: since 1970.
    """
    once = nonce()
    signature = sign(own.private_key, method, target, str(seconds), once, body)
    return (
        f'{SCHEME} mchid="{own.mchid}",nonce_str="{once}",timestamp="{seconds}",'
        f'serial_no="{own.serial}",signature="{signature}"'
    )


class Verifier:
    """Checks answers and notices against the pinned keys; an unknown key is refused, and nothing is fetched for it.

    Args:
        platform: pinned keys by their id.
        clock: against which messages must be fresh.
    """

    def __init__(self, platform: Mapping[str, RSAPublicKey], clock: Clock) -> None:
        self._platform = platform
        self._clock = clock
        self._seen: OrderedDict[str, tuple[int, bytes]] = OrderedDict()

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """That a message is WeChat Pay's, as it was sent, and not older than 5 minutes.

        Raises:
            Unverified.
        """
        signature = headers.get("wechatpay-signature", "")
        if signature.startswith(PROBE):
            raise Unverified("probe")
        moment, once = headers.get("wechatpay-timestamp", ""), headers.get("wechatpay-nonce", "")
        kind = headers.get("wechatpay-signature-type", SCHEME)
        if not signature or not once or not moment or kind != SCHEME or max(len(signature), len(once)) > LONGEST:
            raise Unverified("unsigned")
        key = self._platform.get(headers.get("wechatpay-serial", "").upper())
        if key is None:
            raise Unverified("unknown_key")
        if not self._is_fresh(moment):
            raise Unverified("stale")
        if not is_signed(key, signature, moment, once, body):
            raise Unverified("forged")

    def check_once(self, headers: Mapping[str, str], body: bytes) -> None:
        """As `check`; besides, a nonce that stood over another message is refused.

        The very same message again is let through, for it says nothing new: whoever reads notices keeps their ids.

        Raises:
            Unverified.
        """
        self.check(headers, body)
        moment, once = headers["wechatpay-timestamp"], headers["wechatpay-nonce"]
        digest = hashlib.sha256(joined(moment, body)).digest()
        known = self._seen.get(once)
        if known is not None and known[1] != digest:
            raise Unverified("nonce_reused")
        self._remember(once, int(moment), digest)

    def _is_fresh(self, moment: str) -> bool:
        if not (moment.isascii() and moment.isdigit() and len(moment) <= 12):
            return False
        return abs(epoch_ms(self._clock.now()) / 1000 - int(moment)) <= FRESH_SECONDS

    def _remember(self, once: str, seconds: int, digest: bytes) -> None:
        """Keep nonces for as long as their messages are fresh, and no more than there is room for."""
        self._seen[once] = seconds, digest
        oldest = epoch_ms(self._clock.now()) // 1000 - FRESH_SECONDS
        while self._seen and (len(self._seen) > REMEMBERED or next(iter(self._seen.values()))[0] < oldest):
            self._seen.popitem(last=False)
