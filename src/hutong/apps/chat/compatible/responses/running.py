"""One response while it is generated in this process: from the gateway's chunks into its log, until it ends or is stopped.

It belongs to no connection: whoever leaves ends nothing, and the response is there afterwards.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from hutong.apps.chat.compatible.accounts import Charge
from hutong.apps.chat.compatible.envelope import error_object
from hutong.apps.chat.compatible.responses.composer import Composer, Event
from hutong.apps.chat.compatible.responses.objects import usage_of
from hutong.apps.chat.compatible.tables import Outcome, ResponseStatus
from hutong.kernel.gateway.chat import ChatCall, ChatDelta, ChatStream, Receipt
from hutong.kernel.observability.logs import logger
from hutong.kernel.realtime import StreamWriter
from hutong.kit.errors import HutongError
from hutong.kit.tasks import end

Asked = Callable[[ChatCall], Awaitable[ChatStream]]
LARGEST_EVENT = 1_000_000
"""Bytes; of a larger one the output is left out, and whoever wants it asks for the response."""
LEAVING = "This server was restarted while the response was being written."
_log = logger("chat.responses")


class Halt(StrEnum):
    """Why a response was stopped from outside."""

    CANCELLED = "cancelled"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Ending:
    """What generating came to.

    Args:
        status: None: as the model's own reason says.
        outcome: for the record.
        receipt: None if nothing was generated.
        error: what the response says of it.
        cause: what broke it before the first token, for whoever waits.
    """

    status: ResponseStatus | None
    outcome: Outcome
    receipt: Receipt | None = None
    error: dict[str, Any] | None = None
    cause: HutongError | None = None


class Run:
    """A running response.

    Args:
        charge: its quota.
        composer: writes it.
        call: what the model is asked.
        writer: of its log; None if nobody will read one.
        stored: whether there is a row.
    """

    def __init__(
        self, charge: Charge, composer: Composer, call: ChatCall, writer: StreamWriter | None, *, stored: bool
    ) -> None:
        self.charge, self.composer, self.call, self.writer, self.stored = charge, composer, call, writer, stored
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._halt: Halt = Halt.CANCELLED
        self._stop = writer.stop_requested if writer is not None else asyncio.Event()

    @property
    def response_id(self) -> str:
        return str(self.composer.response["id"])

    def halt(self, why: Halt) -> None:
        """Have it end where it is."""
        self._halt = why
        self._stop.set()

    def say(self, events: Sequence[Event]) -> None:
        """Put events into the log."""
        if self.writer is not None:
            for event in events:
                self.writer.add(event["type"], packed(event))

    async def generate(self, ask: Asked) -> Ending:
        """Ask the model and write down what it says. Never raises: whatever happens is an ending."""
        self.say(self.composer.begin())
        try:
            stream = await self._asked(ask)
        except Exception as error:
            return self._broken(error, None)
        if stream is None:
            return self._halted(None)
        if not self.begun.done():
            self.begun.set_result(None)
        return await self._written(stream)

    def finish(self, ending: Ending, now: int) -> list[Event]:
        """The last events; the response is as it stays."""
        usage = ending.receipt.usage if ending.receipt is not None else None
        told = usage_of(usage, self.composer.reasoning_tokens) if usage is not None else None
        return self.composer.end(ending.status, now, told, ending.error)

    async def _asked(self, ask: Asked) -> ChatStream | None:
        """The stream with its first token; None if it was stopped before there was one."""
        asking = asyncio.ensure_future(ask(self.call))
        halting = asyncio.create_task(self._stop.wait())
        await asyncio.wait({asking, halting}, return_when=asyncio.FIRST_COMPLETED)
        await end(halting)
        if asking.done():
            return asking.result()
        assert isinstance(asking, asyncio.Task)
        await end(asking)
        if not asking.cancelled() and asking.exception() is None:
            await asking.result().aclose()
        return None

    async def _written(self, stream: ChatStream) -> Ending:
        halting = asyncio.create_task(self._close_when_halted(stream))
        broken: Exception | None = None
        try:
            async for deltas in stream.batches():
                self._write(deltas)
        except Exception as error:
            broken = error
        finally:
            await end(halting)
        receipt = await stream.receipt()
        if self._stop.is_set() and not self.composer.finished:
            return self._halted(receipt)
        return Ending(None, Outcome.COMPLETE, receipt) if broken is None else self._broken(broken, receipt)

    def _write(self, deltas: Sequence[ChatDelta]) -> None:
        for delta in deltas:
            self.say(self.composer.add(orjson.loads(delta.raw)))

    async def _close_when_halted(self, stream: ChatStream) -> None:
        await self._stop.wait()
        await stream.aclose()

    def _halted(self, receipt: Receipt | None) -> Ending:
        if self._halt is Halt.CANCELLED:
            return Ending(ResponseStatus.CANCELLED, Outcome.STOPPED, receipt)
        error = {"code": "server_error", "message": LEAVING}
        return Ending(ResponseStatus.FAILED, Outcome.INTERRUPTED, receipt, error)

    def _broken(self, error: Exception, receipt: Receipt | None) -> Ending:
        if not isinstance(error, HutongError):
            _log.error("a response failed", response=self.response_id, exc_info=error)
            error = HutongError("Something went wrong on our side.")
        said = error_object(error)
        shown = {"code": said["code"] or said["type"], "message": said["message"]}
        return Ending(ResponseStatus.FAILED, Outcome.INTERRUPTED, receipt, shown, error)


def packed(event: Event) -> bytes:
    """An event as JSON, without its output where that is too much for an event."""
    content = orjson.dumps(event)
    if len(content) > LARGEST_EVENT and "response" in event:
        return orjson.dumps({**event, "response": {**event["response"], "output": []}})
    return content
