"""Who we are to WeChat Pay, and whom we believe: keys read once from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from hutong.kernel.settings import SettingsRefused
from hutong.providers.wechat.pay.settings import PlatformKey, WechatPaySettings, WechatPayV2Settings

LEAST_BITS = 2048
PUBLIC_KEY_MODE = "PUB_KEY_ID_"


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A merchant account for APIv3. `platform` are the pinned keys by their upper-case id; answers are asked by the first."""

    appid: str
    mchid: str
    serial: str
    private_key: RSAPrivateKey
    apiv3_key: bytes
    platform: Mapping[str, RSAPublicKey]


@dataclass(frozen=True, slots=True, repr=False)
class V2Credentials:
    """A merchant account for the older API. `certificate` is a PEM file for mutual TLS, empty where none is needed."""

    appid: str
    mchid: str
    key: bytes
    certificate: str = ""


def credentials_of(settings: WechatPaySettings) -> Credentials:
    """The account that the settings describe.

    Raises:
        SettingsRefused: something is missing or is no key.
    """
    if settings.missing is not None:
        raise SettingsRefused(f"HUTONG_WECHAT_PAY__{settings.missing} must be set: HUTONG_WECHAT_PAY__BASE_URL is")
    return Credentials(
        appid=settings.appid,
        mchid=settings.mchid,
        serial=settings.serial.upper(),
        private_key=_private_key(settings.private_key.get_secret_value()),
        apiv3_key=settings.apiv3_key.get_secret_value().encode(),
        platform={each.id.upper(): platform_key(each) for each in settings.platform_keys},
    )


def v2_credentials_of(settings: WechatPayV2Settings) -> V2Credentials:
    """The account that the settings describe.

    Raises:
        SettingsRefused: something is missing.
    """
    if settings.missing is not None:
        raise SettingsRefused(
            f"HUTONG_WECHAT_PAY_V2__{settings.missing} must be set: HUTONG_WECHAT_PAY_V2__BASE_URL is"
        )
    if not Path(settings.certificate).is_file():
        raise SettingsRefused("HUTONG_WECHAT_PAY_V2__CERTIFICATE: there is no such file")
    return V2Credentials(settings.appid, settings.mchid, settings.key.get_secret_value().encode(), settings.certificate)


def platform_key(pinned: PlatformKey) -> RSAPublicKey:
    """A pinned key, out of a public key or a certificate.

    Raises:
        SettingsRefused: it is neither, or the certificate of another serial number.
    """
    found, serial = _read(pinned.id, _text("PLATFORM_KEYS", pinned.pem))
    if serial not in {None, pinned.id.upper().lstrip("0")}:
        raise SettingsRefused(f"HUTONG_WECHAT_PAY__PLATFORM_KEYS: the certificate's serial number is not {pinned.id}")
    if not isinstance(found, RSAPublicKey) or found.key_size < LEAST_BITS:
        raise SettingsRefused(f"HUTONG_WECHAT_PAY__PLATFORM_KEYS: {pinned.id} is no RSA key of {LEAST_BITS} bits")
    return found


def _read(name: str, pem: bytes) -> tuple[object, str | None]:
    """A public key, and the serial number of its certificate, if it came in one."""
    try:
        if b"BEGIN CERTIFICATE" not in pem:
            return serialization.load_pem_public_key(pem), None
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise SettingsRefused(f"HUTONG_WECHAT_PAY__PLATFORM_KEYS: {name} is neither a key nor a certificate") from None
    return certificate.public_key(), f"{certificate.serial_number:X}"


def _private_key(text: str) -> RSAPrivateKey:
    try:
        found = serialization.load_pem_private_key(_text("PRIVATE_KEY", text), None)
    except (ValueError, TypeError):
        raise SettingsRefused("HUTONG_WECHAT_PAY__PRIVATE_KEY holds no private key in PEM form") from None
    if not isinstance(found, RSAPrivateKey) or found.key_size < LEAST_BITS:
        raise SettingsRefused(f"HUTONG_WECHAT_PAY__PRIVATE_KEY is no RSA key of {LEAST_BITS} bits")
    return found


def _text(name: str, text: str) -> bytes:
    """PEM as it stands there, or in the file of that name."""
    if "-----BEGIN" in text:
        return text.replace("\\n", "\n").encode()
    try:
        return Path(text).read_bytes()
    except (OSError, ValueError):
        raise SettingsRefused(f"HUTONG_WECHAT_PAY__{name} is neither PEM text nor a file that can be read") from None
