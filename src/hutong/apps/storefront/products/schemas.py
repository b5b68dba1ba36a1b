"""Bodies of the catalogue."""

from pydantic import BaseModel, Field


class ProductView(BaseModel):
    """One thing on sale."""

    id: str
    name: str = Field(description="In the caller's language.")
    amount: int = Field(description="Price of one piece in minor units of the currency (fen, cent).")
    currency: str = Field(description="ISO 4217.", examples=["CNY"])
    max_quantity: int = Field(description="Pieces in one order.")
    channels: list[str] = Field(description="Where it can be paid.", examples=[["wechat", "alipay"]])


class ProductList(BaseModel):
    """All that is on sale."""

    items: list[ProductView]
