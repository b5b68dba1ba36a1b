"""What running replies need now and then: their text is saved, and their reservations are told to live on."""

import asyncio

from hutong.apps.chat.replies.opening import saved
from hutong.apps.chat.replies.rules import Cause
from hutong.apps.chat.replies.running import Run
from hutong.apps.chat.replies.settings import ReplySettings
from hutong.kernel.db import Database, DatabaseUnavailable
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.observability.logs import logger
from hutong.kernel.quotas import Quotas
from hutong.kit.clock import Clock
from hutong.kit.tasks import end

SAVED_AT_ONCE = 20
"""Replies in one transaction."""
_log = logger("chat.replies")


class Tending:
    """Looks after the running replies of one process, as long as there are any.

    Args:
        db, quotas, clock: where texts are saved and leases prolonged.
        settings: how often.
    """

    def __init__(self, db: Database, quotas: Quotas, clock: Clock, settings: ReplySettings) -> None:
        self._db, self._quotas, self._clock = db, quotas, clock
        self._lease = settings.lease_seconds
        self._pause = min(settings.checkpoint_seconds, settings.lease_seconds / 4)
        self._runs: set[Run] = set()
        self._loop: asyncio.Task[None] | None = None

    def add(self, run: Run) -> None:
        """Look after a reply from now on."""
        self._runs.add(run)
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._tend())

    def remove(self, run: Run) -> None:
        """It has ended."""
        self._runs.discard(run)

    async def close(self) -> None:
        """Look after nothing any more."""
        await end(self._loop)

    async def _tend(self) -> None:
        extended = self._clock.monotonic()
        while self._runs:
            await asyncio.sleep(self._pause)
            try:
                await self._save([run for run in self._runs if run.unsaved])
                if self._runs and self._clock.monotonic() - extended >= self._lease / 4:
                    ids = [run.reservation_id for run in self._runs]
                    await self._db.write(self._quotas.extend, ids, self._lease)
                    extended = self._clock.monotonic()
            except DatabaseUnavailable:
                _log.warning("replies cannot be saved at present", replies=len(self._runs))

    async def _save(self, runs: list[Run]) -> None:
        for at in range(0, len(runs), SAVED_AT_ONCE):
            some = runs[at : at + SAVED_AT_ONCE]
            texts = [(run.user_id, run.reply.id, run.text) for run in some]
            lost = await self._db.write(saved, texts, self._clock.now())
            failpoint("chat.reply.saved")
            for run, (_, _, text) in zip(some, texts, strict=True):
                run.note_saved(text)
                if run.reply.id in lost:
                    run.interrupt(Cause.LOST)
