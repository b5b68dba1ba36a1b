"""What is on sale, and for how much: a live document `<app>-products.yaml`. Clients name a product, never a price.

Source: reference/identity_orders.md O01, O02; contracts/storefront.md.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from hutong.kernel.config import Document
from hutong.kernel.http.languages import LANGUAGES
from hutong.kernel.orders.errors import ProductUnknown
from hutong.kernel.orders.ports import Money

LARGEST_AMOUNT = 10**12
"""Minor units; a larger price is a slip of the hand."""
MOST, MOST_DAYS = 1_000, 36_600


def _whole(value: Any) -> int:
    """Documents are read leniently, which would take `true` for 1 and "1990" for 1990."""
    if type(value) is not int:
        raise ValueError("this has to be a whole number")
    return value


def _yes_or_no(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("this has to be true or false")
    return value


Whole = Annotated[int, BeforeValidator(_whole)]
YesOrNo = Annotated[bool, BeforeValidator(_yes_or_no)]
Count = Annotated[Whole, Field(ge=1, le=1_000_000_000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Part):
    """An amount in minor units, and its currency (CNY 12.30 is 1230)."""

    amount: Annotated[Whole, Field(ge=1, le=LARGEST_AMOUNT)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class MembershipGrant(_Part):
    """Days of a plan, added to what is left of it."""

    plan: Annotated[str, Field(min_length=1, max_length=32)]
    days: Annotated[Whole, Field(ge=1, le=MOST_DAYS)]


class Grants(_Part):
    """What one piece of a product gives, beside what the app itself does when an order is fulfilled.

    Args:
        credits: points.
        membership: days of a plan.
        revoke: whether a full refund takes it back, as far as it is still there.
    """

    credits: Count | None = None
    membership: MembershipGrant | None = None
    revoke: YesOrNo = False


class Product(_Part):
    """One thing on sale.

    Args:
        id: stable; orders keep it.
        names: by language, all of Hutong's.
        price: of one piece.
        grants: what a customer gets.
        active: whether it is on sale; one that is not can be looked up no more, orders of it stay as they are.
        max_quantity: pieces in one order.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    names: dict[str, Annotated[str, Field(min_length=1, max_length=100)]]
    price: Price
    grants: Grants = Grants()
    active: YesOrNo = True
    max_quantity: Annotated[Whole, Field(ge=1, le=MOST)] = 1

    @field_validator("names")
    @classmethod
    def _in_every_language(cls, names: dict[str, str]) -> dict[str, str]:
        if missing := [language for language in LANGUAGES if language not in names]:
            raise ValueError(f"there is no name in {', '.join(missing)}")
        return names

    @model_validator(mode="after")
    def _within_bounds(self) -> Self:
        if self.price.amount * self.max_quantity > LARGEST_AMOUNT:
            raise ValueError("so many pieces cost more than an order may")
        if self.grants.membership and self.grants.membership.days * self.max_quantity > MOST_DAYS:
            raise ValueError("so many pieces give more than a century")
        return self

    @property
    def money(self) -> Money:
        """The price of one piece."""
        return Money(self.price.amount, self.price.currency)


class Products(_Part):
    """`<app>-products.yaml`."""

    products: list[Product]

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        ids = [product.id for product in self.products]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"two products are called {', '.join(twice)}")
        return self


def products_document(app: str, default: bytes) -> Document[Products]:
    """The live document of an app's products.

    Args:
        app: its name.
        default: bundled YAML, used until the operator has a document of their own.

    Raises:
        DocumentInvalid: the default is not valid.
    """
    return Document(f"{app}-products.yaml", Products, default)


class Catalogue:
    """What is on sale at this moment."""

    def __init__(self, document: Document[Products]) -> None:
        self._document = document

    def get(self, product_id: str) -> Product:
        """A product that is on sale.

        Raises:
            ProductUnknown: there is none, or it is not on sale.
        """
        for product in self._document.value.products:
            if product.id == product_id and product.active:
                return product
        raise ProductUnknown

    def list(self) -> Sequence[Product]:
        """All that is on sale, in the document's order."""
        return [product for product in self._document.value.products if product.active]
