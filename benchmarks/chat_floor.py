"""A bare parsing relay as a server: Starlette's stack, aiohttp, every event parsed and written again under another name.

No key, no quota, no record, no limits, no care for cuts: what cannot be saved by anybody who looks at events at all.
"""

import sys

import aiohttp
import orjson
import uvicorn
from starlette.types import Receive, Scope, Send


class Floor:
    """The relay.

    Args:
        upstream: base URL of the provider.
    """

    def __init__(self, upstream: str) -> None:
        self._url = f"{upstream}/chat/completions"
        self._client: aiohttp.ClientSession | None = None  # noqa: TID251 - it stands for what is not ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if self._client is None:
            self._client = aiohttp.ClientSession()  # noqa: TID251 - see above
        asked = orjson.loads(body) if body else {}
        streamed = bool(asked.get("stream"))
        kind = b"text/event-stream" if streamed else b"application/json"
        async with self._client.post(self._url, data=orjson.dumps(asked)) as answer:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
            if streamed:
                await self._relay(answer, send)
                await send({"type": "http.response.body", "body": b""})
            else:
                found = orjson.loads(await answer.read())
                found["model"] = "mock"
                await send({"type": "http.response.body", "body": orjson.dumps(found)})

    async def _relay(self, answer: aiohttp.ClientResponse, send: Send) -> None:
        rest = b""
        async for some in answer.content.iter_any():
            *events, rest = (rest + some).split(b"\n\n")
            for event in events:
                written = event
                if event != b"data: [DONE]":
                    chunk = orjson.loads(event[6:])
                    chunk["model"] = "mock"
                    written = b"data: " + orjson.dumps(chunk)
                await send({"type": "http.response.body", "body": written + b"\n\n", "more_body": True})


if __name__ == "__main__":
    uvicorn.run(
        Floor(sys.argv[2]),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="off",
    )
