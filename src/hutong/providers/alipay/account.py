"""Who we are to Alipay, and whom we believe."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from hutong.kernel.settings import SettingsRefused
from hutong.providers.alipay.keys import KeyUnusable, private_key, public_key
from hutong.providers.alipay.settings import AlipaySettings


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """One application of one merchant.

    Args:
        app_id: the application's.
        seller_id: the merchant's, that the money goes to.
        private_key: signs our requests.
        alipay_keys: any of them may sign answers and notices.
    """

    app_id: str
    seller_id: str
    private_key: RSAPrivateKey
    alipay_keys: Sequence[RSAPublicKey]


def account_of(settings: AlipaySettings) -> Account:
    """The account that the settings describe.

    Raises:
        SettingsRefused: something is missing or is no key.
    """
    if settings.missing is not None or settings.private_key is None:
        raise SettingsRefused(f"HUTONG_ALIPAY__{settings.missing} must be set: HUTONG_ALIPAY__GATEWAY_URL is")
    try:
        own = private_key(settings.private_key.get_secret_value())
    except KeyUnusable as error:
        raise SettingsRefused(f"HUTONG_ALIPAY__PRIVATE_KEY: {error}") from None
    try:
        theirs = tuple(public_key(each) for each in settings.alipay_public_keys)
    except KeyUnusable as error:
        raise SettingsRefused(f"HUTONG_ALIPAY__ALIPAY_PUBLIC_KEYS: {error}") from None
    return Account(settings.app_id, settings.seller_id, own, theirs)
