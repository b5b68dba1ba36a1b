"""What endpoints of this app ask for: who calls, which page, which part of the app.

Every route takes `Caller` unless it is one of the public ones that tests/apps/emoji/contract/test_requests.py lists.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from hutong.apps.emoji.catalogue.service import Catalogue
from hutong.apps.emoji.generation.service import Generations
from hutong.apps.emoji.pictures.service import Pictures
from hutong.apps.emoji.settings import EmojiSettings
from hutong.apps.emoji.user.service import Profiles
from hutong.kernel.assembly import Kernel
from hutong.kernel.http.limits import Limit
from hutong.kernel.identity import Identity
from hutong.kernel.identity.bearer import bearer_token


@dataclass(frozen=True)
class Emoji:
    """The parts of this app, made once in `create_app`."""

    kernel: Kernel
    settings: EmojiSettings
    identity: Identity
    profiles: Profiles
    catalogue: Catalogue
    pictures: Pictures
    generations: Generations


def _emoji(request: Request) -> Emoji:
    emoji: Emoji = request.app.state.emoji
    return emoji


async def _app(request: Request) -> Emoji:
    """Dependencies are coroutines all: FastAPI sends any other to a thread, which costs more than the rest of the call."""
    return _emoji(request)


App = Annotated[Emoji, Depends(_app)]


async def signed_in(request: Request) -> int:
    """The id of the user whose token the request carries; counts it against the user's limit.

    Raises:
        TokenMissing, TokenInvalid, TokenExpired, LimitExceeded.
    """
    emoji = _emoji(request)
    token = bearer_token(request.scope)
    limit = Limit("user", emoji.kernel.settings.limits.user_per_minute)
    claims = await emoji.identity.admit(token, emoji.kernel.limiter, limit)
    request.state.user_id = claims.user_id
    return claims.user_id


class _AccessToken(SecurityBase):
    """`signed_in` as the API description shows it: a lock on each call that needs a token."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="The access_token that POST /api/v1/auth/login answers.")
        self.scheme_name = "access_token"

    async def __call__(self, request: Request) -> int:
        return await signed_in(request)


Caller = Annotated[int, Depends(_AccessToken())]


async def limit_user(emoji: Emoji, name: str, per_minute: int, user_id: int) -> None:
    """Count one call of a costly endpoint.

    Raises:
        LimitExceeded.
    """
    await emoji.kernel.limiter.hit(Limit(f"emoji.{name}", per_minute), str(user_id))
