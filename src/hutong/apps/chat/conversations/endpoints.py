"""GET and POST /conversations; GET, PATCH and DELETE /conversations/{id}; GET /conversations/{id}/messages."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from hutong.apps.chat.contract.responses import SIGNED_IN, WITH_BODY, failures
from hutong.apps.chat.conversations.rules import LONGEST_CURSOR
from hutong.apps.chat.conversations.schemas import (
    ConversationChange,
    ConversationPage,
    ConversationView,
    MessagePage,
    NewConversation,
)
from hutong.apps.chat.conversations.service import LARGEST_PAGE, PAGE
from hutong.apps.chat.conversations.views import conversation_view, message_view
from hutong.apps.chat.deps import App, Caller
from hutong.apps.chat.envelope import API, ok
from hutong.apps.chat.rows.errors import (
    ConversationsFull,
    ConversationUnknown,
    CursorInvalid,
    MessageUnknown,
    TitleInvalid,
)
from hutong.kernel.gateway.errors import ModelForbidden, ModelUnknown
from hutong.kernel.http.answers import JSON
from hutong.kernel.http.paging import DIGITS
from hutong.kernel.http.strict import StrictRoute

router = APIRouter(prefix=f"{API}/conversations", tags=["conversations"], route_class=StrictRoute)
MODEL = (ModelUnknown, ModelForbidden)
MESSAGES_PAGE = 100
Cursor = Annotated[
    str | None, Query(min_length=1, max_length=LONGEST_CURSOR, description="`next_cursor` of the page before.")
]
Text = Annotated[
    str, Query(alias="q", max_length=200, description="Words; each has to stand in the title or in a message.")
]
Archived = Annotated[bool, Query(description="Those that are archived, or those that are not.")]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Conversations on a page."), DIGITS]
MessageLimit = Annotated[int, Query(ge=1, le=500, description="Messages on a page."), DIGITS]
Leaf = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=36,
        description="Only the branch that ends in this message, whole and on one page; `newest` is the conversation's newest.",
    ),
]


@router.post(
    "",
    status_code=201,
    response_model=ConversationView,
    responses=failures(*SIGNED_IN, *WITH_BODY, *MODEL, TitleInvalid, ConversationsFull),
    summary="Begin a conversation",
)
async def create_conversation(body: NewConversation, app: App, caller: Caller) -> Response:
    """Begin a conversation, with a system prompt where one is given."""
    return ok(conversation_view(await app.conversations.create(caller, body)), 201)


@router.get(
    "",
    response_model=ConversationPage,
    responses=failures(*SIGNED_IN, CursorInvalid),
    summary="The caller's conversations",
)
async def list_conversations(
    app: App,
    caller: Caller,
    text: Text = "",
    cursor: Cursor = None,
    is_archived: Archived = False,
    limit: Limit = PAGE,
) -> Response:
    """Conversations, the one that was updated last first; with `q`, those in whose title or messages each word stands."""
    page = app.conversations.page(caller.user_id, archived=is_archived, text=text, cursor=cursor, limit=limit)
    return Response(await page, media_type=JSON)


@router.get(
    "/{conversation_id}",
    response_model=ConversationView,
    responses=failures(*SIGNED_IN, ConversationUnknown),
    summary="One conversation",
)
async def read_conversation(conversation_id: str, app: App, caller: Caller) -> Response:
    """One of the caller's conversations, without its messages."""
    return ok(conversation_view(await app.conversations.get(caller.user_id, conversation_id)))


@router.patch(
    "/{conversation_id}",
    response_model=ConversationView,
    responses=failures(*SIGNED_IN, *WITH_BODY, *MODEL, ConversationUnknown, TitleInvalid),
    summary="Change title or model, archive",
)
async def change_conversation(conversation_id: str, body: ConversationChange, app: App, caller: Caller) -> Response:
    """Set what is given; a change moves the conversation to the top of the list."""
    return ok(conversation_view(await app.conversations.change(caller, conversation_id, body)))


@router.delete(
    "/{conversation_id}",
    status_code=204,
    response_class=Response,
    responses=failures(*SIGNED_IN, ConversationUnknown),
    summary="Delete a conversation",
)
async def remove_conversation(conversation_id: str, app: App, caller: Caller) -> Response:
    """Delete a conversation with all its messages, for good."""
    await app.conversations.remove(caller.user_id, conversation_id)
    return Response(status_code=204)


@router.get(
    "/{conversation_id}/messages",
    response_model=MessagePage,
    responses=failures(*SIGNED_IN, ConversationUnknown, MessageUnknown, CursorInvalid),
    summary="Messages of a conversation",
)
async def list_messages(
    conversation_id: str,
    app: App,
    caller: Caller,
    cursor: Cursor = None,
    limit: MessageLimit = MESSAGES_PAGE,
    leaf: Leaf = None,
) -> Response:
    """The messages of all branches, the oldest first, page by page; or one branch. Parents come before what answers them."""
    if leaf is not None:
        return await _branch(app, caller.user_id, conversation_id, leaf)
    found, following = await app.conversations.messages(caller.user_id, conversation_id, cursor=cursor, limit=limit)
    return ok({"items": [message_view(one) for one in found], "next_cursor": following})


async def _branch(app: App, user_id: int, conversation_id: str, leaf: str) -> Response:
    wanted: str | None = leaf
    if leaf == "newest":
        wanted = (await app.conversations.get(user_id, conversation_id)).leaf_id
    found = await app.conversations.branch(user_id, conversation_id, wanted) if wanted else ()
    return ok({"items": [message_view(one) for one in found], "next_cursor": None})
