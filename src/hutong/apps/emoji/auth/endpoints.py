"""POST /auth/login and /auth/refresh."""

from fastapi import APIRouter, Request, Response

from hutong.apps.emoji.auth.schemas import DeviceLogin, Renewed, SignedIn
from hutong.apps.emoji.contract.responses import SIGNED_IN, WITH_BODY, failures
from hutong.apps.emoji.deps import App, Caller
from hutong.apps.emoji.envelope import Envelope, ok
from hutong.kernel.http.limits import Limit
from hutong.kernel.http.strict import StrictRoute

router = APIRouter(prefix="/api/v1/auth", tags=["auth"], route_class=StrictRoute)


@router.post(
    "/login",
    response_model=Envelope[SignedIn],
    responses=failures(403001, *WITH_BODY),
    summary="Sign in by device",
)
async def login(request: Request, body: DeviceLogin, emoji: App) -> Response:
    """Find or create the user of a device and give them a token. No token needed."""
    limit = Limit("emoji.login", emoji.settings.login_per_minute)
    await emoji.kernel.limiter.hit(limit, request.state.address)
    user, token = await emoji.identity.sign_in_device(body.device_id)
    profile = await emoji.profiles.get(user.id)
    seconds = int(emoji.identity.lifetime.total_seconds())
    return ok(SignedIn(access_token=token, expires_in=seconds, user=profile))


@router.post(
    "/refresh",
    response_model=Envelope[Renewed],
    responses=failures(*SIGNED_IN),
    summary="Renew a token that is still good",
)
async def refresh(emoji: App, caller: Caller) -> Response:
    """A valid token gives a new one; the old one stays good until its own end."""
    seconds = int(emoji.identity.lifetime.total_seconds())
    return ok(Renewed(access_token=emoji.identity.issue(caller), expires_in=seconds))
