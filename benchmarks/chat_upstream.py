"""A provider that answers every chat at once with a stream of 54 events, as cheaply as Python can."""

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


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """One stream."""
    while (await receive()).get("more_body"):
        pass
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/event-stream; charset=utf-8")],
        }
    )
    for event in EVENTS:
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
