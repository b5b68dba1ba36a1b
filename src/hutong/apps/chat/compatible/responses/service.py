"""Responses: made, generated here whoever listens, kept, followed from any process, cancelled, deleted."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from hutong.apps.chat.compatible import repository
from hutong.apps.chat.compatible.accounts import Accounts, Charge
from hutong.apps.chat.compatible.bodies import reserve_for
from hutong.apps.chat.compatible.callers import Caller
from hutong.apps.chat.compatible.errors import (
    EventsGone,
    NotBackground,
    PreviousRunning,
    PreviousUnknown,
    ResponseUnknown,
)
from hutong.apps.chat.compatible.repository import StoredResponse
from hutong.apps.chat.compatible.responses.composer import Composer
from hutong.apps.chat.compatible.responses.objects import new_response
from hutong.apps.chat.compatible.responses.request import as_chat
from hutong.apps.chat.compatible.responses.running import Ending, Halt, Run, packed
from hutong.apps.chat.compatible.tables import Outcome, ResponseStatus, Source
from hutong.kernel.assembly import Kernel
from hutong.kernel.gateway.chat import ChatCall, ChatStream
from hutong.kernel.observability.logs import logger
from hutong.kernel.quotas import Quotas
from hutong.kernel.realtime import Entry, StreamGone
from hutong.kit.errors import HutongError, Unavailable
from hutong.kit.tasks import end

ENDING_TRIES = 8
ENDING_PAUSE = 0.25
LAST_SECONDS = 10.0
"""What running responses get for being saved when their process ends."""
CANCEL_SECONDS = 5.0
"""How long `cancel` waits for the response to have ended."""
_log = logger("chat.responses")


@dataclass(frozen=True, slots=True)
class Started:
    """A response that is being generated.

    Args:
        run: it.
        ended: is done when it has ended and is saved.
    """

    run: Run
    ended: "asyncio.Task[Ending]"

    @property
    def charge(self) -> Charge:
        return self.run.charge


class Responses:
    """The responses of one process.

    Args:
        kernel: database, clock, ids, models, logs.
        quotas, accounts: what they cost.
        usual_output: tokens that are reserved where the caller names no bound.
        save_seconds: between two savings of a response that is being written.
    """

    def __init__(
        self, kernel: Kernel, quotas: Quotas, accounts: Accounts, usual_output: int, save_seconds: float
    ) -> None:
        self._db, self._clock, self._ids, self._logs = kernel.db, kernel.clock, kernel.ids, kernel.streams
        self._chats, self._quotas, self._accounts = kernel.gateway.chats, quotas, accounts
        self._usual_output, self._save_seconds = usual_output, save_seconds
        self._running: dict[str, Started] = {}

    async def start(self, caller: Caller, body: Mapping[str, Any], request_id: str) -> Started:
        """Begin a response. When this returns, it is saved, unless it is not to be, and the model is being asked.

        Args:
            caller: who is charged.
            body: checked.
            request_id: ours.

        Raises:
            PreviousUnknown, PreviousRunning, ParameterInvalid, ModelUnknown, ModelForbidden, QuotaExhausted.
        """
        vip, facts = caller.member.is_vip, self._chats.model(body["model"], vip=caller.member.is_vip).facts
        chat = as_chat(body, await self._history(caller, body), reasoning=facts.reasoning)
        row = self._new_row(caller, body)
        tokens = reserve_for(chat, facts, self._usual_output)
        charge = await self._db.write(self._open, row, caller, tokens, request_id, stored=_is_stored(body))
        composer = Composer(dict(row.answer), _make_id)
        heard = body.get("stream") or body.get("background")
        writer = await self._logs.open(row.id) if heard else None
        call = ChatCall(row.model, chat, row.user_id, request_id)
        run = Run(self._accounts.opened(charge), composer, call, writer, stored=_is_stored(body))
        started = Started(run, asyncio.create_task(self._generate(run, vip=vip)))
        self._running[row.id] = started
        started.ended.add_done_callback(lambda _: self._running.pop(row.id, None))
        return started

    async def begun(self, started: Started) -> None:
        """Wait for the first token; what fails before it costs nothing and leaves nothing behind.

        Raises:
            HutongError: of the model.
        """
        either: list[asyncio.Future[Any]] = [started.run.begun, started.ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if started.run.begun.done():
            return
        ending = await asyncio.shield(started.ended)
        if ending.cause is not None:
            await self._db.write(repository.remove_response, started.charge.user_id, started.run.response_id)
            raise ending.cause

    async def whole(self, started: Started) -> dict[str, Any]:
        """The response once it has ended. Raises as `begun` does."""
        await self.begun(started)
        await asyncio.shield(started.ended)
        return started.run.composer.response

    async def get(self, user_id: int, response_id: str) -> StoredResponse:
        """A response of a user.

        Raises:
            ResponseUnknown.
        """
        found = await self._db.read(repository.find_response, user_id, response_id)
        if found is None:
            raise ResponseUnknown
        return found

    async def events(self, response_id: str, after: int = -1) -> AsyncIterator[Sequence[Entry]]:
        """Entries of a response's log behind the event with the number `after`; whose it is, was asked before.

        Raises:
            EventsGone: they are not kept any more.
            StreamAbandoned, StoreUnavailable: in the middle.
        """
        try:
            async for entries in self._logs.read(response_id, after + 1):
                yield entries
        except StreamGone as error:
            raise EventsGone from error

    def stop(self, started: Started) -> None:
        """Nobody listens to a response that is not stored: end it."""
        started.run.halt(Halt.CANCELLED)

    async def cancel(self, user_id: int, response_id: str) -> StoredResponse:
        """End a response that runs in the background, in whichever process; one that has ended stays as it is.

        Raises:
            ResponseUnknown, NotBackground.
        """
        found = await self.get(user_id, response_id)
        if not found.background:
            raise NotBackground
        if not found.running or not await self._logs.request_stop(response_id):
            return found
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                async for _ in self.events(response_id):
                    pass
        except (TimeoutError, HutongError):
            _log.warning("a response does not stop", response=response_id)
        return await self.get(user_id, response_id)

    async def remove(self, user_id: int, response_id: str) -> None:
        """Delete a response; one that runs is ended.

        Raises:
            ResponseUnknown.
        """
        found = await self.get(user_id, response_id)
        if found.running:
            await self._logs.request_stop(response_id)
        await self._db.write(repository.remove_response, user_id, response_id)

    async def leave(self) -> None:
        """Save what is being written, because the process ends."""
        running = list(self._running.values())
        for started in running:
            started.run.halt(Halt.LEAVING)
        if running:
            await asyncio.wait([started.ended for started in running], timeout=LAST_SECONDS)
        await end(*(started.ended for started in running))

    # -- inside ------------------------------------------------------------------------------------------------------------

    async def _history(self, caller: Caller, body: Mapping[str, Any]) -> list[list[Any]]:
        """Inputs and outputs of the responses that this one stands on."""
        previous = body.get("previous_response_id")
        if previous is None:
            return []
        chain = await self._db.read(repository.list_chain, caller.member.user_id, previous)
        if not chain:
            raise PreviousUnknown
        if chain[-1].running:
            raise PreviousRunning
        return [[*row.items, *row.answer["output"]] for row in chain]

    def _new_row(self, caller: Caller, body: Mapping[str, Any]) -> StoredResponse:
        now = self._clock.now()
        answer = new_response(_make_id("resp_"), body, int(now.timestamp()))
        return StoredResponse(
            id=answer["id"],
            user_id=caller.member.user_id,
            api_key_id=caller.key_id,
            reservation_id=self._ids(),
            status=ResponseStatus(answer["status"]),
            background=bool(body.get("background")),
            model=body["model"],
            previous_id=body.get("previous_response_id"),
            request={name: value for name, value in body.items() if name != "input"},
            items=body["input"],
            answer=answer,
            created_at=now,
            ended_at=None,
        )

    def _open(
        self, conn: Connection, row: StoredResponse, caller: Caller, tokens: int, request_id: str, *, stored: bool
    ) -> Charge:
        use = self._quotas.reserve(
            conn,
            reservation_id=row.reservation_id,
            user_id=row.user_id,
            limits=caller.member.limits,
            tokens=tokens,
            seconds=self._accounts.lease_seconds,
            owner=self._accounts.owner_of(Source.RESPONSE, caller, row.model),
        )
        if stored:
            repository.add_response(conn, row)
        return Charge(row.reservation_id, caller, Source.RESPONSE, row.model, request_id, use)

    async def _generate(self, run: Run, *, vip: bool) -> Ending:
        async def ask(call: ChatCall) -> ChatStream:
            return await self._chats.stream(call, vip=vip)

        saving = asyncio.create_task(self._save_now_and_then(run)) if run.stored else None
        try:
            ending = await run.generate(ask)
        finally:
            await end(saving)
        last = run.finish(ending, int(self._clock.now().timestamp()))
        await self._end(run, ending)
        run.say(last[:-1])
        if run.writer is not None:
            await run.writer.end(last[-1]["type"], packed(last[-1]))
        return ending

    async def _save_now_and_then(self, run: Run) -> None:
        while True:
            await asyncio.sleep(self._save_seconds)
            try:
                await self._db.write(
                    repository.save_answer, run.charge.user_id, run.response_id, run.composer.present()
                )
            except Unavailable as error:
                _log.warning("a response was not saved", response=run.response_id, code=error.code)

    async def _end(self, run: Run, ending: Ending) -> None:
        """End row and quota together; a database that is away is asked again, then it is the sweep's."""
        for tried in range(1, ENDING_TRIES + 1):
            try:
                await self._db.write(self._end_within, run, ending)
                break
            except Unavailable as error:
                _log.warning("a response was not ended", response=run.response_id, code=error.code, tried=tried)
                await asyncio.sleep(ENDING_PAUSE * tried)
        self._accounts.closed(run.charge)

    def _end_within(self, conn: Connection, run: Run, ending: Ending) -> None:
        if ending.receipt is not None:
            self._accounts.settle_within(conn, run.charge, ending.receipt, ending.outcome)
        elif ending.outcome is Outcome.STOPPED:
            self._quotas.settle(
                conn, run.charge.id, 0
            )  # giving requests back would let anybody start and stop for nothing
        else:
            self._quotas.release(conn, run.charge.id)
        if run.stored:
            answer = run.composer.response
            repository.end_response(
                conn, run.charge.user_id, run.response_id, ResponseStatus(answer["status"]), answer, self._clock.now()
            )


def _is_stored(body: Mapping[str, Any]) -> bool:
    return body.get("store") is not False


def _make_id(prefix: str) -> str:
    return prefix + uuid.uuid4().hex
