"""POST /v1/chat/completions, GET /v1/models."""

from collections.abc import Awaitable
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, Depends, Request, Response

from hutong.apps.chat.compatible.accounts import Charge
from hutong.apps.chat.compatible.bodies import read_call, reserve_for, wished
from hutong.apps.chat.compatible.deps import ApiKeyOrToken, Compatible, compatible_of, request_id_of
from hutong.apps.chat.compatible.raw import RawRoute, answering, failing, taking
from hutong.apps.chat.compatible.streaming import CompletionStream
from hutong.apps.chat.compatible.tables import Outcome, Source
from hutong.kernel.gateway.chat import ChatCall
from hutong.kernel.gateway.routing import ModelCard
from hutong.kernel.http.answers import JSON
from hutong.kit.ids import EPOCH_MS

T = TypeVar("T")
MADE_AT = EPOCH_MS // 1000
"""When a model was made, which nobody knows; clients want a number."""
router = APIRouter(prefix="/v1", tags=["openai"], route_class=RawRoute, dependencies=[Depends(ApiKeyOrToken())])


@router.post(
    "/chat/completions",
    responses=failing(404, 413, 502, 504)
    | answering("The completion, or its chunks with `stream: true`.", streamed=True),
    summary="A chat completion, as OpenAI's clients ask for it",
    openapi_extra=taking(
        ["model", "messages"],
        {
            "model": {"type": "string", "minLength": 1},
            "messages": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["role"]}},
            "stream": {"type": ["boolean", "null"]},
            "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 128},
            "max_tokens": {"type": ["integer", "null"], "minimum": 1},
            "tools": {"type": ["array", "null"], "items": {"type": "object"}},
        },
    ),
)
async def create_completion(request: Request) -> Response:
    """Tools, pictures, `response_format`, `n`, `stop`, log probabilities and what we do not know pass through unchanged."""
    parts = compatible_of(request)
    begun = parts.clock.monotonic()
    caller = await parts.callers.admit(request.scope)
    body = read_call(await request.body())
    model, vip = body["model"], caller.member.is_vip
    tokens = reserve_for(body, parts.chats.model(model, vip=vip).facts, parts.usual_output)
    request_id = request_id_of(request.scope)
    charge = await parts.accounts.reserve(caller, Source.COMPLETION, model, tokens, request_id)
    call = ChatCall(model, body, charge.user_id, request_id)
    if not body.get("stream"):
        return await _whole(parts, call, charge, vip=vip, begun=begun)
    stream = await _or_release(parts, charge, parts.chats.stream(call, vip=vip))
    headers = parts.headers(charge.use, begun)
    with_usage = bool(wished(body).get("include_usage"))
    return CompletionStream(stream, charge, parts.accounts, headers, with_usage=with_usage)


@router.get(
    "/models",
    responses=failing() | answering("The models that the caller may use."),
    summary="Models, as OpenAI's clients list them",
)
async def list_models(request: Request) -> Response:
    """All at once."""
    parts = compatible_of(request)
    caller = await parts.callers.admit(request.scope)
    cards = parts.chats.models(vip=caller.member.is_vip)
    return _json({"object": "list", "data": [_model(card) for card in cards]})


@router.get(
    "/models/{model}",
    responses=failing(404) | answering("The model."),
    summary="A model, as OpenAI's clients ask for it",
)
async def get_model(request: Request, model: str) -> Response:
    """One that the caller may use."""
    parts = compatible_of(request)
    caller = await parts.callers.admit(request.scope)
    return _json(_model(parts.chats.model(model, vip=caller.member.is_vip)))


async def _whole(parts: Compatible, call: ChatCall, charge: Charge, *, vip: bool, begun: float) -> Response:
    """A caller that leaves meanwhile is charged: the provider charges, too."""
    answer = await _or_release(parts, charge, parts.chats.complete(call, vip=vip))
    await parts.accounts.settle(charge, answer.receipt, Outcome.COMPLETE)
    return Response(answer.body, 200, parts.headers(charge.use, begun), JSON)


async def _or_release(parts: Compatible, charge: Charge, asking: Awaitable[T]) -> T:
    """What the model gives; what fails before that costs nothing."""
    try:
        return await asking
    except BaseException:
        await parts.accounts.to_the_end(parts.accounts.release(charge))
        raise


def _model(card: ModelCard) -> dict[str, Any]:
    return {"id": card.name, "object": "model", "created": MADE_AT, "owned_by": "hutong"}


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type=JSON)
