"""A provider that answers every chat at once, whole or as a stream of 54 events, as cheaply as Python can."""

import asyncio
import sys

import orjson
import uvicorn
from starlette.types import Receive, Scope, Send

WORDS = 50


def _event(choices: list[object], usage: object = None) -> bytes:
    chunk = {"id": "chatcmpl-9f3a", "object": "chat.completion.chunk", "created": 1_764_000_000, "model": "mock-1"}
    return b"data: " + orjson.dumps({**chunk, "choices": choices, "usage": usage}) + b"\n\n"


def _delta(finish: str | None = None, **delta: str) -> bytes:
    return _event([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}])


EVENTS = [
    _delta(role="assistant", content=""),
    *(_delta(content=f" word{number}") for number in range(WORDS)),
    _delta("stop"),
    _event([], {"prompt_tokens": 60, "completion_tokens": WORDS, "total_tokens": 60 + WORDS}),
    b"data: [DONE]\n\n",
]


WHOLE = orjson.dumps(
    {
        "id": "chatcmpl-9f3a",
        "object": "chat.completion",
        "created": 1_764_000_000,
        "model": "mock-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "".join(f" word{number}" for number in range(WORDS))},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 60, "completion_tokens": WORDS, "total_tokens": 60 + WORDS},
    }
)
MODELS = orjson.dumps({"object": "list", "data": [{"id": "mock-1", "object": "model", "created": 1, "owned_by": "x"}]})
PACE = 0.02


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """One stream; one JSON body for those who do not ask for a stream; with pauses below `/paced`."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    streamed = b'"stream":true' in body or b'"stream": true' in body
    kind = b"text/event-stream; charset=utf-8" if streamed else b"application/json"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    if not streamed:
        await send({"type": "http.response.body", "body": WHOLE if body else MODELS})
        return
    pause = PACE if scope["path"].startswith("/paced") else 0.0
    for event in EVENTS:
        if pause:
            await asyncio.sleep(pause)
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="off",
    )
