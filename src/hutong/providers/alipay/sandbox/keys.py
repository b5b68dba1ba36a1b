"""The sandbox's keys: made once for a data folder, when they are first needed, for they cost some 100 ms of CPU each."""

from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from hutong.providers.alipay.sandbox.settings import AlipaySandboxSettings
from hutong.sandbox.payments.keys import kept_rsa_key

ALIPAY_KEY, APP_KEY = "alipay", "alipay-app"
"""Names of the keys in the data folder: Alipay's own, and the application's where the settings give none."""
STRANGER_KEY = "alipay-stranger"


class Keys:
    """Alipay's key, the application's, and one of nobody's."""

    def __init__(self, settings: AlipaySandboxSettings) -> None:
        self._settings = settings

    @cached_property
    def alipay(self) -> RSAPrivateKey:
        """Signs answers and notices."""
        return kept_rsa_key(self._settings.folder, ALIPAY_KEY)

    @cached_property
    def stranger(self) -> RSAPrivateKey:
        """Signs what nobody should believe."""
        return kept_rsa_key(self._settings.folder, STRANGER_KEY)

    @cached_property
    def app(self) -> RSAPublicKey:
        """Verifies requests."""
        if not self._settings.app_public_key:
            return kept_rsa_key(self._settings.folder, APP_KEY).public_key()
        found = load_pem_public_key(self._settings.app_public_key.encode())
        if not isinstance(found, RSAPublicKey):
            raise TypeError("the application's key is no RSA key")
        return found
