"""A streamed chat completion on its way to the caller: what is there goes out at once, in one write.

The caller that leaves lets the provider go, and is charged for what was generated. An answer that is not whole ends in an
error event and has no `[DONE]`, because today's clients take a clean end for success. Source: reference/chat.md §2.3, §4.4.
"""

import asyncio
from collections.abc import Mapping, Sequence

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hutong.apps.chat.compatible.accounts import Accounts, Charge
from hutong.apps.chat.compatible.envelope import error_object
from hutong.apps.chat.compatible.tables import Outcome
from hutong.kernel.gateway.chat import ChatDelta, ChatStream
from hutong.kernel.observability.logs import logger
from hutong.kit.errors import HutongError
from hutong.kit.tasks import end

DONE = b"data: [DONE]\n\n"
EVENTS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # or nginx would collect it
)
_log = logger("chat.compatible")


class CompletionStream(Response):
    """The answer to a call with `stream: true`.

    Args:
        stream: begun.
        charge: reserved; settled here.
        accounts: settles.
        headers: beside those of a stream.
        with_usage: whether the caller asked for the chunk with the usage.
    """

    def __init__(
        self, stream: ChatStream, charge: Charge, accounts: Accounts, headers: Mapping[str, str], *, with_usage: bool
    ) -> None:
        self.status_code = 200
        self.background = None
        self._stream, self._charge, self._accounts, self._with_usage = stream, charge, accounts, with_usage
        self._sent_headers = [*EVENTS, *((name.encode(), value.encode()) for name, value in headers.items())]
        self._gone = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, to the end or until the caller leaves."""
        watching = asyncio.create_task(self._let_go_when_gone(receive))
        settled = False
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self._sent_headers})
            last, outcome = await self._pass_on(send)
            await self._settle(outcome)
            settled = True
            await send({"type": "http.response.body", "body": last})
        finally:
            if not settled:
                await self._accounts.to_the_end(self._settle(Outcome.STOPPED))
            await end(watching)

    async def _pass_on(self, send: Send) -> tuple[bytes, Outcome]:
        """Everything but the last bytes, which are returned with how it ended."""
        try:
            async for deltas in self._stream.batches():
                if body := self._written(deltas):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
        except HutongError as error:
            return _failed(error), Outcome.INTERRUPTED
        except Exception:
            _log.exception("a stream failed", reservation=self._charge.id)
            return _failed(HutongError("Something went wrong on our side.")), Outcome.INTERRUPTED
        return (b"", Outcome.STOPPED) if self._gone else (DONE, Outcome.COMPLETE)

    def _written(self, deltas: Sequence[ChatDelta]) -> bytes:
        if not self._with_usage:
            deltas = [delta for delta in deltas if not delta.usage_only]
        if not deltas:
            return b""
        return b"data: " + b"\n\ndata: ".join([delta.raw for delta in deltas]) + b"\n\n"

    async def _settle(self, outcome: Outcome) -> None:
        await self._accounts.settle(self._charge, await self._stream.receipt(), outcome)

    async def _let_go_when_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        await self._stream.aclose()


def _failed(error: HutongError) -> bytes:
    return b"data: " + orjson.dumps({"error": error_object(error)}) + b"\n\n"
