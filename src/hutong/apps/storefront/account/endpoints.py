"""GET and PUT /me; the list of devices, and taking one off it."""

from fastapi import APIRouter, Response

from hutong.apps.storefront.account.schemas import SessionItem, SessionList, UserChange, UserView
from hutong.apps.storefront.contract.responses import SIGNED_IN, WITH_BODY, failures
from hutong.apps.storefront.deps import App, Caller
from hutong.apps.storefront.envelope import Envelope, ok
from hutong.kernel.http.answers import JSON
from hutong.kernel.http.strict import StrictRoute
from hutong.kernel.identity.errors import SessionUnknown
from hutong.kernel.identity.sessions import SessionView
from hutong.kit.clock import iso_z
from hutong.kit.ids import parse_id

router = APIRouter(prefix="/api/client/auth", tags=["account"], route_class=StrictRoute)


@router.get(
    "/me",
    response_model=Envelope[UserView],
    responses=failures(*SIGNED_IN),
    summary="The caller",
)
async def read_me(caller: Caller) -> Response:
    """Who is signed in."""
    return Response(caller.profile, media_type=JSON)


@router.put(
    "/me",
    response_model=Envelope[UserView],
    responses=failures(*SIGNED_IN, *WITH_BODY),
    summary="Change nickname or language",
)
async def change_me(body: UserChange, app: App, caller: Caller) -> Response:
    """Set what is given; `language: null` gives the choice back to Accept-Language."""
    if body.nickname is not None:
        await app.accounts.rename(caller.user_id, body.nickname)
    if "language" in body.model_fields_set:
        await app.accounts.set_language(caller.user_id, body.language)
    await app.profiles.forget(caller.user_id)
    return Response((await app.profiles.get(caller.user_id))[1], media_type=JSON)


@router.get(
    "/sessions",
    response_model=Envelope[SessionList],
    responses=failures(*SIGNED_IN),
    summary="Where the caller is signed in",
)
async def list_sessions(app: App, caller: Caller) -> Response:
    """The caller's live sessions, the one used last first."""
    sessions = await app.sessions.list(caller.user_id)
    return ok(SessionList(items=[_item(session, caller.session_id) for session in sessions]))


@router.delete(
    "/sessions",
    response_model=Envelope[None],
    responses=failures(*SIGNED_IN),
    summary="Sign out everywhere else",
)
async def end_other_sessions(app: App, caller: Caller) -> Response:
    """End all sessions of the caller but this one."""
    await app.sessions.end_others(caller.user_id, caller.session_id)
    return ok(None)


@router.delete(
    "/sessions/{session_id}",
    response_model=Envelope[None],
    responses=failures(*SIGNED_IN, "SESSION_NOT_FOUND"),
    summary="Sign a device out",
)
async def end_session(session_id: str, app: App, caller: Caller) -> Response:
    """End one session of the caller; its tokens stop working at once."""
    number = parse_id(session_id)
    if number is None:
        raise SessionUnknown
    await app.sessions.end(caller.user_id, number)
    return ok(None)


def _item(session: SessionView, current: int) -> SessionItem:
    return SessionItem(
        id=str(session.id),
        device_id=session.device_id,
        agent=session.agent,
        address=session.address,
        created_at=iso_z(session.created_at),
        last_used_at=iso_z(session.last_used_at),
        expires_at=iso_z(session.expires_at),
        current=session.id == current,
    )
