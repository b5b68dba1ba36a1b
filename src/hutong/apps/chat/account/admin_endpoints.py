"""GET /users, GET and PATCH /users/{user_id}: for administrators."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hutong.apps.chat.account.administration import OneselfOff
from hutong.apps.chat.account.schemas import MemberChange, MemberPage, MemberView
from hutong.apps.chat.contract.responses import SIGNED_IN, WITH_BODY, failures
from hutong.apps.chat.deps import Administrator, App, client_of
from hutong.apps.chat.envelope import API, ok
from hutong.apps.chat.rows.errors import MemberUnknown
from hutong.kernel.http.paging import Paging
from hutong.kernel.http.strict import StrictRoute
from hutong.kernel.identity.errors import AdministratorsOnly
from hutong.kit.ids import parse_id

router = APIRouter(prefix=f"{API}/users", tags=["administration"], route_class=StrictRoute)
Part = Annotated[
    str | None, Query(alias="q", min_length=1, max_length=100, description="Part of a username or an e-mail address.")
]


@router.get(
    "", response_model=MemberPage, responses=failures(*SIGNED_IN, AdministratorsOnly), summary="Users, the newest first"
)
async def list_users(app: App, caller: Administrator, paging: Paging, part: Part = None) -> Response:
    """All users, or those in whose username or address a text stands."""
    page = await app.administration.list(paging, part)
    return ok(MemberPage(items=list(page.items), total=page.total, page=page.page, page_size=page.page_size))


@router.get(
    "/{user_id}",
    response_model=MemberView,
    responses=failures(*SIGNED_IN, AdministratorsOnly, MemberUnknown),
    summary="One user",
)
async def read_user(user_id: str, app: App, caller: Administrator) -> Response:
    """One user, with their limits."""
    return ok(await app.administration.get(_id(user_id)))


@router.patch(
    "/{user_id}",
    response_model=MemberView,
    responses=failures(*SIGNED_IN, *WITH_BODY, AdministratorsOnly, MemberUnknown, OneselfOff),
    summary="Activate, make VIP, set limits",
)
async def change_user(user_id: str, body: MemberChange, request: Request, app: App, caller: Administrator) -> Response:
    """Set what is given. `is_active: false` ends the user's tokens and keys at once; a limit that is null is the
    installation's again. The audit trail keeps who changed what."""
    return ok(await app.administration.change(caller, _id(user_id), body, client_of(request)))


def _id(text: str) -> int:
    number = parse_id(text)
    if number is None:
        raise MemberUnknown
    return number
