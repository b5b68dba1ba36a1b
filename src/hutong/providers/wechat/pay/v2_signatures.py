"""Signing with a shared key, and opening what notices of refunds hold.

Source: WeChat Pay v2, "signature algorithm", "refund result notice"; reference/album.md §3.1.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from hutong.providers.wechat.pay.schemas import Malformed

SignType = Literal["HMAC-SHA256", "MD5"]


def sign(fields: Mapping[str, str], key: bytes, sign_type: SignType) -> str:
    """The signature over all fields that are not empty, but for `sign`; those that nobody knows are among them.

    Raises:
        ValueError: the key is empty: such a signature is everybody's.
    """
    if not key:
        raise ValueError("an empty key signs nothing")
    pairs = [f"{name}={value}" for name, value in sorted(fields.items()) if value and name != "sign"]
    text = "&".join([*pairs, "key="]).encode() + key
    if sign_type == "MD5":
        return hashlib.md5(text).hexdigest().upper()  # noqa: S324 - the vendor's scheme
    return hmac.new(key, text, hashlib.sha256).hexdigest().upper()


def is_signed(fields: Mapping[str, str], key: bytes, sign_type: SignType) -> bool:
    """Whether `fields["sign"]` is right. What the fields say of their own sign_type is ignored."""
    given = fields.get("sign", "")
    return hmac.compare_digest(sign(fields, key, sign_type).encode(), given.encode(errors="replace"))


def open_sealed(sealed: str, key: bytes) -> bytes:
    """What `req_info` of a refund's notice holds: AES-256-ECB with PKCS#7, under the MD5 of the API key.

    Raises:
        Malformed: it is not sealed with this key.
    """
    try:
        opener = Cipher(algorithms.AES(_sealing_key(key)), modes.ECB()).decryptor()  # noqa: S305 - the vendor's scheme
        padded = opener.update(base64.b64decode(sealed, validate=True)) + opener.finalize()
        unpadder = PKCS7(128).unpadder()
        return unpadder.update(padded) + unpadder.finalize()
    except (binascii.Error, ValueError) as wrong:
        raise Malformed("it cannot be opened") from wrong


def seal(plain: bytes, key: bytes) -> str:
    """The opposite of `open_sealed`."""
    padder = PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    sealer = Cipher(algorithms.AES(_sealing_key(key)), modes.ECB()).encryptor()  # noqa: S305 - the vendor's scheme
    return base64.b64encode(sealer.update(padded) + sealer.finalize()).decode()


def _sealing_key(key: bytes) -> bytes:
    return hashlib.md5(key).hexdigest().encode()  # noqa: S324 - the vendor's scheme
