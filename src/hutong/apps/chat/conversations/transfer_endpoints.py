"""GET /conversations/export, GET /conversations/{id}/export, POST /conversations/import."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from hutong.apps.chat.contract.responses import SIGNED_IN, WITH_BODY, Responses, failures
from hutong.apps.chat.conversations.endpoints import Cursor
from hutong.apps.chat.conversations.portable import Export
from hutong.apps.chat.conversations.schemas import Imported
from hutong.apps.chat.deps import App, Caller
from hutong.apps.chat.envelope import API, ok
from hutong.apps.chat.rows.errors import ConversationsFull, ConversationUnknown, CursorInvalid, ImportInvalid
from hutong.kernel.http.answers import JSON
from hutong.kernel.http.strict import StrictRoute

router = APIRouter(prefix=f"{API}/conversations", tags=["conversations"], route_class=StrictRoute)
MARKDOWN = "text/markdown; charset=utf-8"
Form = Annotated[
    Literal["json", "markdown"],
    Query(alias="format", description="`json` can be imported again; `markdown` is the newest branch, for people."),
]
FILE: Responses = {200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}}


@router.get(
    "/export",
    response_model=Export,
    responses=FILE | failures(*SIGNED_IN, CursorInvalid),
    summary="Export all conversations",
)
async def export_conversations(app: App, caller: Caller, form: Form = "json", cursor: Cursor = None) -> Response:
    """Everything, the archived ones too, the one that was updated last first. A long history comes in several files:
    `next_cursor` of one is `cursor` of the next."""
    if form == "json":
        return _file(await app.transfer.export_all(caller.user_id, cursor), "conversations.json")
    return _file((await app.transfer.markdown_all(caller.user_id, cursor)).encode(), "conversations.md")


@router.get(
    "/{conversation_id}/export",
    response_model=Export,
    responses=FILE | failures(*SIGNED_IN, ConversationUnknown),
    summary="Export one conversation",
)
async def export_conversation(conversation_id: str, app: App, caller: Caller, form: Form = "json") -> Response:
    """One conversation with all its branches, or its newest branch as Markdown."""
    if form == "json":
        return _file(await app.transfer.export_one(caller.user_id, conversation_id), "conversation.json")
    return _file((await app.transfer.markdown_one(caller.user_id, conversation_id)).encode(), "conversation.md")


@router.post(
    "/import",
    response_model=Imported,
    responses=failures(*SIGNED_IN, *WITH_BODY, ImportInvalid, ConversationsFull),
    summary="Import an export",
)
async def import_conversations(body: Export, app: App, caller: Caller) -> Response:
    """Take back what an export holds, all of it or nothing; again is no error and adds nothing. What it cost is not charged."""
    return ok(await app.transfer.take(caller, body))


def _file(content: bytes, name: str) -> Response:
    kind = JSON if name.endswith("json") else MARKDOWN
    return Response(content, headers={"Content-Disposition": f'attachment; filename="{name}"'}, media_type=kind)
