"""POST /order/create, GET /order/status/{order_no}, GET /order/list, POST /order/cancel/{order_no}."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from hutong.apps.storefront.contract.responses import NAMED, SIGNED_IN, WITH_BODY, failures
from hutong.apps.storefront.deps import App, Caller
from hutong.apps.storefront.envelope import Envelope, ok, said_in
from hutong.apps.storefront.orders.rules import status_of, view
from hutong.apps.storefront.orders.schemas import CreateOrder, OrderPage, OrderView, StatusWord
from hutong.kernel.http.paging import Paging
from hutong.kernel.http.strict import StrictRoute

router = APIRouter(prefix="/api/client/order", tags=["order"], route_class=StrictRoute)
GATEWAY = ("PAYMENT_GATEWAY_ERROR", "PAYMENT_GATEWAY_UNAVAILABLE")
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="1 to 255 visible ASCII characters of your own: the same key and body again gives the first answer.",
    ),
]
StatusFilter = Annotated[StatusWord | None, Query(description="Only orders of this status.")]


@router.post(
    "/create",
    response_model=Envelope[OrderView],
    responses={
        **NAMED,
        **failures(
            *SIGNED_IN,
            *WITH_BODY,
            *("PRODUCT_NOT_FOUND", "PAYMENT_METHOD_UNSUPPORTED", "CURRENCY_UNSUPPORTED", "ORDER_INVALID_STATUS"),
            *("IDEMPOTENCY_KEY_IN_USE", "IDEMPOTENCY_KEY_REUSED", *GATEWAY),
        ),
    },
    summary="Order a product",
)
async def create_order(
    body: CreateOrder, request: Request, app: App, caller: Caller, idempotency_key: IdempotencyKey = None
) -> Response:
    """Order a product at the catalogue's price; `pay` says how to pay it. Send an `Idempotency-Key`, so that asking again
    after a lost answer makes no second order."""
    created = await app.orders.create(
        caller.user_id,
        body.product_id,
        body.channel,
        caller.client(request),
        idempotency_key=idempotency_key,
        quantity=body.quantity,
        payer=body.payer,
    )
    return ok(view(created.order, caller.language), headers=said_in(caller.language))


@router.get(
    "/status/{order_no}",
    response_model=Envelope[OrderView],
    responses={**NAMED, **failures(*SIGNED_IN, "ORDER_NOT_FOUND")},
    summary="How an order stands",
)
async def read_order(order_no: str, app: App, caller: Caller) -> Response:
    """One of the caller's own orders; somebody else's does not exist."""
    order = await app.orders.get(caller.user_id, order_no)
    return ok(view(order, caller.language), headers=said_in(caller.language))


@router.get(
    "/list",
    response_model=Envelope[OrderPage],
    responses={**NAMED, **failures(*SIGNED_IN)},
    summary="The caller's orders",
)
async def list_orders(app: App, caller: Caller, paging: Paging, status: StatusFilter = None) -> Response:
    """Newest first; of one status if that is given."""
    page = await app.orders.list(caller.user_id, paging, status_of(status) if status else None)
    items = [view(order, caller.language) for order in page.items]
    body = OrderPage(items=items, total=page.total, page=page.page, page_size=page.page_size)
    return ok(body, headers=said_in(caller.language))


@router.post(
    "/cancel/{order_no}",
    response_model=Envelope[OrderView],
    responses={
        **NAMED,
        **failures(*SIGNED_IN, "ORDER_NOT_FOUND", "ORDER_EXPIRED", "ORDER_CANNOT_CANCEL", *GATEWAY),
    },
    summary="Call an order off",
)
async def cancel_order(order_no: str, app: App, caller: Caller) -> Response:
    """Close an order that is not paid yet, at the payment channel first. One that is cancelled stays so."""
    order = await app.orders.cancel(caller.user_id, order_no)
    return ok(view(order, caller.language), headers=said_in(caller.language))
