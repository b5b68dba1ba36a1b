"""Keyed digests of what must not stand in clear in SQL or the store: mail codes, and the addresses that tries count for."""

import hashlib
import hmac

from pydantic import SecretStr

from hutong.kernel.settings import secret_bytes


class Digests:
    """HMAC-SHA256 under a key of this use, derived from the installation's secret.

    Args:
        secret: the installation's; another one makes other digests, so codes on their way are void and counts begin anew.
    """

    def __init__(self, secret: SecretStr) -> None:
        self._key = hmac.digest(secret_bytes(secret), b"hutong.identity.digests", "sha256")

    def of(self, *parts: str) -> str:
        """64 hexadecimal digits; parts are kept apart by their lengths."""
        message = b"".join(len(part).to_bytes(4, "big") + part for part in (text.encode() for text in parts))
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
