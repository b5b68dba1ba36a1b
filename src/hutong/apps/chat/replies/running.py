"""One reply while it is generated in this process: from the gateway's deltas into its log, until it ends or is stopped.

It belongs to no connection. Whoever waits for it waits for its log or for its end; nobody who leaves ends it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from hutong.apps.chat.replies.events import DELTA
from hutong.apps.chat.replies.opening import Ending
from hutong.apps.chat.replies.rules import Cause
from hutong.apps.chat.rows.messages import Message
from hutong.kernel.gateway.chat import ChatCall, ChatStream
from hutong.kernel.gateway.errors import ProviderFailed
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.observability.logs import logger
from hutong.kernel.realtime import StreamWriter
from hutong.kit.errors import HutongError
from hutong.kit.tasks import end

Asked = Callable[[ChatCall], Awaitable[ChatStream]]
FINISH_REASON = 32
"""Characters of a provider's reason that are kept."""
_log = logger("chat.replies")


class Run:
    """A running reply.

    Args:
        user_id: whose it is.
        reply: its row, empty still.
        reservation_id: of its quota.
        call: what the model is asked.
        writer: of its log.
    """

    def __init__(self, user_id: int, reply: Message, reservation_id: int, call: ChatCall, writer: StreamWriter) -> None:
        self.user_id, self.reply, self.reservation_id = user_id, reply, reservation_id
        self.writer = writer
        self.error: HutongError | None = None  # what broke it, for those who wait in this process
        self.saved = 0  # characters that are in the row
        self._call = call
        self._texts: list[str] = []
        self._size = 0
        self._finish_reason: str | None = None
        self._halted_for = Cause.STOPPED

    @property
    def text(self) -> str:
        """What was generated so far."""
        if len(self._texts) > 1:
            self._texts = ["".join(self._texts)]
        return self._texts[0] if self._texts else ""

    @property
    def unsaved(self) -> bool:
        """Whether the row lacks something."""
        return self._size > self.saved

    def note_saved(self, text: str) -> None:
        """The row has this text now."""
        self.saved = len(text)

    def interrupt(self, cause: Cause) -> None:
        """Have it end where it is, not by its user's wish."""
        self._halted_for = cause
        self.writer.request_stop()

    async def generate(self, ask: Asked) -> Ending:
        """Ask the model and pass on what it says. Never raises: whatever happens is an ending."""
        try:
            failpoint("chat.reply.asking")
            stream = await self._begun(ask)
        except Exception as error:
            return self._broken(error)
        if stream is None:
            return self._ending(self._halted_for, None)
        failpoint("chat.reply.begun")
        return await self._pass_on(stream)

    async def _begun(self, ask: Asked) -> ChatStream | None:
        """The stream with its first token, or None if the reply was halted before there was one."""
        asking = asyncio.ensure_future(ask(self._call))
        halting = asyncio.create_task(self.writer.stop_requested.wait())
        try:
            await asyncio.wait({asking, halting}, return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else None
        finally:
            await end(halting)
            if not asking.done():
                await self._call_off(asking)

    async def _call_off(self, asking: "asyncio.Future[ChatStream]") -> None:
        """End a call that has not answered; one that answers at the last moment has a stream that wants closing."""
        assert isinstance(asking, asyncio.Task)
        await end(asking)
        if not asking.cancelled() and asking.exception() is None:
            await asking.result().aclose()

    async def _pass_on(self, stream: ChatStream) -> Ending:
        watching = asyncio.create_task(self._close_when_halted(stream))
        cause, broken = Cause.WHOLE, None
        try:
            async for delta in stream:
                if delta.text:
                    self._texts.append(delta.text)
                    self._size += len(delta.text)
                    self.writer.add(DELTA, delta.text.encode())
                if delta.finish_reason:
                    self._finish_reason = delta.finish_reason[:FINISH_REASON]
        except Exception as error:
            cause, broken = Cause.BROKEN, error
        finally:
            await end(watching)
        if self.writer.stop_requested.is_set() and self._finish_reason is None:
            cause, broken = self._halted_for, None
        failpoint("chat.reply.generated")
        ending = self._broken(broken) if broken else self._ending(cause, None)
        return await self._with_receipt(stream, ending)

    async def _close_when_halted(self, stream: ChatStream) -> None:
        await self.writer.stop_requested.wait()
        await stream.aclose()

    async def _with_receipt(self, stream: ChatStream, ending: Ending) -> Ending:
        receipt = await stream.receipt()
        return replace(ending, receipt=receipt, request_id=self._call.request_id)

    def _broken(self, error: Exception) -> Ending:
        if not isinstance(error, HutongError):
            _log.error("a reply failed", message_id=self.reply.id, exc_info=error)
        elif not isinstance(error, ProviderFailed):
            _log.warning("a reply failed", message_id=self.reply.id, code=error.code)
        self.error = error if isinstance(error, HutongError) else HutongError("Something went wrong on our side.")
        return self._ending(Cause.BROKEN, self.error.code)

    def _ending(self, cause: Cause, error: str | None) -> Ending:
        if cause in {Cause.LEAVING, Cause.LOST}:
            error = "chat.reply_interrupted"
        return Ending(cause, self.text, None, self._finish_reason, error)
