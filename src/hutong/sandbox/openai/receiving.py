"""Bodies of requests: read, parsed, and what can be told of them before they are checked."""

from typing import Any

import orjson
from starlette.requests import Request

from hutong.sandbox.openai.calls import Opening
from hutong.sandbox.openai.mishaps import Way
from hutong.sandbox.openai.refusals import Refusal, invalid

LARGEST = 20 * 1024 * 1024


def opening(body: dict[str, Any], way: Way) -> Opening:
    """What can be told of a request before it is checked."""
    messages = body.get("messages")
    told = messages if isinstance(messages, list) else []
    last = told[-1].get("content") if told and isinstance(told[-1], dict) else ""
    if isinstance(last, list):
        last = " ".join(str(part.get("text") or part.get("type")) for part in last if isinstance(part, dict))
    caller = body.get("safety_identifier") or body.get("user") or ""
    return Opening(way, str(body.get("model", "")), str(last or ""), len(told), str(caller))


async def content(request: Request) -> bytes:
    """The body.

    Raises:
        Refusal: 413.
    """
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > LARGEST:
            raise Refusal(413, "The request is larger than 20 MB.", code="request_too_large")
    return bytes(received)


def json_object(content: bytes) -> dict[str, Any]:
    """The object that a body is.

    Raises:
        Refusal: 400.
    """
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise invalid("We could not parse the JSON body of your request. It must be one JSON object.")
    return body
