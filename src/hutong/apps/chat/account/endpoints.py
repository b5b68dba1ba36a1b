"""GET, PATCH, DELETE /users/me; POST /users/me/password."""

from fastapi import APIRouter, Request, Response

from hutong.apps.chat.account.schemas import PasswordChange, UserChange, UserView
from hutong.apps.chat.account.service import view
from hutong.apps.chat.contract.responses import SIGNED_IN, WITH_BODY, failures
from hutong.apps.chat.deps import App, Caller, client_of
from hutong.apps.chat.envelope import API, ok
from hutong.apps.chat.rows.errors import UsernameInvalid, UsernameTaken
from hutong.kernel.http.strict import StrictRoute
from hutong.kernel.identity.errors import (
    PasswordCommon,
    PasswordInvalid,
    PasswordTooLong,
    PasswordWrong,
    SignInLocked,
)

router = APIRouter(prefix=f"{API}/users/me", tags=["account"], route_class=StrictRoute)


@router.get("", response_model=UserView, responses=failures(*SIGNED_IN), summary="The caller")
async def read_me(app: App, caller: Caller) -> Response:
    """Who is signed in."""
    return ok(view(await app.account.get(caller.user_id)))


@router.patch(
    "",
    response_model=UserView,
    responses=failures(*SIGNED_IN, *WITH_BODY, UsernameTaken, UsernameInvalid),
    summary="Change username or language",
)
async def change_me(body: UserChange, app: App, caller: Caller) -> Response:
    """Set what is given; `language: null` leaves the choice to the client again."""
    if body.username is not None:
        await app.account.rename(caller.user_id, body.username)
    if "language" in body.model_fields_set:
        await app.accounts.set_language(caller.user_id, body.language)
    return ok(view(await app.account.get(caller.user_id)))


@router.delete(
    "", status_code=204, response_class=Response, responses=failures(*SIGNED_IN), summary="Delete the account"
)
async def remove_me(request: Request, app: App, caller: Caller) -> Response:
    """Delete the account with its conversations. Tokens and keys end at once, name and address are free again.

    What stays: an empty row of the user's id, and the audit trail with the IP addresses of past calls."""
    await app.account.remove(caller.user_id, client_of(request))
    return Response(status_code=204)


@router.post(
    "/password",
    status_code=204,
    response_class=Response,
    responses=failures(
        *SIGNED_IN, *WITH_BODY, PasswordWrong, PasswordTooLong, PasswordInvalid, PasswordCommon, SignInLocked
    ),
    summary="Set a new password with the old one",
)
async def change_password(body: PasswordChange, request: Request, app: App, caller: Caller) -> Response:
    """Set a new password. All other sessions of the user end."""
    await app.accounts.change_password(
        caller.user_id, caller.session_id, body.old_password, body.new_password, client_of(request)
    )
    return Response(status_code=204)
