"""POST /auth/register, /auth/login, /auth/refresh, /auth/logout.

Answers with tokens are for nobody's cache: the edge sends `Cache-Control: no-store` with every answer that says nothing else.
"""

import math
from datetime import datetime, timedelta

from fastapi import APIRouter, Response

from hutong.apps.chat.account.service import view
from hutong.apps.chat.auth.schemas import Login, Logout, Refresh, Register, SignedInView, Tokens
from hutong.apps.chat.contract.responses import SIGNED_IN, WITH_BODY, failures
from hutong.apps.chat.deps import App, Caller, Chat, Stranger
from hutong.apps.chat.envelope import API, ok
from hutong.apps.chat.rows.errors import UsernameInvalid, UsernameTaken
from hutong.kernel.http.strict import StrictRoute
from hutong.kernel.identity.accounts import Registration, SignedIn
from hutong.kernel.identity.errors import (
    CodeExhausted,
    CodeExpired,
    CodeInvalid,
    CredentialsWrong,
    EmailInvalid,
    EmailTaken,
    PasswordCommon,
    PasswordInvalid,
    PasswordTooLong,
    RefreshBusy,
    RefreshReused,
    RegistrationsUsedUp,
    SessionUnknown,
    SignInLocked,
    UserBlocked,
)
from hutong.kernel.identity.sessions import TokenPair

router = APIRouter(prefix=f"{API}/auth", tags=["auth"], route_class=StrictRoute)
NEW_PASSWORD = (PasswordTooLong, PasswordInvalid, PasswordCommon)
MAIL_CODE = (CodeInvalid, CodeExpired, CodeExhausted, SignInLocked)


@router.post(
    "/register",
    status_code=201,
    response_model=SignedInView,
    responses=failures(
        *WITH_BODY,
        *MAIL_CODE,
        *NEW_PASSWORD,
        EmailInvalid,
        EmailTaken,
        UsernameTaken,
        UsernameInvalid,
        RegistrationsUsedUp,
    ),
    summary="Open an account and sign in",
)
async def register(body: Register, app: App, client: Stranger) -> Response:
    """Open an account; the answer signs in. A taken name or address is said to be taken: what bounds the asking is the number
    of registrations that one IP address has a day."""
    wanted = Registration(body.email, body.password, code=body.code)
    return await _signed_in(await app.account.register(body.username, wanted, client), app, 201)


@router.post(
    "/login",
    response_model=SignedInView,
    responses=failures(
        *WITH_BODY, CredentialsWrong, UserBlocked, SignInLocked, EmailInvalid, PasswordTooLong, PasswordInvalid
    ),
    summary="Sign in",
)
async def login(body: Login, app: App, client: Stranger) -> Response:
    """A pair of tokens for a username or an e-mail address, and its password. `X-Device-ID` names the device."""
    return await _signed_in(await app.account.sign_in(body.username, body.password, client), app, 200)


@router.post(
    "/refresh",
    response_model=Tokens,
    responses=failures(*WITH_BODY, *SIGNED_IN[1:-1], RefreshReused, RefreshBusy),
    summary="The next pair of tokens",
)
async def refresh(body: Refresh, app: App, client: Stranger) -> Response:
    """Each refresh token is good once. For half a minute it answers with the same next pair again; after that, using it
    ends the session."""
    return ok(_tokens(await app.sessions.refresh(body.refresh_token, client), app.kernel.clock.now()))


@router.post(
    "/logout",
    status_code=204,
    response_class=Response,
    responses=failures(*SIGNED_IN, *WITH_BODY, SessionUnknown),
    summary="Sign out",
)
async def logout(app: App, caller: Caller, body: Logout | None = None) -> Response:
    """End this session, or with `all` every one; their tokens stop working at once."""
    if body is not None and body.all:
        await app.sessions.end_all(caller.user_id)
    else:
        await app.sessions.end(caller.user_id, caller.session_id)
    return Response(status_code=204)


async def _signed_in(signed_in: SignedIn, app: Chat, status: int) -> Response:
    tokens = _tokens(signed_in.tokens, app.kernel.clock.now())
    person = await app.account.get(signed_in.user.id)
    return ok(SignedInView(**tokens.model_dump(), user=view(person)), status)


def _tokens(pair: TokenPair, now: datetime) -> Tokens:
    return Tokens(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        expires_in=_seconds(pair.access_expires_at - now),
        refresh_expires_in=_seconds(pair.refresh_expires_at - now),
    )


def _seconds(left: timedelta) -> int:
    """Whole seconds, as the tokens themselves have them: a moment that has begun counts."""
    return max(0, math.ceil(left.total_seconds()))
