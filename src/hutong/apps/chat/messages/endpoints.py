"""POST /conversations/{id}/messages and what follows from it: regenerate, stop, edit, and the stream of a reply."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response

from hutong.apps.chat.account.members import Member
from hutong.apps.chat.contract.responses import SIGNED_IN, WITH_BODY, failures
from hutong.apps.chat.conversations.schemas import MessageView
from hutong.apps.chat.conversations.views import message_view
from hutong.apps.chat.deps import App, Caller, Chat
from hutong.apps.chat.envelope import API, ok
from hutong.apps.chat.messages.schemas import EditMessage, ReplyView, SendMessage, WantedReply, reply_view
from hutong.apps.chat.messages.sse import KIND, event_stream
from hutong.apps.chat.replies.errors import (
    MessageTooLong,
    NotAReply,
    NotYourWords,
    ReplyFailed,
    ReplyInterrupted,
    ReplyRunning,
    TooManyReplies,
)
from hutong.apps.chat.replies.planning import Edit, Leaf, Order, Regenerate, Send
from hutong.apps.chat.rows.errors import ConversationUnknown, MessageUnknown
from hutong.kernel.gateway.errors import ContextTooLong, ModelForbidden, ModelUnknown
from hutong.kernel.http.idempotency import KeyInUse, KeyMalformed, KeyReused
from hutong.kernel.http.strict import StrictRoute
from hutong.kernel.quotas import QuotaExhausted

router = APIRouter(prefix=API, tags=["messages"], route_class=StrictRoute)
LARGEST_SEQ = 2**53 - 1
ConversationId = Annotated[str, Path(max_length=36, description="Of the conversation.")]
MessageId = Annotated[str, Path(max_length=36, description="Of the message.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="1 to 255 visible ASCII characters of your own: the same key and body again gives the same reply, and "
        "is neither asked nor charged twice.",
    ),
]
ANSWERS: tuple[Any, ...] = (
    *SIGNED_IN,
    *WITH_BODY,
    *(ConversationUnknown, MessageUnknown, ModelUnknown, ModelForbidden, ContextTooLong, QuotaExhausted),
    *(ReplyRunning, TooManyReplies, ReplyFailed, ReplyInterrupted, KeyInUse, KeyMalformed, KeyReused, MessageTooLong),
)
STREAM = {"content": {KIND: {"schema": {"type": "string"}}}, "description": "As JSON, or with `stream` as events."}


def _answers(*more: Any) -> dict[int | str, dict[str, Any]]:
    return failures(*ANSWERS, *more) | {200: STREAM}


@router.post(
    "/conversations/{conversation_id}/messages",
    response_model=ReplyView,
    responses=_answers(),
    summary="Send a message",
)
async def send_message(
    conversation_id: ConversationId,
    body: SendMessage,
    request: Request,
    app: App,
    caller: Caller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Save the message, ask the model, save its reply, and answer with both; or, with `stream`, as it is written.

    Whoever leaves does not end the reply: it is written to its end, saved and charged."""
    parent_id = body.parent_id if "parent_id" in body.model_fields_set else Leaf()
    order = Send(conversation_id, body.content, parent_id)
    return await _reply(app, caller, request, order, body, idempotency_key or body.client_message_id)


@router.post(
    "/conversations/{conversation_id}/messages/{message_id}/regenerate",
    response_model=ReplyView,
    responses=_answers(NotAReply),
    summary="Write a reply again",
)
async def regenerate(
    conversation_id: ConversationId,
    message_id: MessageId,
    body: WantedReply,
    request: Request,
    app: App,
    caller: Caller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Another reply beside this one, to the same message; or a reply to a message of the user that has none."""
    return await _reply(app, caller, request, Regenerate(conversation_id, message_id), body, idempotency_key)


@router.patch(
    "/messages/{message_id}",
    response_model=ReplyView,
    responses=_answers(NotYourWords),
    summary="Edit a message",
)
async def edit_message(
    message_id: MessageId,
    body: EditMessage,
    request: Request,
    app: App,
    caller: Caller,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Other words beside a message of the user, with a reply to them: the conversation branches there, nothing is lost."""
    return await _reply(app, caller, request, Edit(message_id, body.content), body, idempotency_key)


@router.post(
    "/conversations/{conversation_id}/messages/{message_id}/stop",
    response_model=MessageView,
    responses=failures(*SIGNED_IN, MessageUnknown, NotAReply),
    summary="Stop a reply",
)
async def stop_reply(conversation_id: ConversationId, message_id: MessageId, app: App, caller: Caller) -> Response:
    """End a reply where it is, wherever it is written; what came until then is kept and charged. One that has ended is
    answered as it is."""
    return ok(message_view(await app.replies.stop(caller.user_id, message_id, conversation_id)))


@router.get(
    "/conversations/{conversation_id}/messages/{message_id}/stream",
    responses=failures(*SIGNED_IN, MessageUnknown, NotAReply) | {200: STREAM},
    response_class=Response,
    summary="Hear a reply",
)
async def stream_reply(
    conversation_id: ConversationId,
    message_id: MessageId,
    app: App,
    caller: Caller,
    after: Annotated[int, Query(ge=0, le=LARGEST_SEQ, description="Events up to this id are known.")] = 0,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="As `after`, from browsers.")
    ] = None,
) -> Response:
    """The events of a reply, from the start or from where the caller was, until its end; of one that ended long ago, the
    last event alone."""
    reply = await app.replies.following.get(caller.user_id, message_id)
    if reply.conversation_id != conversation_id:
        raise MessageUnknown
    return _stream(app, caller, message_id, max(after, _known(last_event_id)))


async def _reply(
    app: Chat, caller: Member, request: Request, order: Order, body: WantedReply, key: str | None
) -> Response:
    request_id = request.state.request_id
    begun = await app.replies.start(caller, order, body.wish(), request_id=request_id, key=key)
    if body.stream:
        return _stream(app, caller, begun.reply.id, 0)
    reply = await app.replies.outcome(caller.user_id, begun.reply.id)
    return ok(reply_view(begun.question, reply))


def _stream(app: Chat, caller: Member, message_id: str, after: int) -> Response:
    events = app.replies.following.events(caller.user_id, message_id, after)
    return event_stream(events, app.settings.replies.keep_alive_seconds)


def _known(last_event_id: str | None) -> int:
    """What a browser has already; one that sends nonsense gets everything."""
    text = last_event_id or ""
    return min(int(text), LARGEST_SEQ) if text.isascii() and text.isdigit() and len(text) < 17 else 0
