"""GET and PUT /user/profile."""

from fastapi import APIRouter, Response

from hutong.apps.emoji.contract.responses import SIGNED_IN, WITH_BODY, failures
from hutong.apps.emoji.deps import App, Caller
from hutong.apps.emoji.envelope import Envelope, ok
from hutong.apps.emoji.user.schemas import ProfileChange, ProfileView
from hutong.kernel.http.strict import StrictRoute

router = APIRouter(prefix="/api/v1/user", tags=["user"], route_class=StrictRoute)


@router.get(
    "/profile",
    response_model=Envelope[ProfileView],
    responses=failures(*SIGNED_IN),
    summary="The caller's profile",
)
async def read_profile(emoji: App, caller: Caller) -> Response:
    """Nickname, membership and points balance."""
    return ok(await emoji.profiles.get(caller))


@router.put(
    "/profile",
    response_model=Envelope[ProfileView],
    responses=failures(*SIGNED_IN, *WITH_BODY),
    summary="Change the nickname",
)
async def change_profile(body: ProfileChange, emoji: App, caller: Caller) -> Response:
    """Set the nickname (1 to 64 printable characters)."""
    return ok(await emoji.profiles.rename(caller, body.nickname))
