"""Export and import: everything of one conversation, or of many, out as JSON or Markdown, and back in.

An export holds so much as an import takes; a longer history is several files, each with the cursor of the next.
"""

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection

from hutong.apps.chat.account.members import Member
from hutong.apps.chat.conversations.markdown import markdown
from hutong.apps.chat.conversations.portable import FORMAT, VERSION, Export, conversation_of, messages_of, portable
from hutong.apps.chat.conversations.rules import cursor_of, place_of
from hutong.apps.chat.conversations.schemas import Imported
from hutong.apps.chat.conversations.service import Conversations
from hutong.apps.chat.rows import conversations as rows
from hutong.apps.chat.rows import messages
from hutong.apps.chat.rows.conversations import Conversation, Place, Wanted
from hutong.apps.chat.rows.errors import ConversationsFull, ImportInvalid
from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.settings import ConversationSettings
from hutong.kernel.db import Database
from hutong.kit.clock import Clock, iso_z

IMPORT_BYTES = 16 * 1024 * 1024
"""Bytes of the body of an import."""
EXPORT_BYTES = 8 * 1024 * 1024
"""An export ends after the conversation that passes this; it is less than an import takes, for text grows when others write
the same JSON in more bytes."""


class Transfer:
    """Exports and imports.

    Args:
        db, clock: the kernel's.
        conversations: whose copies an import drops.
        settings: bounds.
    """

    def __init__(
        self, db: Database, clock: Clock, conversations: Conversations, settings: ConversationSettings
    ) -> None:
        self._db, self._clock, self._conversations, self._settings = db, clock, conversations, settings

    async def export_one(self, user_id: int, conversation_id: str) -> bytes:
        """One conversation with all its branches.

        Raises:
            ConversationUnknown.
        """
        one = await self._conversations.get(user_id, conversation_id)
        return self._file([await self._json(user_id, one)], None)

    async def export_all(self, user_id: int, cursor: str | None) -> bytes:
        """Conversations with all their branches, the archived ones too, the one that was updated last first.

        Raises:
            CursorInvalid.
        """
        found, more = await self._some(user_id, cursor)
        pieces: list[bytes] = []
        size, last = 0, None
        for one in found:
            pieces.append(await self._json(user_id, one))
            size, last = size + len(pieces[-1]), one
            if size > EXPORT_BYTES:
                break
        rest = last is not None and (more or len(pieces) < len(found))
        return self._file(pieces, cursor_of(last.updated_at, last.id) if last is not None and rest else None)

    async def markdown_one(self, user_id: int, conversation_id: str) -> str:
        """The newest branch of one conversation.

        Raises:
            ConversationUnknown.
        """
        return await self._markdown(user_id, await self._conversations.get(user_id, conversation_id))

    async def markdown_all(self, user_id: int, cursor: str | None) -> str:
        """The newest branch of each conversation; where there are more, the last line names the cursor.

        Raises:
            CursorInvalid.
        """
        found, more = await self._some(user_id, cursor)
        texts = [await self._markdown(user_id, one) for one in found]
        if more:
            texts.append(f"<!-- next_cursor: {cursor_of(found[-1].updated_at, found[-1].id)} -->\n")
        return "\n---\n\n".join(texts)

    async def take(self, member: Member, given: Export) -> Imported:
        """Import what an export holds: all of it, or nothing.

        Conversations that are here already, by their ids, stay as they are.

        Raises:
            ImportInvalid: it is no export of ours, or too much of one.
            ConversationsFull: the user would have more conversations than one may have.
        """
        if len(given.conversations) > self._settings.import_most:
            raise ImportInvalid(f"One import takes {self._settings.import_most} conversations.")
        if sum(len(one.messages) for one in given.conversations) > self._settings.import_most_messages:
            raise ImportInvalid(f"One import takes {self._settings.import_most_messages} messages.")
        now = self._clock.now()
        ready = [(conversation_of(one, now), messages_of(one, now)) for one in given.conversations]
        done = await self._db.write(self._write, member.user_id, ready)
        await self._conversations.changed(member.user_id)
        return done

    def _write(
        self, conn: Connection, user_id: int, ready: Sequence[tuple[Conversation, Sequence[Message]]]
    ) -> Imported:
        """Message ids are unique among a user's; one that stands elsewhere already makes the whole import invalid."""
        created = written = 0
        for one, its_messages in ready:
            if not rows.add_absent(conn, user_id, one):
                continue
            created, written = created + 1, written + len(its_messages)
            if not messages.add_absent(conn, user_id, its_messages):
                raise ImportInvalid(f"A message of the conversation {one.id} is part of another conversation.")
        if rows.count_conversations(conn, user_id) > self._settings.most:
            raise ConversationsFull
        return Imported(created=created, skipped=len(ready) - created, messages=written)

    async def _some(self, user_id: int, cursor: str | None) -> tuple[Sequence[Conversation], bool]:
        limit = self._settings.export_most
        wanted = Wanted(archived=None, after=Place(*place_of(cursor)) if cursor else None, limit=limit + 1)
        found = await self._db.read(rows.list_conversations, user_id, wanted)
        return found[:limit], len(found) > limit

    async def _json(self, user_id: int, one: Conversation) -> bytes:
        most = self._settings.import_most_messages
        found = await self._db.read(messages.list_messages, user_id, one.id, limit=most)
        return orjson.dumps(portable(one, found))

    async def _markdown(self, user_id: int, one: Conversation) -> str:
        branch: Sequence[Message] = ()
        if one.leaf_id is not None:
            branch = await self._conversations.branch(user_id, one.id, one.leaf_id)
        return markdown(one, branch)

    def _file(self, pieces: Sequence[bytes], following: str | None) -> bytes:
        head = {"format": FORMAT, "version": VERSION, "exported_at": iso_z(self._clock.now()), "next_cursor": following}
        return orjson.dumps(head)[:-1] + b',"conversations":[' + b",".join(pieces) + b"]}"
