"""POST /api/payment/notify/{channel}: where payment vendors report. No token: the report's own signature is the proof.

The answer is in the vendor's form, not in ours. Source: contracts/storefront.md; reference/identity_orders.md §5.3, O05.
"""

from fastapi import APIRouter, Request, Response

from hutong.apps.storefront.deps import App
from hutong.kernel.http.answers import PathUnknown
from hutong.kernel.http.strict import StrictRoute

router = APIRouter(prefix="/api/payment", tags=["payment"], route_class=StrictRoute)


@router.post(
    "/notify/{channel}",
    response_class=Response,
    responses={
        200: {"description": "In the vendor's own form: whether the report was taken.", "content": {"*/*": {}}},
        204: {"description": "The report was taken, where the vendor wants no body."},
        "default": {
            "description": "The report was not taken: in the vendor's own form, or in ours if nobody looked at it.",
            "content": {"*/*": {}},
        },
    },
    summary="A payment vendor's report",
)
async def receive_notice(channel: str, request: Request, app: App) -> Response:
    """Verified, stored once and applied; a report that is sent again changes nothing. For payment vendors only.

    Only what cannot be verified counts against an address: a vendor that tells of something unknown, or while the database
    is away, goes on being listened to.
    """
    if channel not in app.channels:
        raise PathUnknown
    address = request.state.address
    await app.refused_notices.check(address)
    received = await app.orders.receive(channel, dict(request.headers), await request.body())
    if not received.verified:
        await app.refused_notices.count(address)
    answer = received.answer
    return Response(answer.body, answer.status, dict(answer.headers))
