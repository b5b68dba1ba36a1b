"""Settings of Alipay. An empty `gateway_url` means the sandbox, outside production; in production, no such channel."""

from typing import Literal

from pydantic import Field, SecretStr

from hutong.kernel.settings import Section

VENDOR_URL = "https://openapi.alipay.com/gateway.do"
SANDBOX_APP_ID = "9021000000000001"
SANDBOX_SELLER_ID = "2088000000000001"


class AlipaySettings(Section):
    """One application of one merchant."""

    gateway_url: str = Field(
        "",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="URL, empty: this installation's sandbox, none in production; else https://openapi.alipay.com/gateway.do.",
    )
    app_id: str = Field("", pattern=r"^([0-9]{10,32})?$", description="Id of the application.")
    seller_id: str = Field(
        "", pattern=r"^(2088[0-9]{12})?$", description="Id (PID) of the merchant's account, that the money goes to."
    )
    private_key: SecretStr | None = Field(
        None,
        description="Private RSA key of the application, 2048 bits at least: PEM, bare Base64, or the path of a file that"
        " holds either.",
    )
    alipay_public_keys: list[str] = Field(
        default_factory=list,
        description="Public keys of Alipay (not of the application), as the private key is given; several while Alipay's"
        " is being changed.",
    )
    way: Literal["page", "wap", "native"] = Field(
        "page",
        description="How customers pay: `page` (a cashier for computers), `wap` (one for phones), `native` (a QR code).",
    )
    notify_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="URL that Alipay reports to; empty: made from public_url by whoever sells.",
    )
    return_url: str = Field(
        "", pattern=r"^(https?://\S+)?$", description="URL that the cashier sends customers back to; empty: nowhere."
    )
    timeout: float = Field(8.0, gt=0, description="Seconds that one call may take.")

    @property
    def sandboxed(self) -> bool:
        """Whether Alipay is this installation's own sandbox (or, in production, not there)."""
        return not self.gateway_url

    @property
    def missing(self) -> str | None:
        """The first setting that a real account lacks, as the end of its variable's name."""
        names = ("app_id", "seller_id", "private_key", "alipay_public_keys")
        return next((name.upper() for name in names if not getattr(self, name)), None)
