"""What routes answer beside success, for the API description: `responses=failures(ConversationUnknown)` on a route.

Source: contracts/chat.md "Errors".
"""

from collections.abc import Mapping
from typing import Any

from hutong.apps.chat.envelope import Failure, status_of
from hutong.kernel.http.answers import JSON
from hutong.kernel.http.limits import LimitExceeded
from hutong.kernel.http.middleware import BodyTooLarge
from hutong.kernel.http.strict import BodyMalformed, BodyOfAnotherKind, FieldsInvalid
from hutong.kernel.identity.errors import (
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TokenRevoked,
    TokenWrongKind,
    UserBlocked,
)
from hutong.kit.errors import HutongError, Unavailable

Kind = type[HutongError]
HEADERS: Mapping[str, Any] = {
    "Content-Language": {
        "description": "Language of `message`.",
        "required": True,
        "schema": {"type": "string", "enum": ["en"]},
    },
}
ALWAYS: tuple[Kind, ...] = (FieldsInvalid, LimitExceeded, HutongError, Unavailable)
SIGNED_IN: tuple[Kind, ...] = (TokenMissing, TokenInvalid, TokenExpired, TokenRevoked, TokenWrongKind, UserBlocked)
WITH_BODY: tuple[Kind, ...] = (BodyMalformed, BodyTooLarge, BodyOfAnotherKind)
Responses = dict[int | str, dict[str, Any]]


def failures(*errors: Kind) -> Responses:
    """The failures of a route: those of every route, and these."""
    by_status: dict[int, list[Kind]] = {}
    for error in sorted({*ALWAYS, *errors}, key=lambda error: error.code):
        by_status.setdefault(status_of(error), []).append(error)
    return {status: _response(found) for status, found in sorted(by_status.items())}


def _response(errors: list[Kind]) -> dict[str, Any]:
    examples = {error.code.replace(".", "-"): {"value": {"error": _example(error)}} for error in errors}
    meaning = " ".join(f"{error.code}: {_sentence(error)}" for error in errors)
    return {"model": Failure, "description": meaning, "content": {JSON: {"examples": examples}}}


def _example(error: Kind) -> dict[str, Any]:
    return {"code": error.code, "message": _sentence(error), "request_id": "0b9f5a2e61c44d0f"}


def _sentence(error: Kind) -> str:
    return (error.__doc__ or error.code).strip().splitlines()[0]
