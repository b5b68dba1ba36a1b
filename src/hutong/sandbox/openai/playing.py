"""An answer that follows a script: sent step by step, until it ends, breaks off, or the caller leaves."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hutong.kit.tasks import end
from hutong.sandbox.hangup import HOLD_SECONDS, transport_of
from hutong.sandbox.openai.script import Script

Ended = Callable[[str, int], Awaitable[None]]
CLOSING_SECONDS = 5.0


class Playing(Response):
    """Plays a script.

    Args:
        script: what is sent.
        headers: of the answer.
        ended: is told how it ended (the script's word, or `left`), and how many tokens were sent.
    """

    def __init__(self, script: Script, headers: Mapping[str, str], ended: Ended) -> None:
        super().__init__(headers=headers)
        self.raw_headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        self._script = script
        self._ended: Ended | None = ended
        self._tokens = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(_left(receive))
        try:
            if await self._send_steps(leaving, send):
                await self._finish(leaving, receive, send)
                await self._tell(self._script.word)
        finally:
            await end(leaving)
            await self._tell("left")

    async def _send_steps(self, leaving: asyncio.Task[None], send: Send) -> bool:
        """Send all steps; False if the caller left meanwhile."""
        script = self._script
        for number, step in enumerate(script.steps, 1):
            if await _leaves(leaving, step.pause):
                return False
            if number == 1:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            self._tokens += step.tokens
            if number == len(script.steps) and script.ending == "end":
                await self._tell(script.word)  # before the caller has it all, and looks at what was noted
            await send({"type": "http.response.body", "body": step.data, "more_body": True})
        return True

    async def _tell(self, word: str) -> None:
        """Once."""
        ended, self._ended = self._ended, None
        if ended is not None:
            await ended(word, self._tokens)

    async def _finish(self, leaving: asyncio.Task[None], receive: Receive, send: Send) -> None:
        """End the body; or hold the connection for a minute, or not at all, and let it go without an end."""
        if self._script.ending == "end":
            await send({"type": "http.response.body", "body": b""})
            return
        if self._script.ending == "hang" and await _leaves(leaving, HOLD_SECONDS):
            return
        transport = transport_of(receive)
        if transport is None:
            raise RuntimeError("the connection was not found; it cannot be cut")
        if self._script.steps:
            transport.close()  # what was sent arrives, the end of the body never does
        else:
            transport.abort()
        await _leaves(leaving, CLOSING_SECONDS)  # an answer without an end is only taken from somebody who is gone


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _leaves(leaving: asyncio.Task[None], seconds: float) -> bool:
    """Whether the caller leaves within a time; with none, whether it has left."""
    if seconds > 0:
        await asyncio.wait({leaving}, timeout=seconds)
    return leaving.done()
