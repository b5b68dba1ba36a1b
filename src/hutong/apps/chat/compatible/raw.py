"""Routes without the framework's work: the endpoint reads the request by itself, and the description is written by hand.

Validation by models and serialisation of answers cost more than everything else on this path (reference/chat.md §4.3).
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from hutong.apps.chat.compatible.envelope import INVALID, SERVER
from hutong.kernel.http.answers import JSON, PathUnknown
from hutong.kit.text import is_clean

ERROR_BODY: Mapping[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string", "examples": [INVALID, SERVER]},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
MEANINGS: Mapping[int, str] = {
    400: "The request is wrong; `param` says where.",
    401: "The key or token is missing or wrong.",
    403: "The account or the model is closed to this caller.",
    404: "There is no such model or response.",
    413: "The body is too large.",
    429: "The quota is used up (`x-should-retry: false`), or calls come too fast.",
    500: "A defect of ours.",
    502: "The model failed.",
    503: "The model or a part of this installation is not available; try again.",
    504: "The model did not answer in time.",
}


class RawRoute(APIRoute):
    """A route whose endpoint takes the request and what stands in the path, and nothing else."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[..., Coroutine[Any, Any, Response]] = self.endpoint

        async def raw(request: Request) -> Response:
            places = request.path_params
            if not all(map(is_clean, places.values())):
                raise PathUnknown  # PostgreSQL refuses to look for a NUL
            return await endpoint(request, **places)

        return raw


def failing(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The failures of a route, for its description."""
    return {
        status: {"description": MEANINGS[status], "content": {JSON: {"schema": ERROR_BODY}}}
        for status in sorted({400, 401, 403, 429, 500, 503, *statuses})
    }


def answering(description: str, *, streamed: bool = False) -> dict[int | str, dict[str, Any]]:
    """The success of a route, for its description."""
    content: dict[str, Any] = {JSON: {"schema": {"type": "object"}}}
    if streamed:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    return {200: {"description": description, "content": content}}


def taking(required: list[str], properties: Mapping[str, Any]) -> dict[str, Any]:
    """What a route takes, for its description; more parameters are let through."""
    schema = {"type": "object", "required": required, "properties": dict(properties)}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}
