"""RSA keys for tests: made once a process, never written into the tree."""

from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hutong.providers.alipay.sandbox.keys import ALIPAY_KEY, APP_KEY, STRANGER_KEY

WECHAT_PAY = ("wechatpay-merchant", "wechatpay-platform", "wechatpay-stranger")


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The key of that name; whoever asks for the same name gets the same key."""
    return rsa.generate_private_key(65537, bits)


def private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def ready_keys(folder: Path) -> None:
    """Put keys for the sandboxes of payment vendors into a data folder: making new ones for each test would take seconds."""
    place = folder / "sandbox" / "keys"
    place.mkdir(parents=True, exist_ok=True)
    for name in (*WECHAT_PAY, ALIPAY_KEY, APP_KEY, STRANGER_KEY):
        (place / f"{name}.pem").write_text(private_pem(rsa_key(name)))
