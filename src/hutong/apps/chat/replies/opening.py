"""The transaction that opens a reply: quota, question and empty reply, or none of them; and the one that ends it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from hutong.apps.chat.replies import rules
from hutong.apps.chat.replies.errors import ReplyRunning, TooManyReplies
from hutong.apps.chat.rows import conversations, messages
from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.rows.tables import MessageStatus
from hutong.kernel.gateway.chat import Receipt
from hutong.kernel.http import idempotency
from hutong.kernel.http.idempotency import Claim, Replay
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.quotas import Limits, Quotas

OPERATION = "chat.reply"
KIND = "reply"
"""Of the owners of reservations: the sweep of this package ends these, and no others."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reply goes.

    Args:
        conversation_id: there.
        question: the user's message that is answered; None if it is made with the reply.
        parent_id, content: of the message that is made; None and empty if there is a question.
        leaf_id: the conversation's newest message when the place was chosen, if that decided it.
    """

    conversation_id: str
    question: Message | None = None
    parent_id: str | None = None
    content: str = ""
    leaf_id: str | None = None
    at_leaf: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is opened.

    Args:
        user_id, limits: whose quota.
        place: where.
        model: as the caller named it.
        tokens: to reserve.
        reservation_id: a fresh id.
        claim: of the caller's key.
    """

    user_id: int
    limits: Limits
    place: Place
    model: str
    tokens: int
    reservation_id: int
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What was opened: the question, the empty reply, and the title that the conversation got by it."""

    question: Message
    reply: Message
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A request that came before: the ids of its question and reply."""

    question_id: str
    reply_id: str


class PlaceTaken(Exception):
    """The conversation has gone on since the place was chosen; choose again."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much at the same time.

    Args:
        at_once: replies of one user that are written at the same time.
        lease_seconds: of a reservation, prolonged while its process lives.
    """

    at_once: int
    lease_seconds: float


def open_reply(conn: Connection, wanted: Wanted, quotas: Quotas, bounds: Bounds, now: datetime) -> Opened | Known:
    """Reserve, save the question, make the reply: all or nothing.

    The reservation comes first: it holds the user's counters until the end of the transaction, so that everything below is
    decided for one request of a user after the other.

    Raises:
        QuotaExhausted, ReplyRunning, TooManyReplies, ConversationUnknown, MessageUnknown, KeyReused.
        PlaceTaken.
    """
    if wanted.claim is not None:
        replay = idempotency.begin(conn, wanted.claim, now, bounds.lease_seconds)
        if isinstance(replay, Replay):
            return Known(**replay.answer)
    quotas.reserve(
        conn,
        reservation_id=wanted.reservation_id,
        user_id=wanted.user_id,
        limits=wanted.limits,
        tokens=wanted.tokens,
        seconds=bounds.lease_seconds,
        owner=f"{KIND}:{wanted.reservation_id}",
    )
    failpoint("chat.reply.reserved")
    _check_free(conn, wanted, bounds)
    title = _give_title(conn, wanted, now)
    question = wanted.place.question or _ask(conn, wanted, now)
    reply = messages.open_reply(
        conn,
        wanted.user_id,
        wanted.place.conversation_id,
        question.id,
        model=wanted.model,
        reservation_id=wanted.reservation_id,
        now=now,
    )
    if wanted.claim is not None:
        idempotency.complete(conn, wanted.claim, 200, {"question_id": question.id, "reply_id": reply.id})
    failpoint("chat.reply.opened")
    return Opened(question, reply, title)


def _check_free(conn: Connection, wanted: Wanted, bounds: Bounds) -> None:
    running = messages.list_streaming(conn, wanted.user_id)
    if any(reply.conversation_id == wanted.place.conversation_id for reply in running):
        raise ReplyRunning
    if len(running) >= bounds.at_once:
        raise TooManyReplies(retry_after=1, details={"at_once": bounds.at_once})


def _give_title(conn: Connection, wanted: Wanted, now: datetime) -> str | None:
    """The first message names a conversation that has no name."""
    place = wanted.place
    conversation = conversations.get_conversation(conn, wanted.user_id, place.conversation_id)
    if place.at_leaf and conversation.leaf_id != place.leaf_id:
        raise PlaceTaken
    if conversation.title or not place.content:
        return None
    title = rules.title_of(place.content)
    conversations.change_conversation(conn, wanted.user_id, place.conversation_id, {"title": title}, now)
    return title


def _ask(conn: Connection, wanted: Wanted, now: datetime) -> Message:
    place = wanted.place
    return messages.add_user_message(conn, wanted.user_id, place.conversation_id, place.parent_id, place.content, now)


@dataclass(frozen=True, slots=True)
class Ending:
    """How generating ended.

    Args:
        cause: why.
        content: everything that was generated; None leaves what was saved.
        receipt: what it took; None if the first token never came.
        finish_reason: the provider's.
        error: the code of what broke it.
        request_id: ours, of the request that began it; empty where nobody knows it any more.
    """

    cause: rules.Cause
    content: str | None
    receipt: Receipt | None = None
    finish_reason: str | None = None
    error: str | None = None
    request_id: str = ""

    @property
    def verdict(self) -> rules.Verdict:
        """What becomes of the reply."""
        return rules.verdict(self.cause, begun=self.receipt is not None)


@dataclass(frozen=True)
class Ends:
    """Ends replies.

    Args:
        quotas: settle.
        recorded: writes the record of a call that was charged, in the same transaction.
    """

    quotas: Quotas
    recorded: Callable[[Connection, int, int, Message, Ending, datetime], None] = field(default=lambda *_: None)

    def finish(
        self, conn: Connection, user_id: int, reply: Message, reservation_id: int, ending: Ending, now: datetime
    ) -> Message | None:
        """End a reply and its reservation, each once, whoever else tries; a reply that was deleted is paid for still.

        Returns:
            Its row; None if it was deleted.
        """
        status, charged = ending.verdict
        receipt = ending.receipt
        messages.finish_reply(
            conn,
            user_id,
            reply.id,
            status=status,
            content=ending.content,
            now=now,
            usage=receipt.usage if receipt else None,
            finish_reason=ending.finish_reason if status is MessageStatus.COMPLETE else None,
            cost=receipt.cost if receipt else None,
            error=ending.error,
        )
        failpoint("chat.reply.finished")
        if not charged:
            self.quotas.release(conn, reservation_id)
        elif self.quotas.settle(conn, reservation_id, receipt.usage.total if receipt else 0) and receipt:
            self.recorded(conn, reservation_id, user_id, reply, ending, now)
        return messages.find_message(conn, user_id, reply.id)


def saved(conn: Connection, texts: list[tuple[int, str, str]], now: datetime) -> list[str]:
    """Save what was generated so far.

    Args:
        conn: the unit of work.
        texts: user, reply and text.
        now: the present moment.

    Returns:
        The replies that do not stream any more: they were ended by somebody else, or deleted.
    """
    return [reply for user, reply, text in texts if not messages.save_reply(conn, user, reply, text, now)]
