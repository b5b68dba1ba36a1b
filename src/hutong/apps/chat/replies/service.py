"""Replies: started in one transaction, generated here whoever listens, stopped from anywhere, ended once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from hutong.apps.chat.replies import opening, planning
from hutong.apps.chat.replies.errors import Leaving, NotAReply, ReplyRunning
from hutong.apps.chat.replies.events import STARTED, ended, error_of, shown, started
from hutong.apps.chat.replies.following import Following, stream_id
from hutong.apps.chat.replies.opening import OPERATION, Bounds, Ends, Known, Opened, PlaceTaken, Wanted
from hutong.apps.chat.replies.planning import Asker, Edit, Order, Plan, Regenerate, Send, Wish
from hutong.apps.chat.replies.rules import Cause
from hutong.apps.chat.replies.running import Run
from hutong.apps.chat.replies.settings import ReplySettings
from hutong.apps.chat.replies.tending import Tending
from hutong.apps.chat.rows import messages
from hutong.apps.chat.rows.errors import MessageUnknown
from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.rows.tables import MessageRole, MessageStatus
from hutong.kernel.assembly import Kernel
from hutong.kernel.gateway.chat import ChatCall
from hutong.kernel.http import idempotency
from hutong.kernel.http.idempotency import Claim
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.observability.logs import logger
from hutong.kernel.quotas import Quotas, QuotaExhausted
from hutong.kernel.realtime import Feeds, StreamLogs
from hutong.kit.errors import HutongError

TRIES = 3
STOP_SECONDS = 5.0
"""How long `stop` waits for the reply to have ended."""
ENDING_TRIES = 8
ENDING_PAUSE = 0.25
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
        kernel: database, clock, ids, models.
        quotas: of this app's users.
        logs: what is generated goes there.
        feeds: all tabs of a user hear there that something began or ended.
        settings: lengths and times.
        ends: ends replies in a transaction.
    """

    def __init__(
        self,
        kernel: Kernel,
        quotas: Quotas,
        logs: StreamLogs,
        feeds: Feeds,
        settings: ReplySettings,
        ends: Ends | None = None,
    ) -> None:
        self._kernel, self._quotas, self._logs, self._feeds = kernel, quotas, logs, feeds
        self._settings = settings
        self._ends = ends or Ends(quotas)
        self._bounds = Bounds(settings.at_once, settings.lease_seconds)
        self._runs: dict[tuple[int, str], tuple[Run, asyncio.Task[None]]] = {}
        self._tending = Tending(kernel.db, quotas, kernel.clock, settings)
        self._leaving = False
        self.following = Following(kernel.db, logs)

    # -- starting ----------------------------------------------------------------------------------------------------------

    async def start(
        self, asker: Asker, order: Order, wish: Wish, *, request_id: str, key: str | None = None
    ) -> Reply:
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
            QuotaExhausted: nothing is saved then.
            ReplyRunning, TooManyReplies: wait for what runs.
            KeyMalformed, KeyReused: of the key.
            Leaving: this process is about to end.
        """
        if self._leaving:
            raise Leaving(retry_after=1)
        claim = self._claim(asker.user_id, order, wish, key)
        for _ in range(TRIES):
            ground = await self._kernel.db.read(planning.survey, asker.user_id, order)
            plan = await planning.plan(ground, wish, asker, self._kernel.gateway.chats, self._settings)
            try:
                return await self._open(asker, plan, claim, request_id)
            except PlaceTaken:
                continue
        raise ReplyRunning(retry_after=1)

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
        """From here on the reply is nobody's but this process's. A caller who is gone by now changes nothing."""
        user_id, reply = asker.user_id, opened.reply
        task = asyncio.create_task(self._carry_out(asker, opened, reservation_id, call))
        started_ = self._starting.setdefault((user_id, reply.id), asyncio.get_running_loop().create_future())
        task.add_done_callback(lambda _: None if started_.done() else started_.set_result(None))
        await asyncio.shield(started_)
