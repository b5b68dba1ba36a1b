"""Settings of Alipay."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from hutong.kernel.settings import Section
from hutong.providers.alipay.keys import private_key, public_key

VENDOR_URL = "https://openapi.alipay.com/gateway.do"
SANDBOX_APP_ID = "9021000000000001"
SANDBOX_SELLER_ID = "2088000000000001"


class AlipaySettings(Section):
    """One application of one merchant; the defaults are the sandbox's."""

    gateway_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="URL of the gateway, https://openapi.alipay.com/gateway.do; empty: this installation's sandbox, and in"
        " production no Alipay.",
    )
    app_id: str = Field(SANDBOX_APP_ID, pattern=r"^[0-9]{10,32}$", description="The application's id.")
    seller_id: str = Field(
        SANDBOX_SELLER_ID,
        pattern=r"^2088[0-9]{12}$",
        description="The merchant's account (PID) that the money goes to.",
    )
    private_key: SecretStr | None = Field(
        None,
        description="The application's private RSA key, 2048 bits at least: PEM, bare Base64, or the path of a file with"
        " either; empty: the sandbox's.",
    )
    alipay_public_keys: list[str] = Field(
        default_factory=list,
        description="Alipay's public keys (not the application's), each PEM, bare Base64 or a path; several while Alipay's"
        " key is being changed; empty: the sandbox's.",
    )
    way: Literal["page", "wap", "native"] = Field(
        "page",
        description="How customers pay: `page` (cashier for computers), `wap` (for phones' browsers), `native` (a QR code).",
    )
    return_url: str = Field(
        "", pattern=r"^(https?://\S+)?$", description="URL that the cashier sends the customer back to; empty: nowhere."
    )
    timeout: float = Field(15.0, gt=0, description="Seconds that one call may take.")

    @property
    def sandboxed(self) -> bool:
        """Whether Alipay is this installation's own sandbox."""
        return not self.gateway_url

    @field_validator("private_key")
    @classmethod
    def _usable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            private_key(value.get_secret_value())
        return value

    @field_validator("alipay_public_keys")
    @classmethod
    def _all_usable(cls, value: list[str]) -> list[str]:
        for each in value:
            public_key(each)
        return value
