"""GET /points/balance and /points/transactions."""

from fastapi import APIRouter, Response

from hutong.apps.emoji.contract.responses import SIGNED_IN, failures
from hutong.apps.emoji.deps import App, Caller
from hutong.apps.emoji.envelope import Envelope, ok
from hutong.apps.emoji.points.rules import view
from hutong.apps.emoji.points.schemas import Balance, TransactionPage
from hutong.kernel.credits import list_entries
from hutong.kernel.http.answers import JSON
from hutong.kernel.http.paging import Paging
from hutong.kernel.http.strict import StrictRoute

router = APIRouter(prefix="/api/v1/points", tags=["points"], route_class=StrictRoute)


@router.get(
    "/balance",
    response_model=Envelope[Balance],
    responses=failures(*SIGNED_IN),
    summary="The caller's points",
)
async def read_balance(emoji: App, caller: Caller) -> Response:
    """The balance, read from its row (never from a cache)."""
    balance = await emoji.kernel.wallet.balance(caller)
    return Response(b'{"code":0,"message":"success","data":{"balance":%d}}' % balance, media_type=JSON)


@router.get(
    "/transactions",
    response_model=Envelope[TransactionPage],
    responses=failures(*SIGNED_IN),
    summary="The caller's ledger",
)
async def list_transactions(emoji: App, caller: Caller, paging: Paging) -> Response:
    """What was granted, taken and given back, newest first."""
    page = (await emoji.kernel.db.read(list_entries, caller, paging)).map(view)
    return ok(TransactionPage(items=list(page.items), total=page.total, page=page.page, page_size=page.page_size))
