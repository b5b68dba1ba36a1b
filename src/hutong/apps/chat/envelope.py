"""The contract's bodies: a success is the thing itself, a failure `{"error":{"code","message","request_id","details"?}}`.

`code` is the dotted code of docs/reference/errors.md, `message` its English sentence. Paths under `/v1` answer in the form of
OpenAI, which whoever builds them hands to `Bodies`. Source: contracts/chat.md "Errors".
"""

import math
from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response
from pydantic import BaseModel, Field
from starlette.types import Scope

from hutong.kernel.http.answers import JSON, ErrorRenderer, Parts
from hutong.kit.errors import HutongError

REALM = "chat"
API = "/api/v1"
HIDDEN = 400
"""A status that the contract does not have: what is not valid is 422, whoever noticed."""


class FailureBody(BaseModel):
    """What went wrong."""

    code: str = Field(description="Stable, for programs; see docs/reference/errors.md.")
    message: str = Field(description="A sentence that says what to do.")
    request_id: str
    details: dict[str, Any] | None = Field(None, description="Facts, where there are any; left out otherwise.")


class Failure(BaseModel):
    """A failed answer."""

    error: FailureBody


def topic_of(user_id: int) -> str:
    """The feed that all tabs of a user hear."""
    return f"{REALM}:{user_id}"


def ok(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A successful answer of JSON-ready data or a model."""
    return Response(encoded(data), status, headers, JSON)


def encoded(data: Any) -> bytes:
    """The body of a successful answer."""
    return orjson.dumps(data.model_dump(mode="json") if isinstance(data, BaseModel) else data)


def status_of(error: HutongError | type[HutongError]) -> int:
    """The HTTP status of an error."""
    return 422 if error.status == HIDDEN else error.status


def own_path(scope: Scope) -> str:
    """The path below the app's mount."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


class Bodies:
    """Turns errors into this app's bodies.

    Args:
        others: by path prefix, as in `/v1/`, what renders errors there.
    """

    def __init__(self, others: Mapping[str, ErrorRenderer] | None = None) -> None:
        self._others = dict(others or {})

    def __call__(self, error: HutongError, scope: Scope) -> Parts:
        """Status, headers and body of an error."""
        path = own_path(scope)
        for prefix, render in self._others.items():
            if path.startswith(prefix):
                return render(error, scope)
        status = status_of(error)
        return status, headers_of(error, status), orjson.dumps({"error": _body(error, scope)})


def headers_of(error: HutongError, status: int) -> list[tuple[bytes, bytes]]:
    """Headers of a failed answer: its type, when to come back, which scheme to use, which limit was reached."""
    headers = [(b"content-type", JSON.encode()), (b"content-language", b"en")]
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after))))
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="%s"' % REALM.encode()))
    if status == 429:
        headers.extend(_limit_headers(error))
    headers.extend((name.encode(), value.encode("latin-1")) for name, value in error.headers.items())
    return headers


def _limit_headers(error: HutongError) -> list[tuple[bytes, bytes]]:
    """X-RateLimit-* of a refusal that says which limit was reached."""
    details = error.details or {}
    if not isinstance(details.get("limit"), int):
        return []
    return [
        (b"x-ratelimit-limit", b"%d" % details["limit"]),
        (b"x-ratelimit-remaining", b"%d" % int(details.get("remaining") or 0)),
        (b"x-ratelimit-reset", b"%d" % max(1, math.ceil(error.retry_after or 1))),
    ]


def _body(error: HutongError, scope: Scope) -> dict[str, Any]:
    body = {"code": error.code, "message": error.message, "request_id": scope["state"]["request_id"]}
    return body | ({"details": error.details} if error.details else {})
