"""RSA2: SHA-256 with RSA (PKCS#1 v1.5) over parameters or over an answer's bytes. Source: Alipay OpenAPI, signing."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

SIGN_TYPE = "RSA2"


def signed_text(parameters: Mapping[bytes, bytes], *, without: Iterable[bytes]) -> bytes:
    """What is signed of parameters: `name=value` of each but those `without`, by name, joined with `&`; not URL-encoded."""
    left_out = frozenset(without)
    names = sorted(name for name in parameters if name not in left_out)
    return b"&".join(name + b"=" + parameters[name] for name in names)


def sign(key: RSAPrivateKey, content: bytes) -> str:
    """The signature of `content`, in Base64."""
    return base64.b64encode(key.sign(content, PKCS1v15(), SHA256())).decode()


def sign_parameters(key: RSAPrivateKey, parameters: Mapping[str, str]) -> dict[str, str]:
    """`parameters` with their `sign`; empty ones are left out, of the signature and of the request."""
    kept = {name: value for name, value in parameters.items() if value}
    text = signed_text({name.encode(): value.encode() for name, value in kept.items()}, without=[b"sign"])
    return {**kept, "sign": sign(key, text)}


def verify(keys: Sequence[RSAPublicKey], content: bytes, signature: str) -> bool:
    """Whether one of `keys` made this signature (several are pinned while Alipay's key is being changed)."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    if base64.b64encode(raw).decode() != signature:
        return False  # another spelling of the same bytes
    return any(_made_by(key, content, raw) for key in keys)


def _made_by(key: RSAPublicKey, content: bytes, raw: bytes) -> bool:
    try:
        key.verify(raw, content, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
