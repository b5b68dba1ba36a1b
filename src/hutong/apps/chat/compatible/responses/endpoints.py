"""POST /v1/responses, and what becomes of a response: get, hear again, cancel, delete, its input."""

from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request, Response

from hutong.apps.chat.compatible.deps import ApiKeyOrToken, Compatible, compatible_of, request_id_of
from hutong.apps.chat.compatible.errors import ParameterInvalid
from hutong.apps.chat.compatible.raw import RawRoute, answering, failing, taking
from hutong.apps.chat.compatible.responses.request import read_request
from hutong.apps.chat.compatible.responses.service import Started
from hutong.apps.chat.compatible.responses.streaming import ResponseStream, next_of
from hutong.kernel.http.answers import JSON

LONGEST_NUMBER = 15
router = APIRouter(
    prefix="/v1/responses", tags=["openai"], route_class=RawRoute, dependencies=[Depends(ApiKeyOrToken())]
)


def _in_query(name: str, kind: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": {"type": kind}}


@router.post(
    "",
    responses=failing(404, 413, 502, 504)
    | answering("The response, or its events with `stream: true`.", streamed=True),
    summary="A response, as OpenAI's clients ask for it",
    openapi_extra=taking(
        ["model", "input"],
        {
            "model": {"type": "string", "minLength": 1},
            "input": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]},
            "instructions": {"type": ["string", "null"]},
            "previous_response_id": {"type": ["string", "null"]},
            "stream": {"type": ["boolean", "null"]},
            "background": {"type": ["boolean", "null"]},
            "store": {"type": ["boolean", "null"]},
            "max_output_tokens": {"type": ["integer", "null"], "minimum": 1},
        },
    ),
)
async def create_response(request: Request) -> Response:
    """Generated apart from this connection: who leaves finds it afterwards, unless it was not to be stored."""
    parts = compatible_of(request)
    begun = parts.clock.monotonic()
    caller = await parts.callers.admit(request.scope)
    body = read_request(await request.body())
    started = await parts.responses.start(caller, body, request_id_of(request.scope))
    if body.get("stream"):
        if not body.get("background"):
            await parts.responses.begun(started)
        return await _heard(parts, started, begun)
    if body.get("background"):
        return _json(started.run.composer.present(), parts.headers(started.charge.use, begun))
    answer = await parts.responses.whole(started)
    return _json(answer, parts.headers(started.charge.use, begun))


@router.get(
    "/{response_id}",
    responses=failing(404) | answering("The response, or its events with `stream=true`.", streamed=True),
    summary="A response that was stored",
    openapi_extra={"parameters": [_in_query("stream", "boolean"), _in_query("starting_after", "integer")]},
)
async def get_response(request: Request, response_id: str) -> Response:
    """With `stream=true` its events, from behind the number `starting_after`, whichever process writes them."""
    parts = compatible_of(request)
    caller = await parts.callers.admit(request.scope)
    stream, after = _is_true(request, "stream"), _number(request, "starting_after")
    found = await parts.responses.get(caller.member.user_id, response_id)
    if not stream:
        return _json(found.answer)
    entries = parts.responses.events(response_id, after)
    return ResponseStream(entries, await next_of(entries), {}, lambda: None)


@router.post(
    "/{response_id}/cancel",
    responses=failing(404) | answering("The response as it is now."),
    summary="Cancel a response that runs in the background",
)
async def cancel_response(request: Request, response_id: str) -> Response:
    """What was generated is kept, and charged."""
    parts = compatible_of(request)
    caller = await parts.callers.admit(request.scope)
    found = await parts.responses.cancel(caller.member.user_id, response_id)
    return _json(found.answer)


@router.delete(
    "/{response_id}",
    responses=failing(404) | answering("That it is deleted."),
    summary="Delete a response",
)
async def delete_response(request: Request, response_id: str) -> Response:
    """One that runs is ended."""
    parts = compatible_of(request)
    caller = await parts.callers.admit(request.scope)
    await parts.responses.remove(caller.member.user_id, response_id)
    return _json({"id": response_id, "object": "response", "deleted": True})


@router.get(
    "/{response_id}/input_items",
    responses=failing(404) | answering("The items."),
    summary="What a response was made from",
)
async def list_input_items(request: Request, response_id: str) -> Response:
    """All at once."""
    parts = compatible_of(request)
    caller = await parts.callers.admit(request.scope)
    found = await parts.responses.get(caller.member.user_id, response_id)
    items = [{"id": f"msg_{found.id}_{number}", **item} for number, item in enumerate(found.items)]
    ends = {"first_id": items[0]["id"] if items else None, "last_id": items[-1]["id"] if items else None}
    return _json({"object": "list", "data": items, **ends, "has_more": False})


async def _heard(parts: Compatible, started: Started, begun: float) -> Response:
    def left() -> None:
        if not started.run.stored:
            parts.responses.stop(started)

    entries = parts.responses.events(started.run.response_id)
    first = await next_of(entries)
    return ResponseStream(entries, first, parts.headers(started.charge.use, begun), left)


def _is_true(request: Request, name: str) -> bool:
    given = request.query_params.get(name, "false").lower()
    if given not in {"true", "false"}:
        raise ParameterInvalid(name, f"{name} must be true or false.")
    return given == "true"


def _number(request: Request, name: str) -> int:
    given = request.query_params.get(name)
    if given is None:
        return -1
    if not (given.isascii() and given.isdigit() and len(given) <= LONGEST_NUMBER):
        raise ParameterInvalid(name, f"{name} must be an integer.")
    return int(given)


def _json(content: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), 200, headers, JSON)
