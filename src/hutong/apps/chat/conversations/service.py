"""Use cases of conversations. The first page of a user's list has a copy, which every write of theirs drops."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from hutong.apps.chat.account.members import Member
from hutong.apps.chat.conversations.rules import cursor_of, normalise_title, place_of, words_of
from hutong.apps.chat.conversations.schemas import ConversationChange, NewConversation
from hutong.apps.chat.conversations.views import conversation_view
from hutong.apps.chat.envelope import encoded, topic_of
from hutong.apps.chat.rows import conversations as rows
from hutong.apps.chat.rows import messages
from hutong.apps.chat.rows.conversations import Conversation, Place, Wanted
from hutong.apps.chat.rows.errors import ConversationsFull
from hutong.apps.chat.rows.ids import new_uuid
from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.rows.tables import MessageRole, MessageStatus
from hutong.apps.chat.settings import ChatSettings
from hutong.kernel.db import Database
from hutong.kernel.gateway.chats import Chats
from hutong.kernel.gateway.errors import ModelUnknown
from hutong.kernel.realtime import Feeds
from hutong.kernel.store import LayeredCopies
from hutong.kit.clock import Clock

COPY = "conversations"
"""Name of the copies, so that the store's key is `conversations:{user_id}`. Source: contracts/chat.md "Cache"."""
PAGE = 40
"""Conversations on a page unless the caller says otherwise; only such a first page has a copy."""
LARGEST_PAGE = 100
CHANGED = b'{"type":"conversations.changed"}'
"""What all tabs of a user hear when their list is not as it was."""


class Conversations:
    """Conversations of this app's users.

    Args:
        db, clock: the kernel's.
        chats: the models that replies may be asked of.
        copies: of first pages.
        feeds: tell the user's sockets of changes.
        settings: bounds.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        chats: Chats,
        copies: LayeredCopies,
        feeds: Feeds,
        settings: ChatSettings,
    ) -> None:
        self._db, self._clock, self._chats, self._copies = db, clock, chats, copies
        self._feeds, self._settings = feeds, settings

    async def create(self, member: Member, wanted: NewConversation) -> Conversation:
        """Begin a conversation.

        Raises:
            TitleInvalid, ModelUnknown, ModelForbidden.
            ConversationsFull: the user has as many as one may have.
        """
        now, title = self._clock.now(), normalise_title(wanted.title)
        model = self._model(member, wanted.model)
        new = Conversation(new_uuid(now), title, model, False, None, now, now)
        made = await self._db.write(self._create, member.user_id, new, wanted.system_prompt)
        await self.changed(member.user_id)
        return made

    async def get(self, user_id: int, conversation_id: str) -> Conversation:
        """The conversation.

        Raises:
            ConversationUnknown.
        """
        return await self._db.read(rows.get_conversation, user_id, conversation_id)

    async def page(self, user_id: int, *, archived: bool | None, text: str, cursor: str | None, limit: int) -> bytes:
        """A page of the user's conversations as the body of an answer, the one that was updated last first.

        Raises:
            CursorInvalid.
        """
        wanted = Wanted(archived, words_of(text), Place(*place_of(cursor)) if cursor else None, limit)
        if wanted != Wanted(archived=False, limit=PAGE):
            return await self._read(user_id, wanted)
        copy = await self._copies.find(user_id)
        if copy is None:
            copy = await self._read(user_id, wanted)
            await self._copies.keep(user_id, copy)
        return copy

    async def change(self, member: Member, conversation_id: str, change: ConversationChange) -> Conversation:
        """Set title, model or whether it is archived.

        Raises:
            ConversationUnknown, TitleInvalid, ModelUnknown, ModelForbidden.
        """
        values: dict[str, Any] = {}
        if change.title is not None:
            values["title"] = normalise_title(change.title)
        if change.model is not None:
            values["model"] = self._model(member, change.model)
        if change.is_archived is not None:
            values["is_archived"] = change.is_archived
        if values:
            await self._db.write(rows.change_conversation, member.user_id, conversation_id, values, self._clock.now())
            await self.changed(member.user_id)
        return await self.get(member.user_id, conversation_id)

    async def remove(self, user_id: int, conversation_id: str) -> None:
        """Delete a conversation with its messages.

        Raises:
            ConversationUnknown.
        """
        await self._db.write(rows.remove_conversation, user_id, conversation_id)
        await self.changed(user_id)

    async def messages(
        self, user_id: int, conversation_id: str, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[Message], str | None]:
        """A page of messages of all branches, the oldest first, and where the next one begins.

        Raises:
            ConversationUnknown, CursorInvalid.
        """
        after = messages.Place(*place_of(cursor)) if cursor else None
        found = await self._db.read(_messages, user_id, conversation_id, limit + 1, after)
        if len(found) <= limit:
            return found, None
        return found[:limit], cursor_of(found[limit - 1].created_at, found[limit - 1].id)

    async def branch(self, user_id: int, conversation_id: str, leaf_id: str) -> Sequence[Message]:
        """The messages from the first to one of them.

        Raises:
            MessageUnknown: there is no such message in this conversation, or no such conversation.
        """
        return await self._db.read(messages.history, user_id, conversation_id, leaf_id)

    async def changed(self, user_id: int) -> None:
        """Something in the user's list is not as it was. Whoever adds messages calls this after the commit.

        The user's open sockets hear of it, too.
        """
        await self._copies.forget(user_id)
        await self._feeds.publish(topic_of(user_id), CHANGED)

    def _model(self, member: Member, name: str | None) -> str:
        """The model by its name, or the default one.

        Raises:
            ModelUnknown, ModelForbidden.
        """
        wanted = name or self._settings.default_model
        if wanted:
            return self._chats.model(wanted, vip=member.is_vip).name
        cards = self._chats.models(vip=member.is_vip)
        if not cards:
            raise ModelUnknown
        return cards[0].name

    def _create(self, conn: Connection, user_id: int, new: Conversation, prompt: str | None) -> Conversation:
        if rows.count_conversations(conn, user_id) >= self._settings.conversations.most:
            raise ConversationsFull
        rows.add_conversation(conn, user_id, new)
        if prompt is None:
            return new
        first = Message(
            id=new_uuid(new.created_at),
            conversation_id=new.id,
            parent_id=None,
            role=MessageRole.SYSTEM,
            content=prompt,
            status=MessageStatus.COMPLETE,
            created_at=new.created_at,
            updated_at=new.created_at,
        )
        messages.add_message(conn, user_id, first)
        rows.change_conversation(conn, user_id, new.id, {"leaf_id": first.id}, new.created_at)
        return rows.get_conversation(conn, user_id, new.id)

    async def _read(self, user_id: int, wanted: Wanted) -> bytes:
        """One conversation more than is wanted tells whether there is another page."""
        more = Wanted(wanted.archived, wanted.words, wanted.after, wanted.limit + 1)
        found = await self._db.read(rows.list_conversations, user_id, more)
        shown = found[: wanted.limit]
        last = shown[-1] if len(found) > wanted.limit else None
        cursor = cursor_of(last.updated_at, last.id) if last else None
        return encoded({"items": [conversation_view(one) for one in shown], "next_cursor": cursor})


def _messages(
    conn: Connection, user_id: int, conversation_id: str, limit: int, after: messages.Place | None
) -> Sequence[Message]:
    rows.get_conversation(conn, user_id, conversation_id)
    return messages.list_messages(conn, user_id, conversation_id, limit=limit, after=after)
