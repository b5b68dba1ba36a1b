"""Sealed values: `v1.<key id>.<salt, nonce and ciphertext in base64url>`.

Every value is encrypted under a key of its own, which HKDF-SHA256 derives from the secret and a random salt, so that no
number of values wears a secret out. AES-256-GCM authenticates the form, the key id and the place together with the value.
Source: RFC 5869, NIST SP 800-38D; docs/decisions/0019-sealing.md.
"""

import binascii
import hashlib
import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from hutong.kernel.secrets.errors import SealBroken, SealKeyUnknown
from hutong.kernel.settings import secret_bytes

FORM = "v1"
SALT, NONCE, TAG = 16, 12, 16
ID_LENGTH = 12
_STANDARD = str.maketrans("-_", "+/")


class Sealer:
    """Seals values and opens them again.

    Args:
        secrets: at least one; the last seals, all of them open.
    """

    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        if not secrets:
            raise ValueError("a sealer needs a secret")
        roots = [_derive(secret_bytes(secret), b"", b"hutong sealing root") for secret in secrets]
        self._roots = {_id_of(root): root for root in roots}
        self._newest = _id_of(roots[-1])

    def seal(self, plain: bytes, context: str) -> str:
        """`plain` encrypted under the newest key, as printable ASCII (about 4/3 of its bytes, and 80 more).

        Args:
            plain: what nobody may read.
            context: names the place where the value will lie (table, column, row); it opens nowhere else.
        """
        salt, nonce = os.urandom(SALT), os.urandom(NONCE)
        cipher = AESGCM(_derive(self._roots[self._newest], salt, b"hutong sealed value"))
        sealed = cipher.encrypt(nonce, plain, _bound(self._newest, context))
        return f"{FORM}.{self._newest}.{urlsafe_b64encode(salt + nonce + sealed).rstrip(b'=').decode()}"

    def open(self, sealed: str, context: str) -> bytes:
        """What was sealed, for the same `context`.

        Raises:
            SealKeyUnknown: it was sealed under a key that is not among ours.
            SealBroken: it is no sealed value, was changed, or belongs to another context.
        """
        key_id, body = _parts(sealed)
        if key_id not in self._roots:
            raise SealKeyUnknown
        salt, nonce, rest = body[:SALT], body[SALT : SALT + NONCE], body[SALT + NONCE :]
        cipher = AESGCM(_derive(self._roots[key_id], salt, b"hutong sealed value"))
        try:
            return cipher.decrypt(nonce, rest, _bound(key_id, context))
        except InvalidTag:
            raise SealBroken from None

    def needs_resealing(self, sealed: str) -> bool:
        """Whether a newer key than that of `sealed` is there; open it and seal it again.

        Raises:
            SealBroken: it is no sealed value.
        """
        return _parts(sealed)[0] != self._newest


def _parts(sealed: str) -> tuple[str, bytes]:
    """(key id, salt and nonce and ciphertext)."""
    form, _, rest = sealed.partition(".")
    key_id, _, body = rest.partition(".")
    if form != FORM or not sealed.isascii():
        raise SealBroken
    try:
        padded = body.translate(_STANDARD) + "=" * (-len(body) % 4)
        plain = binascii.a2b_base64(padded, strict_mode=True)
    except binascii.Error:
        raise SealBroken from None
    if len(plain) < SALT + NONCE + TAG:
        raise SealBroken
    return key_id, plain


def _bound(key_id: str, context: str) -> bytes:
    return f"{FORM}.{key_id}.{context}".encode()


def _derive(secret: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt or None, purpose).derive(secret)


def _id_of(root: bytes) -> str:
    """A key's name, computed so that nobody can give one name to two keys; it says nothing about the key."""
    return hashlib.sha256(b"hutong sealing id" + root).hexdigest()[:ID_LENGTH]
