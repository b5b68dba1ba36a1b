"""Files that nobody needs any more: those of removed tasks at once, those that were never used after a while."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from hutong.apps.emoji.generation import repository
from hutong.apps.emoji.generation.rules import RESULTS, task_of
from hutong.apps.emoji.generation.service import ERASE
from hutong.apps.emoji.pictures import repository as pictures
from hutong.apps.emoji.pictures.rules import INCOMING, UPLOADS, named_picture, stored_key
from hutong.apps.emoji.settings import EmojiSettings
from hutong.kernel.assembly import Kernel, Work
from hutong.kernel.jobs import Job, Retry, Schedule, Task
from hutong.kernel.observability.logs import logger
from hutong.kit.ids import created_at, first_id_of

TIDY = "emoji.generation.tidy"
ABANDONED = timedelta(days=1)
"""An upload lives for 15 minutes at most before it is taken in; a row follows its object within seconds."""
PAGE = 500
Named = Callable[[str], int | None]
Known = Callable[[Connection, Sequence[int]], set[int]]
_log = logger("emoji.erasing")


class Erasing:
    """Removes what is not needed."""

    def __init__(self, kernel: Kernel, settings: EmojiSettings) -> None:
        self._kernel, self._settings = kernel, settings

    def work(self) -> Work:
        """Its jobs and their schedule."""
        return Work(
            tasks=(
                Task(ERASE, self.erase, Retry(attempts=20, first=2.0)),
                Task(TIDY, self.tidy, Retry(attempts=20, first=60.0), timeout=3600.0),
            ),
            schedules=(Schedule(TIDY, cron="41 4 * * *"),),
        )

    async def erase(self, job: Job) -> None:
        """Delete the files of a removed task; its picture only if no other task uses it."""
        user_id, picture_id = int(job.args["user_id"]), int(job.args["picture_id"])
        if job.args["result_key"]:
            await self._kernel.files.remove(job.args["result_key"])
        if await self._kernel.db.write(_forget_picture, user_id, picture_id):
            await self._kernel.files.remove(stored_key(user_id, picture_id))

    async def tidy(self, job: Job) -> None:
        """Delete direct uploads that were never used, pictures of which no video was made, and objects without a row."""
        now = self._kernel.clock.now()
        unused = await self._remove_unused(now - timedelta(days=self._settings.picture_days))
        before = now - ABANDONED
        incoming = await self._remove_strays(INCOMING, before, named_picture, _nothing)
        originals = await self._remove_strays(UPLOADS, before, named_picture, pictures.known)
        videos = await self._remove_strays(RESULTS, before, task_of, repository.with_videos)
        _log.info("tidied up", unused_pictures=unused, unused_uploads=incoming, stray_objects=originals + videos)

    async def _remove_unused(self, before: datetime) -> int:
        """Pictures without a task that are older than `before`, a page at a time; row first, then the object."""
        count, after = 0, 0
        while page := await self._kernel.db.read(pictures.list_older, after, first_id_of(before), PAGE):
            after = page[-1].id
            for picture in page:
                if await self._kernel.db.read(repository.uses_picture, picture.user_id, picture.id):
                    continue
                if await self._kernel.db.write(_forget_picture, picture.user_id, picture.id):
                    await self._kernel.files.remove(picture.object_key)
                    count += 1
        return count

    async def _remove_strays(self, prefix: str, before: datetime, named: Named, known: Known) -> int:
        """Objects below `prefix` that are older than `before` and that no row needs.

        Args:
            named: the id of the row that a key stands for.
            known: which of these rows there are.
        """
        count = 0
        async for keys in self._pages(prefix):
            old = {key: found for key in keys if (found := named(key)) is not None and created_at(found) < before}
            needed = await self._kernel.db.read(known, sorted(old.values()))
            for key, row_id in old.items():
                if row_id not in needed:
                    count += await self._kernel.files.remove(key)
        return count

    async def _pages(self, prefix: str) -> AsyncIterator[Sequence[str]]:
        after: str | None = None
        while keys := await self._kernel.files.list(prefix, after, PAGE):
            yield keys
            after = keys[-1]


def _nothing(conn: Connection, row_ids: Sequence[int]) -> set[int]:
    """What was never taken in stands for nothing."""
    return set()


def _forget_picture(conn: Connection, user_id: int, picture_id: int) -> bool:
    """Remove the picture's row unless a task uses it. True also when it was removed before: files may remain."""
    pictures.keep(conn, user_id, picture_id)  # nobody begins to use it meanwhile
    if repository.uses_picture(conn, user_id, picture_id):
        return False
    pictures.remove(conn, user_id, picture_id)
    return True
