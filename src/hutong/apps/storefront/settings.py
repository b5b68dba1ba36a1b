"""Settings of the storefront app."""

from pydantic import Field

from hutong.kernel.identity.sessions import SessionPolicy
from hutong.kernel.orders import OrdersSettings
from hutong.kernel.settings import RealmKeys, Section


class StorefrontSettings(Section):
    """Keys, times and policies; the defaults are the contract's. What concerns all realms is in the section `auth`."""

    tokens: RealmKeys = Field(RealmKeys(), description="Signing keys of the realm; required in production.")
    always_200: bool = Field(
        False,
        description="Whether failed answers to clients have HTTP status 200, for old clients that read the code only.",
    )
    sessions: SessionPolicy = Field(SessionPolicy(), description="Lifetimes and bounds of sessions.")
    orders: OrdersSettings = Field(OrdersSettings(), description="Times and policies of orders.")
    channels: list[str] = Field(
        ["wechat", "alipay"],
        description="Payment channels on offer, of those that this installation has; wait with taking one off until its orders"
        " have ended, for it takes no more reports.",
    )
    profile_seconds: float = Field(
        300.0, ge=1, description="Seconds that a copy of a user's profile is kept in the store."
    )
    refused_notices_per_minute: int = Field(
        30,
        ge=1,
        description="Payment reports a minute that cannot be verified, from one address, before it is not listened to.",
    )
