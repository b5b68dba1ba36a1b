"""Both sides' keys in the sandbox: the pairs are made once for a data folder, the rest is known to everybody."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from hutong.providers.wechat.pay import settings
from hutong.providers.wechat.pay.credentials import Credentials, V2Credentials
from hutong.sandbox.payments.keys import kept_rsa_key

PLATFORM_ID = "PUB_KEY_ID_0114000000002026000000000000000001"


@dataclass(frozen=True)
class SandboxKeys:
    """The keys of one data folder, read or made at their first use."""

    folder: Path

    @cached_property
    def merchant(self) -> RSAPrivateKey:
        """The merchant's pair: signs requests."""
        return kept_rsa_key(self.folder, "wechatpay-merchant")

    @cached_property
    def platform(self) -> RSAPrivateKey:
        """The vendor's pair: signs answers and notices."""
        return kept_rsa_key(self.folder, "wechatpay-platform")

    @cached_property
    def stranger(self) -> RSAPrivateKey:
        """Somebody else's pair, for notices that are signed with the wrong key."""
        return kept_rsa_key(self.folder, "wechatpay-stranger")

    @cached_property
    def account(self) -> Credentials:
        """The merchant account that the sandbox knows."""
        return Credentials(
            appid=settings.SANDBOX_APPID,
            mchid=settings.SANDBOX_MCHID,
            serial=settings.SANDBOX_SERIAL,
            private_key=self.merchant,
            apiv3_key=settings.SANDBOX_APIV3_KEY.encode(),
            platform={PLATFORM_ID: self.platform.public_key()},
        )

    def credentials(self) -> Credentials:
        """The same, for a client that asks at its first use."""
        return self.account

    def v2_credentials(self) -> V2Credentials:
        """The same account, for the older API."""
        return V2Credentials(settings.SANDBOX_APPID, settings.SANDBOX_MCHID, settings.SANDBOX_V2_KEY.encode())
