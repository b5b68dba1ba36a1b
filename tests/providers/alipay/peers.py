"""Somebody else's implementation of Alipay's signatures (python-alipay-sdk), with keys of our own and no calls outside."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from alipay import AliPay
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from hutong.providers.alipay.account import Account
from support.rsa_keys import private_pem, public_pem, rsa_key

APP_ID = "2021000000000077"
SELLER_ID = "2088000000000077"
OURS, THEIRS = "alipay application", "alipay"


def account(*, theirs: tuple[str, ...] = (THEIRS,)) -> Account:
    """Who we are in these tests, and whose signatures we believe."""
    keys = [rsa_key(name).public_key() for name in theirs]
    return Account(APP_ID, SELLER_ID, rsa_key(OURS), keys)


def peer(signs: RSAPrivateKey | None = None, believes: RSAPrivateKey | None = None) -> Any:
    """The peer's client: it signs with one key and believes the other."""
    ours, theirs = signs or rsa_key(OURS), believes or rsa_key(THEIRS)
    return AliPay(APP_ID, app_private_key_string=private_pem(ours), alipay_public_key_string=public_pem(theirs))


def vendor() -> Any:
    """The peer in Alipay's place: it signs as Alipay, and believes the application."""
    return peer(signs=rsa_key(THEIRS), believes=rsa_key(OURS))


def signature(fields: Mapping[str, str], signs: RSAPrivateKey | None = None) -> str:
    """The peer's signature of a notice's fields."""
    signed = {name: value for name, value in fields.items() if name not in {"sign", "sign_type"}}
    text = "&".join(f"{name}={value}" for name, value in sorted(signed.items()))
    return str(peer(signs=signs or rsa_key(THEIRS))._sign(text))


def posted(fields: Mapping[str, str], *, signs: RSAPrivateKey | None = None) -> bytes:
    """A notice as it arrives, signed by the peer."""
    return urlencode({**fields, "sign": signature(fields, signs), "sign_type": "RSA2"}).encode()
