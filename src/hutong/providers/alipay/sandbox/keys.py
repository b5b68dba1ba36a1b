"""The sandbox's keys: made once for a data folder, when they are first needed, for they cost some 100 ms of CPU each."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from hutong.providers.alipay.account import Account
from hutong.providers.alipay.keys import KeyUnusable, private_key, spelled
from hutong.providers.alipay.settings import SANDBOX_APP_ID, SANDBOX_SELLER_ID
from hutong.sandbox.payments.keys import kept_rsa_key

ALIPAY_KEY, APP_KEY, STRANGER_KEY = "alipay", "alipay-app", "alipay-stranger"
"""Names of the pairs in `<data>/sandbox/keys/`: Alipay's, the application's, somebody else's."""


@dataclass(frozen=True)
class SandboxKeys:
    """The keys of one data folder."""

    folder: Path

    @cached_property
    def alipay(self) -> RSAPrivateKey:
        """Signs answers and notices."""
        return kept_rsa_key(self.folder, ALIPAY_KEY)

    @cached_property
    def app(self) -> RSAPrivateKey:
        """Signs requests."""
        return kept_rsa_key(self.folder, APP_KEY)

    @cached_property
    def stranger(self) -> RSAPrivateKey:
        """Signs what nobody should believe."""
        return kept_rsa_key(self.folder, STRANGER_KEY)

    def account(self) -> Account:
        """The application that the sandbox knows."""
        return Account(SANDBOX_APP_ID, SANDBOX_SELLER_ID, self.app, (self.alipay.public_key(),))

    def made(self) -> frozenset[str]:
        """Public halves of the keys that were made here so far: none of them may stand for the real Alipay."""
        paths = (self.folder / "sandbox" / "keys" / f"{name}.pem" for name in (ALIPAY_KEY, APP_KEY, STRANGER_KEY))
        return frozenset(found for path in paths if (found := _public(path)))


def _public(path: Path) -> str:
    try:
        return spelled(private_key(str(path)).public_key())
    except KeyUnusable:
        return ""
