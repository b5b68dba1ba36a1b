"""Bodies of orders."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from hutong.kernel.http.strict import StrictModel


class StatusWord(StrEnum):
    """The contract's words for where an order stands."""

    PENDING = "PENDING"
    PAID = "PAID"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    REFUND_PENDING = "REFUND_PENDING"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"


class CreateOrder(StrictModel):
    """What to buy and where to pay. The price is the catalogue's."""

    product_id: Annotated[str, Field(min_length=1, max_length=64, examples=["membership-month"])]
    channel: Annotated[str, Field(min_length=1, max_length=32, examples=["wechat"])]
    quantity: Annotated[int, Field(ge=1, le=1_000)] = 1
    payer: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="The buyer's id at the vendor (openid), where the way of paying needs one."
    )


class PayView(BaseModel):
    """What a client needs in order to pay."""

    way: str = Field(
        description="How to use the values: `native` (show code_url as a QR code), `page` (open pay_url), `jsapi`."
    )
    values: dict[str, str]


class OrderView(BaseModel):
    """An order as its owner sees it. Amounts are in minor units of the currency (fen, cent)."""

    order_no: str
    status: StatusWord
    product_id: str
    name: str = Field(description="What was bought, in the caller's language.")
    quantity: int
    amount: int
    currency: str
    channel: str
    refunded: int = Field(description="Minor units that were given back so far.")
    created_at: str
    expires_at: str = Field(description="From this moment on it cannot be paid in time.")
    paid_at: str | None
    fulfilled_at: str | None = Field(description="When what was bought was handed over.")
    pay: PayView | None = Field(description="Only while it can be paid.")


class OrderPage(BaseModel):
    """A page of the caller's orders, newest first."""

    items: list[OrderView]
    total: int
    page: int
    page_size: int
