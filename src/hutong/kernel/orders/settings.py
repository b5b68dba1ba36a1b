"""How an app sells; part of the app's own section."""

from typing import Literal

from pydantic import Field

from hutong.kernel.settings import Section


class OrdersSettings(Section):
    """Times and policies of orders."""

    expiry_seconds: int = Field(
        1800,
        ge=1,
        le=7 * 86_400,
        description="Seconds in which an order must be paid; WeChat Pay takes no less than 60.",
    )
    late_payment: Literal["revive", "refund"] = Field(
        "revive",
        description="What becomes of money that comes after an order expired or was cancelled: `revive` the order, or"
        " `refund` it.",
    )
    unopened_seconds: float = Field(
        180.0,
        gt=0,
        description="Seconds after which an order whose call to the vendor was never answered is closed there and given up.",
    )
    refund_review_seconds: float = Field(
        7 * 86_400.0,
        gt=0,
        description="Seconds after which a refund that the vendor has not decided is put up for review.",
    )
    notice_seconds: float = Field(
        2 * 86_400.0,
        gt=0,
        description="Seconds for which a vendor's report about an unknown order is kept and tried again.",
    )
