"""The parts of the compatible endpoint, made once in `create_app`."""

import math
from dataclasses import dataclass

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.types import Scope

from hutong.apps.chat.compatible.accounts import Accounts
from hutong.apps.chat.compatible.callers import Callers
from hutong.apps.chat.compatible.responses.service import Responses
from hutong.kernel.gateway.chats import Chats
from hutong.kernel.quotas import QuotaUse
from hutong.kit.clock import Clock


@dataclass(frozen=True)
class Compatible:
    """What endpoints of `/v1` need.

    Args:
        callers: lets callers in.
        chats: the models.
        accounts: quotas and records.
        responses: the Responses of this process.
        clock: measures.
        usual_output: tokens that are reserved for an answer whose caller names no bound.
    """

    callers: Callers
    chats: Chats
    accounts: Accounts
    responses: Responses
    clock: Clock
    usual_output: int

    def headers(self, use: QuotaUse, begun: float) -> dict[str, str]:
        """What an answer says of the caller's quota and of the time that it took since `begun` (monotonic)."""
        millis = math.ceil((self.clock.monotonic() - begun) * 1000)
        return {"openai-processing-ms": str(millis), **use.headers(self.clock.now())}


def compatible_of(request: Request) -> Compatible:
    """The parts of the app that a request came to."""
    parts: Compatible = request.app.state.compatible
    return parts


def request_id_of(scope: Scope) -> str:
    """The id that the edge gave a request."""
    found: str = scope["state"]["request_id"]
    return found


class ApiKeyOrToken(SecurityBase):
    """What callers show, for the description: endpoints look at it by themselves."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="An API key (`hk-…`) or an access token.")
        self.scheme_name = "api_key"

    async def __call__(self, request: Request) -> None:
        """Raw routes never call it."""
