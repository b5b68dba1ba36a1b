"""RSA keys as operators have them: PEM, the bare Base64 that Alipay's tools give, or the path of a file with either."""

import base64
import binascii
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

LEAST_BITS = 2048
LONGEST_FILE = 64 * 1024


class KeyUnusable(ValueError):
    """This is no RSA key of at least 2048 bits; the message never holds the key."""


def private_key(given: str) -> RSAPrivateKey:
    """Our own key, that signs requests (PKCS#1 or PKCS#8, without a password).

    Raises:
        KeyUnusable.
    """
    content = _content(given)
    try:
        key = load_pem_private_key(content, None) if _is_pem(content) else load_der_private_key(_der(content), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable("it is no private key without a password") from error
    if not isinstance(key, RSAPrivateKey):
        raise KeyUnusable("it is no RSA key")
    _check_size(key.key_size)
    return key


def public_key(given: str) -> RSAPublicKey:
    """A key of Alipay's, that verifies answers and notices (SubjectPublicKeyInfo or PKCS#1).

    Raises:
        KeyUnusable.
    """
    content = _content(given)
    try:
        key = load_pem_public_key(content) if _is_pem(content) else load_der_public_key(_der(content))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnusable("it is no public key") from error
    if not isinstance(key, RSAPublicKey):
        raise KeyUnusable("it is no RSA key")
    _check_size(key.key_size)
    return key


def spelled(key: RSAPublicKey) -> str:
    """The one spelling of a public key, to compare by."""
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _content(given: str) -> bytes:
    """The key's text: `given` itself, or what lies in the file that it names."""
    text = given.replace("\\n", "\n").strip()  # an environment variable may hold a PEM in one line
    if "\n" not in text and len(text) < 1024 and not text.startswith("MI") and not text.startswith("-----"):
        return _file(Path(text))
    return text.encode()


def _file(path: Path) -> bytes:
    try:
        if path.stat().st_size > LONGEST_FILE:
            raise KeyUnusable(f"{path} is too long for a key")
        return path.read_bytes().strip()
    except OSError as error:
        raise KeyUnusable(f"{path} cannot be read: {error.strerror}") from error


def _is_pem(content: bytes) -> bool:
    return content.startswith(b"-----BEGIN")


def _der(content: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(content.split()), validate=True)
    except binascii.Error as error:
        raise KeyUnusable("it is neither PEM nor Base64") from error


def _check_size(bits: int) -> None:
    if bits < LEAST_BITS:
        raise KeyUnusable(f"it has {bits} bits; at least {LEAST_BITS} are needed")
