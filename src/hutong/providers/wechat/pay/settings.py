"""Settings of WeChat Pay. An empty `base_url` means the sandbox, outside production; in production, no such channel."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from hutong.kernel.settings import Section

VENDOR_URL = "https://api.mch.weixin.qq.com"
SANDBOX_APPID = "wx5a4db0c5a4db0c00"
SANDBOX_MCHID = "1900000001"
SANDBOX_SERIAL = "5A4DB0C5A4DB0C5A4DB0C5A4DB0C5A4DB0C0001"
SANDBOX_APIV3_KEY = "sandbox-apiv3-key-0123456789abcd"
SANDBOX_V2_KEY = "sandbox-v2-key-0123456789abcdefg"

Url = Annotated[str, StringConstraints(pattern=r"^(https?://[^\s?#]+[^\s?#/])?$", max_length=256)]
Number = Annotated[str, StringConstraints(pattern=r"^([0-9]{6,32})?$")]
AppId = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_]{6,32})?$")]
KeyId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{8,64}$")]
KEY_LENGTH = 32


class PlatformKey(BaseModel):
    """A key of WeChat Pay's that is believed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: KeyId
    """`PUB_KEY_ID_…`, or the serial number of a platform certificate, in hexadecimal digits."""
    pem: str = Field(min_length=1, max_length=20_000)
    """The public key or the certificate: PEM text, or the path of a file that holds it."""


class WechatPaySettings(Section):
    """A merchant account, for APIv3."""

    base_url: Url = Field(
        "", description="Empty: this installation's sandbox, none in production; else https://api.mch.weixin.qq.com."
    )
    backup_url: Url = Field(
        "", description="URL that is asked when the first fails, as https://api2.mch.weixin.qq.com; empty: none."
    )
    appid: AppId = Field("", description="Id of the app or official account that the merchant is bound to.")
    mchid: Number = Field("", description="The merchant's number.")
    serial: str = Field(
        "", pattern=r"^[0-9A-Fa-f]{0,64}$", description="Serial number of the merchant's API certificate, hexadecimal."
    )
    private_key: SecretStr = Field(
        SecretStr(""), description="Private key of that certificate: PEM text, or the path of a file that holds it."
    )
    apiv3_key: SecretStr = Field(SecretStr(""), description="The APIv3 key, 32 characters; opens what notices hold.")
    platform_keys: list[PlatformKey] = Field(
        default_factory=list,
        description='WeChat Pay\'s own keys, [{"id": "PUB_KEY_ID_…", "pem": "…"}]: answers by the first, notices by any.',
    )
    notify_url: Url = Field(
        "", description="URL that WeChat Pay reports to; empty: made from public_url by whoever sells."
    )
    timeout: float = Field(8.0, gt=0, description="Seconds that one call may take.")

    @property
    def sandboxed(self) -> bool:
        """Whether WeChat Pay is this installation's own sandbox (or, in production, not there)."""
        return not self.base_url

    @property
    def missing(self) -> str | None:
        """The first setting that a real account lacks, as the end of its variable's name."""
        given = {
            "APPID": self.appid,
            "MCHID": self.mchid,
            "SERIAL": self.serial,
            "PRIVATE_KEY": self.private_key.get_secret_value(),
            "APIV3_KEY": _of_length(self.apiv3_key),
            "PLATFORM_KEYS": self.platform_keys,
        }
        return next((name for name, value in given.items() if not value), None)


class WechatPayV2Settings(Section):
    """A merchant account, for the older API (XML)."""

    base_url: Url = Field(
        "", description="Empty: this installation's sandbox, none in production; else https://api.mch.weixin.qq.com."
    )
    backup_url: Url = Field("", description="URL that is asked when the first fails; empty: none.")
    appid: AppId = Field("", description="Id of the app or official account that the merchant is bound to.")
    mchid: Number = Field("", description="The merchant's number.")
    key: SecretStr = Field(SecretStr(""), description="The API key, 32 characters; signs both ways.")
    sign_type: Literal["HMAC-SHA256", "MD5"] = Field(
        "HMAC-SHA256", description="How both sides sign; whatever a message itself says of it is ignored."
    )
    certificate: str = Field(
        "", description="Path of the merchant's API certificate and its key in one PEM file; refunds need it."
    )
    notify_url: Url = Field(
        "", description="URL that WeChat Pay reports to; empty: made from public_url by whoever sells."
    )
    timeout: float = Field(8.0, gt=0, description="Seconds that one call may take.")

    @property
    def sandboxed(self) -> bool:
        """Whether WeChat Pay is this installation's own sandbox (or, in production, not there)."""
        return not self.base_url

    @property
    def missing(self) -> str | None:
        """The first setting that a real account lacks, as the end of its variable's name."""
        given = {
            "APPID": self.appid,
            "MCHID": self.mchid,
            "KEY": _of_length(self.key),
            "CERTIFICATE": self.certificate,
        }
        return next((name for name, value in given.items() if not value), None)


def _of_length(key: SecretStr) -> bool:
    return len(key.get_secret_value().encode()) == KEY_LENGTH
