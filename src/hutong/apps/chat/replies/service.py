"""Replies: started in one transaction, generated here whoever listens, stopped from anywhere, ended once."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from hutong.apps.chat.envelope import topic_of
from hutong.apps.chat.replies import opening, planning
from hutong.apps.chat.replies.errors import Leaving, MessageTooLong, ReplyRunning
from hutong.apps.chat.replies.events import ERROR, STARTED, ended, error_of, said, started
from hutong.apps.chat.replies.following import Following, stream_id
from hutong.apps.chat.replies.opening import OPERATION, Bounds, Ending, Ends, Known, Opened, PlaceTaken, Wanted
from hutong.apps.chat.replies.planning import Asker, Order, Plan, Regenerate, Wish
from hutong.apps.chat.replies.rules import Cause
from hutong.apps.chat.replies.running import Run
from hutong.apps.chat.replies.settings import ReplySettings
from hutong.apps.chat.replies.tending import Tending
from hutong.apps.chat.rows import messages
from hutong.apps.chat.rows.errors import MessageUnknown
from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.rows.tables import MessageStatus
from hutong.kernel.assembly import Kernel
from hutong.kernel.db import DatabaseUnavailable
from hutong.kernel.gateway.chat import ChatCall
from hutong.kernel.http import idempotency
from hutong.kernel.http.idempotency import Claim
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.observability.logs import logger
from hutong.kernel.quotas import QuotaExhausted, Quotas
from hutong.kit.tasks import end

TRIES = 3
STOP_SECONDS = 5.0
"""How long `stop` waits for the reply to have ended."""
ENDING_TRIES = 8
ENDING_PAUSE = 0.25
LAST_SECONDS = 10.0
"""What interrupted replies get for being saved and told of."""
_log = logger("chat.replies")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that was started, now or by an earlier request with the same key.

    Args:
        question: what it answers.
        reply: its row; empty and streaming if it was started now.
        fresh: whether it was started now.
        title: that the conversation got by it.
    """

    question: Message
    reply: Message
    fresh: bool
    title: str | None = None


class Replies:
    """The replies of one process.

    Args:
        kernel: database, clock, ids, models; the streams that what is generated goes to, and the feeds that tell of it.
        quotas: of this app's users.
        settings: lengths and times.
        ends: ends replies in a transaction.
        changed: told after a user's list of conversations has changed.
    """

    def __init__(
        self,
        kernel: Kernel,
        quotas: Quotas,
        settings: ReplySettings,
        ends: Ends,
        changed: Callable[[int], Awaitable[None]],
    ) -> None:
        self._kernel, self._quotas, self._settings = kernel, quotas, settings
        self._streams, self._feeds = kernel.streams, kernel.feeds
        self._ends, self._changed = ends, changed
        self._bounds = Bounds(settings.at_once, settings.lease_seconds)
        self._runs: dict[tuple[int, str], tuple[Run, asyncio.Task[None]]] = {}
        self._tending = Tending(kernel.db, quotas, kernel.clock, settings)
        self._leaving = False
        self.following = Following(kernel.db, kernel.streams)
        self._starting: set[asyncio.Task[Reply]] = set()

    # -- starting ----------------------------------------------------------------------------------------------------------

    async def start(self, asker: Asker, order: Order, wish: Wish, *, request_id: str, key: str | None = None) -> Reply:
        """Begin a reply. When this returns, question and reply are saved, and the model is being asked.

        Args:
            asker: whose conversation and quota.
            order: what is wanted.
            wish: how.
            request_id: ours, for the log.
            key: of the caller's choice: the same key again gives the same reply, whatever became of it, and costs nothing.

        Raises:
            ConversationUnknown, MessageUnknown, NotAReply, NotYourWords: of the order.
            ModelUnknown, ModelForbidden, ContextTooLong: of the model.
            MessageTooLong, QuotaExhausted: nothing is saved then.
            ReplyRunning, TooManyReplies: wait for what runs.
            KeyMalformed, KeyReused: of the key.
            Leaving: this process is about to end.
        """
        if self._leaving:
            raise Leaving(retry_after=1)
        if not isinstance(order, Regenerate) and len(order.content) > self._settings.longest_message:
            raise MessageTooLong(details={"longest": self._settings.longest_message})
        claim = self._claim(asker.user_id, order, wish, key)
        for _ in range(TRIES):
            ground = await self._kernel.db.read(planning.survey, asker.user_id, order)
            plan = await planning.plan(ground, wish, asker, self._kernel.gateway.chats, self._settings)
            try:
                return await self._whole(self._open(asker, plan, claim, request_id))
            except PlaceTaken:
                continue
        raise ReplyRunning(retry_after=1)

    async def _whole(self, opening_: Coroutine[Any, Any, Reply]) -> Reply:
        """Open and launch, also if the caller is gone before: what is committed is generated."""
        task = asyncio.create_task(opening_)
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        return await asyncio.shield(task)

    def _claim(self, user_id: int, order: Order, wish: Wish, key: str | None) -> Claim | None:
        if key is None:
            return None
        kind = type(order).__name__
        parts = {name: getattr(order, name) for name in order.__dataclass_fields__}
        if isinstance(parts.get("parent_id"), planning.Leaf):
            parts["parent_id"] = "leaf"
        body = {"kind": kind, **parts, "model": wish.model, "max_tokens": wish.max_tokens, **wish.sampling}
        return idempotency.make_claim(user_id, OPERATION, key, body, self._kernel.ids())

    async def _open(self, asker: Asker, plan: Plan, claim: Claim | None, request_id: str) -> Reply:
        """Open it; with a shorter answer, if that is all that the user's tokens allow."""
        try:
            return await self._open_as_planned(asker, plan, claim, request_id)
        except QuotaExhausted:
            use = await self._kernel.db.read(self._quotas.usage, asker.user_id, asker.limits)
            shorter = planning.narrowed(plan, use.tokens.remaining or 0)
            if shorter is None:
                raise
        return await self._open_as_planned(asker, shorter, claim, request_id)

    async def _open_as_planned(self, asker: Asker, plan: Plan, claim: Claim | None, request_id: str) -> Reply:
        wanted = Wanted(
            user_id=asker.user_id,
            limits=asker.limits,
            place=plan.place,
            model=plan.model,
            tokens=plan.context.reserved,
            reservation_id=self._kernel.ids(),
            claim=claim,
        )
        now = self._kernel.clock.now()
        opened = await self._kernel.db.write(opening.open_reply, wanted, self._quotas, self._bounds, now)
        if isinstance(opened, Known):
            return await self._known(asker.user_id, opened)
        failpoint("chat.reply.committed")
        call = ChatCall(plan.model, plan.body, asker.user_id, request_id)
        await self._launch(asker, opened, wanted.reservation_id, call)
        return Reply(opened.question, opened.reply, fresh=True, title=opened.title)

    async def _known(self, user_id: int, known: Known) -> Reply:
        """What an earlier request with the same key made.

        Raises:
            MessageUnknown: it was deleted since.
        """
        question = await self._kernel.db.read(messages.find_message, user_id, known.question_id)
        if question is None:
            raise MessageUnknown
        return Reply(question, await self.following.get(user_id, known.reply_id), fresh=False)

    # -- generating --------------------------------------------------------------------------------------------------------

    async def _launch(self, asker: Asker, opened: Opened, reservation_id: int, call: ChatCall) -> None:
        """From here on the reply is this process's, whoever listens."""
        user_id, reply = asker.user_id, opened.reply
        writer = await self._streams.open(stream_id(user_id, reply.id))
        writer.add(STARTED, started(opened.question, reply))
        run = Run(user_id, reply, reservation_id, call, writer)
        task = asyncio.create_task(self._carry_out(run, vip=asker.is_vip))
        self._runs[user_id, reply.id] = run, task
        self._tending.add(run)
        await self._changed(user_id)
        await self._tell(user_id, "reply.started", reply, title=opened.title)

    async def _carry_out(self, run: Run, *, vip: bool) -> None:
        try:
            ending = await run.generate(partial(self._kernel.gateway.chats.stream, vip=vip))
            reply = await self._finish(run, ending)
            failpoint("chat.reply.settled")
            if reply is None:
                gone = MessageUnknown()
                await run.writer.end(ERROR, orjson.dumps({"error": said(gone)}))
            else:
                await run.writer.end(*ended(reply, run.error))
            failpoint("chat.reply.told")
            await self._tell(run.user_id, "reply.ended", reply or run.reply)
        except Exception:
            _log.exception("a reply could not be ended here", message_id=run.reply.id)
            await run.writer.abandon()  # the sweep ends it when its reservation has expired
        finally:
            self._tending.remove(run)
            del self._runs[run.user_id, run.reply.id]

    async def _finish(self, run: Run, ending: Ending) -> Message | None:
        """End it in one transaction, and again while the database is away: the reservation lives as long as we try."""
        for attempt in range(1, ENDING_TRIES + 1):
            try:
                return await self._kernel.db.write(
                    self._ends.finish, run.user_id, run.reply, run.reservation_id, ending, self._kernel.clock.now()
                )
            except DatabaseUnavailable:
                if attempt == ENDING_TRIES:
                    raise
                await asyncio.sleep(ENDING_PAUSE * 2**attempt)
        raise AssertionError("unreachable")

    async def _tell(self, user_id: int, kind: str, reply: Message, **more: Any) -> None:
        """Tell all tabs of the user what to look at."""
        event = {"type": kind, "conversation_id": reply.conversation_id, "message_id": reply.id}
        told = {name: value for name, value in more.items() if value is not None}
        await self._feeds.publish(topic_of(user_id), orjson.dumps(event | told))

    # -- stopping, waiting -------------------------------------------------------------------------------------------------

    async def stop(self, user_id: int, message_id: str, conversation_id: str | None = None) -> Message:
        """End a running reply where it is, in whichever process it runs, also before its first token.

        Args:
            user_id, message_id: which.
            conversation_id: where it must stand, if given.

        Returns:
            The reply, ended if that took less than five seconds; one that ended before is left alone.

        Raises:
            MessageUnknown, NotAReply.
            StoreUnavailable: it runs elsewhere, and the store is away.
        """
        reply = await self.request_stop(user_id, message_id, conversation_id)
        if reply.status is not MessageStatus.STREAMING:
            return reply
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                return await self.following.ended(user_id, message_id)
        return await self.following.get(user_id, message_id)

    async def request_stop(self, user_id: int, message_id: str, conversation_id: str | None = None) -> Message:
        """`stop` without waiting: the reply as it was when it was asked to end."""
        reply = await self.following.get(user_id, message_id)
        if conversation_id not in {None, reply.conversation_id}:
            raise MessageUnknown
        if reply.status is MessageStatus.STREAMING:
            await self._streams.request_stop(stream_id(user_id, message_id))
        return reply

    async def outcome(self, user_id: int, message_id: str) -> Message:
        """The reply once it is complete or stopped.

        Raises:
            HutongError: what it ended with, if it failed or was interrupted; `details` names the messages.
            MessageUnknown: it was deleted.
        """
        running = self._runs.get((user_id, message_id))
        if running is None:
            reply = await self.following.ended(user_id, message_id)
        else:
            await asyncio.shield(running[1])
            reply = await self.following.ended(user_id, message_id)
        if reply.status in {MessageStatus.COMPLETE, MessageStatus.STOPPED}:
            return reply
        error = (running[0].error if running else None) or error_of(reply)
        ids = {"conversation_id": reply.conversation_id, "message_id": reply.id, "user_message_id": reply.parent_id}
        error.details = {**(error.details or {}), **ids}
        raise error

    # -- leaving -----------------------------------------------------------------------------------------------------------

    async def leave(self) -> None:
        """The process ends: nothing begins any more, what runs gets its time, and is interrupted then."""
        self._leaving = True
        if tasks := [task for _, task in self._runs.values()]:
            await asyncio.wait(tasks, timeout=self._settings.leave_seconds)
        for run, _ in tuple(self._runs.values()):
            run.interrupt(Cause.LEAVING)
        if tasks := [task for _, task in self._runs.values()]:
            await asyncio.wait(tasks, timeout=LAST_SECONDS)
        await end(*(task for _, task in tuple(self._runs.values())))
        await self._tending.close()
