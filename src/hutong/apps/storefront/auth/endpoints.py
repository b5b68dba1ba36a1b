"""POST /register, /login, /logout, /refresh, /send-email-code, /email-verify-login, /password/reset, /password/change.

Answers with tokens are for nobody's cache: the edge sends `Cache-Control: no-store` with every answer that says nothing else.
"""

import math
from datetime import datetime, timedelta

from fastapi import APIRouter, Request, Response

from hutong.apps.storefront.account.service import view
from hutong.apps.storefront.auth.schemas import (
    CodeLogin,
    LoggedIn,
    Login,
    Logout,
    PasswordChange,
    PasswordReset,
    Refresh,
    Register,
    SendCode,
    Tokens,
)
from hutong.apps.storefront.contract.responses import MAIL_CODE, NEW_PASSWORD, SIGNED_IN, WITH_BODY, failures
from hutong.apps.storefront.deps import App, Caller, Storefront, Stranger
from hutong.apps.storefront.envelope import Envelope, ok
from hutong.kernel.http.strict import StrictRoute
from hutong.kernel.identity.accounts import Registration, SignedIn
from hutong.kernel.identity.sessions import TokenPair
from hutong.kernel.identity.tables import CodePurpose

router = APIRouter(prefix="/api/client/auth", tags=["auth"], route_class=StrictRoute)
SIGNING_IN = ("USER_DISABLED", "ACCOUNT_LOCKED", *WITH_BODY)


@router.post(
    "/register",
    response_model=Envelope[None],
    responses=failures(*WITH_BODY, *MAIL_CODE, *NEW_PASSWORD),
    summary="Open an account",
)
async def register(body: Register, app: App, client: Stranger) -> Response:
    """Open an account with an e-mail address. A known address is answered like a new one; only the mail to it tells."""
    await app.accounts.register(Registration(body.email, body.password, body.nickname, body.code), client)
    return ok(None)


@router.post(
    "/login",
    response_model=Envelope[LoggedIn],
    responses=failures("AUTH_INVALID_CREDENTIALS", *SIGNING_IN),
    summary="Sign in by password",
)
async def login(body: Login, app: App, client: Stranger) -> Response:
    """A pair of tokens for an address and its password. `X-Device-ID` names the device in the list of sessions."""
    return await _logged_in(await app.accounts.sign_in(body.email, body.password, client), app)


@router.post(
    "/email-verify-login",
    response_model=Envelope[LoggedIn],
    responses=failures(*SIGNING_IN, *MAIL_CODE),
    summary="Sign in by mail code",
)
async def login_by_code(body: CodeLogin, app: App, client: Stranger) -> Response:
    """A pair of tokens for an address and a code of purpose `login`; an unknown address becomes an account."""
    return await _logged_in(await app.accounts.sign_in_with_code(body.email, body.code, client), app)


@router.post(
    "/send-email-code",
    response_model=Envelope[None],
    responses=failures(*WITH_BODY, "SEND_TOO_FREQUENT", "SEND_LIMIT_REACHED"),
    summary="Send a code by mail",
)
async def send_code(body: SendCode, app: App, client: Stranger) -> Response:
    """Six digits by mail, in place of earlier ones for this purpose. The answer is the same for known and unknown addresses."""
    await app.accounts.send_code(body.email, CodePurpose(body.purpose), client)
    return ok(None)


@router.post(
    "/refresh",
    response_model=Envelope[Tokens],
    responses=failures(*WITH_BODY, *SIGNED_IN[1:], "REFRESH_TOKEN_REUSED"),
    summary="The next pair of tokens",
)
async def refresh(body: Refresh, app: App, client: Stranger) -> Response:
    """Each refresh token is good once. For half a minute it answers with the same next pair again; after that, using it
    ends the session."""
    return ok(_tokens(await app.sessions.refresh(body.refresh_token, client), app.kernel.clock.now()))


@router.post(
    "/logout",
    response_model=Envelope[None],
    responses=failures(*SIGNED_IN, *WITH_BODY),
    summary="Sign out",
)
async def logout(app: App, caller: Caller, body: Logout | None = None) -> Response:
    """End this session, or with `all` every one; their tokens stop working at once."""
    if body is not None and body.all:
        await app.sessions.end_all(caller.user_id)
    else:
        await app.sessions.end(caller.user_id, caller.session_id)
    return ok(None)


@router.post(
    "/password/reset",
    response_model=Envelope[None],
    responses=failures(*WITH_BODY, *MAIL_CODE, *NEW_PASSWORD),
    summary="Set a new password by mail code",
)
async def reset_password(body: PasswordReset, app: App, client: Stranger) -> Response:
    """Set a new password with a code of purpose `reset`. All sessions end and a lock is lifted."""
    await app.accounts.reset_password(body.email, body.code, body.new_password, client)
    return ok(None)


@router.post(
    "/password/change",
    response_model=Envelope[None],
    responses=failures(*SIGNED_IN, *WITH_BODY, *NEW_PASSWORD, "OLD_PASSWORD_WRONG", "ACCOUNT_LOCKED"),
    summary="Set a new password with the old one",
)
async def change_password(body: PasswordChange, request: Request, app: App, caller: Caller) -> Response:
    """Set a new password. All other sessions of the user end."""
    await app.accounts.change_password(
        caller.user_id, caller.session_id, body.old_password, body.new_password, caller.client(request)
    )
    return ok(None)


async def _logged_in(signed_in: SignedIn, app: Storefront) -> Response:
    await app.profiles.forget(signed_in.user.id)  # it counts sign-ins
    tokens = _tokens(signed_in.tokens, app.kernel.clock.now())
    return ok(LoggedIn(**tokens.model_dump(), user=view(signed_in.user)))


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
