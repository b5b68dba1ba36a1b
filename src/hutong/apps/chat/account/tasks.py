"""The job that deletes what a removed user wrote, piece by piece, so that no transaction is a long one."""

from datetime import timedelta

from sqlalchemy import Connection

from hutong.apps.chat.account.service import ERASE
from hutong.apps.chat.compatible.repository import remove_all
from hutong.apps.chat.rows.conversations import oldest_conversation_ids, remove_conversation
from hutong.apps.chat.rows.errors import ConversationUnknown
from hutong.apps.chat.rows.members import find_member
from hutong.kernel.db import Database
from hutong.kernel.jobs import Again, Job, Retry, Task

AT_ONCE = 50
"""Conversations that one transaction deletes."""
MINUTES = 5


class Erasure:
    """Deletes the conversations of users who are gone."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def tasks(self) -> list[Task]:
        """What the app's work gets."""
        return [Task(ERASE, self.erase, retry=Retry(attempts=20), timeout=timedelta(minutes=MINUTES).total_seconds())]

    async def erase(self, job: Job) -> Again | None:
        """Delete some; come back at once while there are more."""
        left = await self._db.write(_erase_some, int(job.args["user_id"]))
        return Again(0) if left else None


def _erase_some(conn: Connection, user_id: int) -> bool:
    """Delete the next conversations of a user who is no member any more. Returns whether there may be more."""
    if find_member(conn, user_id) is not None:
        return False
    ids = oldest_conversation_ids(conn, user_id, AT_ONCE)
    for conversation_id in ids:
        try:
            remove_conversation(conn, user_id, conversation_id)
        except ConversationUnknown:
            continue  # another run of this job was faster
    remove_all(conn, user_id)
    return len(ids) == AT_ONCE
