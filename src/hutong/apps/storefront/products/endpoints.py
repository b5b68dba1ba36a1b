"""GET /product/list."""

from fastapi import APIRouter, Response

from hutong.apps.storefront.contract.responses import NAMED, SIGNED_IN, failures
from hutong.apps.storefront.deps import App, Spoken, Storefront
from hutong.apps.storefront.envelope import Envelope, ok, said_in
from hutong.apps.storefront.products.schemas import ProductList, ProductView
from hutong.kernel.http.languages import Language
from hutong.kernel.http.strict import StrictRoute
from hutong.kernel.orders import Product

router = APIRouter(prefix="/api/client/product", tags=["product"], route_class=StrictRoute)


@router.get(
    "/list",
    response_model=Envelope[ProductList],
    responses={**NAMED, **failures(*SIGNED_IN[1:])},
    summary="What is on sale",
)
async def list_products(app: App, language: Spoken) -> Response:
    """Products and prices at this moment. No token needed; with one, names are in the user's own language."""
    items = [_view(product, language, app) for product in app.catalogue.list()]
    return ok(ProductList(items=items), headers=said_in(language))


def _view(product: Product, language: Language, app: Storefront) -> ProductView:
    money = product.money
    return ProductView(
        id=product.id,
        name=product.names[language],
        amount=money.amount,
        currency=money.currency,
        max_quantity=product.max_quantity,
        channels=[name for name, channel in app.channels.items() if money.currency in channel.currencies],
    )
