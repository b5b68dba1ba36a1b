"""What endpoints ask for: who calls, and which part of the app.

Every route takes `Caller` or `Administrator` unless it is one of the public ones that tests/house/test_routes.py lists.
Source: contracts/chat.md "Rules" (authenticated → active → quota).
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.types import Scope

from hutong.apps.chat.account.administration import Administration
from hutong.apps.chat.account.members import Member, Members
from hutong.apps.chat.account.service import OwnAccount
from hutong.apps.chat.conversations.service import Conversations
from hutong.apps.chat.conversations.transfer import Transfer
from hutong.apps.chat.live.service import Live
from hutong.apps.chat.replies.service import Replies
from hutong.apps.chat.settings import ChatSettings
from hutong.kernel.assembly import Kernel
from hutong.kernel.http.languages import language_of
from hutong.kernel.http.limits import Limit
from hutong.kernel.identity.accounts import Accounts
from hutong.kernel.identity.api_keys import ApiKeys
from hutong.kernel.identity.bearer import bearer_token
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.errors import AdministratorsOnly, TokenRevoked, UserUnknown
from hutong.kernel.identity.sessions import Sessions
from hutong.kernel.quotas import Quotas
from hutong.kit.text import is_printable

LONGEST_DEVICE_ID = 128
LONGEST_AGENT = 200


@dataclass(frozen=True)
class Chat:
    """The parts of this app, made once in `create_app`."""

    kernel: Kernel
    settings: ChatSettings
    accounts: Accounts
    sessions: Sessions
    members: Members
    account: OwnAccount
    administration: Administration
    replies: Replies
    live: Live
    conversations: Conversations
    transfer: Transfer
    quotas: Quotas
    keys: ApiKeys
    per_user: Limit


def parts_of(request: Request) -> Chat:
    """The parts of the app that a request came to."""
    parts: Chat = request.app.state.chat
    return parts


async def _app(request: Request) -> Chat:
    """A coroutine, for FastAPI sends any other dependency to a thread."""
    return parts_of(request)


async def _client(request: Request) -> Client:
    """The side of a caller who has not signed in."""
    return client_of(request)


App = Annotated[Chat, Depends(_app)]
Stranger = Annotated[Client, Depends(_client)]


async def member(request: Request) -> Member:
    """Who the request's token belongs to: verified, asked of the store, counted against the user's limit, and active.

    Raises:
        TokenMissing, TokenInvalid, TokenExpired, TokenWrongKind, TokenRevoked, LimitExceeded.
        UserBlocked: an administrator switched the account off.
        StoreUnavailable: nobody is let in, or turned out, unasked.
    """
    parts = parts_of(request)
    caller = await parts.sessions.admit(bearer_token(request.scope), parts.kernel.limiter, parts.per_user)
    request.scope["state"]["user_id"] = caller.user_id
    try:
        return await parts.members.get(caller.user_id, caller.session_id)
    except UserUnknown as error:  # deleted this very moment
        raise TokenRevoked from error


async def admin(request: Request) -> Member:
    """`member`, if they are an administrator.

    Raises:
        AdministratorsOnly: and all that `member` raises.
    """
    caller = await member(request)
    if not caller.is_admin:
        raise AdministratorsOnly
    return caller


class _AccessToken(SecurityBase):
    """`member` as the API description shows it: a lock on each call that needs a token."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="The access_token that POST /api/v1/auth/login answers.")
        self.scheme_name = "access_token"

    async def __call__(self, request: Request) -> Member:
        return await member(request)


class _AdminToken(_AccessToken):
    """`admin`, shown in the same way."""

    async def __call__(self, request: Request) -> Member:
        return await admin(request)


Caller = Annotated[Member, Depends(_AccessToken())]
Administrator = Annotated[Member, Depends(_AdminToken())]


def client_of(request: Request) -> Client:
    """The caller's side of a request, as the kernel wants it."""
    scope = request.scope
    return Client(request.state.address, language_of(scope), _device_of(scope), _agent(scope))


def _device_of(scope: Scope) -> str | None:
    """The client's own name for its device (`X-Device-ID`), if it is a usable one."""
    text = _header(scope, b"x-device-id", LONGEST_DEVICE_ID + 1)
    return text if len(text) <= LONGEST_DEVICE_ID and text and is_printable(text) else None


def _agent(scope: Scope) -> str | None:
    """What the client says of itself, shortened, for the list of sessions."""
    text = _header(scope, b"user-agent", LONGEST_AGENT)
    return text if text and is_printable(text) else None


def _header(scope: Scope, wanted: bytes, longest: int) -> str:
    sent: bytes = next((value for name, value in scope["headers"] if name == wanted), b"")
    return sent[:longest].decode("latin-1").strip()
