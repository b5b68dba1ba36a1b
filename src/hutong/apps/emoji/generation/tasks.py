"""The pipeline: admit → submit → poll → store, each an idempotent job; waiting holds no worker slot.

A remote id is written the moment it is known, so that a killed worker never pays for a second generation whose answer
was known. Source: contracts/emoji.md "Generation pipeline"; reference/emoji.md §6.3.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from hutong.apps.emoji.generation import endings, repository, rules
from hutong.apps.emoji.generation.invariants import INVARIANTS
from hutong.apps.emoji.generation.repository import TaskRow
from hutong.apps.emoji.generation.service import ADMIT
from hutong.apps.emoji.generation.tables import Stage
from hutong.apps.emoji.pictures.service import VENDOR_LINK_SECONDS
from hutong.apps.emoji.points.rules import TASK_PREFIX
from hutong.apps.emoji.settings import EmojiSettings
from hutong.kernel.assembly import Kernel, Work
from hutong.kernel.credits import release
from hutong.kernel.credits.expiry import ExpiredHold
from hutong.kernel.files.errors import ObjectMissing
from hutong.kernel.gateway import (
    AnswerLost,
    Busy,
    Lane,
    ProviderBlocked,
    ProviderDown,
    ProviderRejected,
    SourceUnreachable,
    VideoProgress,
    VideoRequest,
    VideoState,
    free_slot,
    lock_lane,
    pause_lane,
    take_slot,
)
from hutong.kernel.gateway.errors import ProviderFailed
from hutong.kernel.jobs import Again, Job, Retry, Schedule, Task
from hutong.kernel.observability import metrics
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.observability.logs import logger
from hutong.kit.errors import Unavailable

SUBMIT, POLL, STORE = "emoji.generation.submit", "emoji.generation.poll", "emoji.generation.store"
PACED = "emoji.generation.admit.paced"
MOST_AT_ONCE = 50
GIVE_UP_ASKING = 40
FORGOTTEN_SECONDS = 60.0
AWAY_SECONDS = 0.1
_log = logger("emoji.generation")


class Pipeline:
    """Works tasks off.

    Args:
        kernel: services.
        settings: times of this app.
        lane: what the provider allows.
        poll_seconds: between two looks at a generation.
        refusal_of: tells a provider's code about the picture from one about anything else.
    """

    def __init__(
        self,
        kernel: Kernel,
        settings: EmojiSettings,
        lane: Lane,
        poll_seconds: float,
        kind_of: Callable[[str], str],
    ) -> None:
        self._kernel, self._settings, self._lane = kernel, settings, lane
        self._poll_seconds, self._kind_of = poll_seconds, kind_of

    def work(self) -> Work:
        """This pipeline's tasks, schedules, invariants and hold resolver."""
        lasting = Retry(attempts=1_000_000, first=2.0, longest=60.0)
        return Work(
            tasks=(
                Task(ADMIT, self.admit, Retry(attempts=20, first=0.5)),
                Task(SUBMIT, self.submit, Retry(attempts=12, first=1.0, longest=60.0), on_dead=self._give_up),
                Task(POLL, self.poll, lasting, on_dead=self._give_up),
                Task(STORE, self.store, lasting, timeout=300.0, on_dead=self._give_up),
            ),
            schedules=(Schedule(ADMIT, every=10.0),),
            invariants=INVARIANTS,
            hold_resolvers={f"{TASK_PREFIX}{kind}": self._expire for kind in ("emoji", "avatar", "pose")},
        )

    # -- admit: our queue, the provider's limits -------------------------------------------------------------------------

    async def admit(self, job: Job) -> None:
        """Give free slots to the tasks that have waited longest, each in its own transaction."""
        for _ in range(MOST_AT_ONCE):
            if not await self._kernel.db.write(self._admit_one):
                return
        await self._kernel.db.write(self._kernel.jobs.enqueue, ADMIT, {})

    def _admit_one(self, conn: Connection) -> bool:
        room = lock_lane(conn, self._lane)
        now = self._kernel.clock.now()  # the lane may have kept us waiting, and the task may have come meanwhile
        task = repository.find_first_waiting(conn)
        if task is None:
            return False
        if rules.is_late(task.created_at, now, self._settings.queue_seconds):
            endings.fail(conn, task, "queue", "queue_timeout", now, self._kernel.ids)
            return True
        if isinstance(room, Busy):
            if room.seconds is not None:
                due = now + timedelta(seconds=room.seconds)
                self._kernel.jobs.enqueue_once(conn, ADMIT, PACED, {}, run_at=due)
            return False
        if repository.move(conn, task, Stage.SUBMITTING, now, self._kernel.ids, "admitted", {"started_at": now}):
            take_slot(conn, self._lane, room, str(task.id))
            self._kernel.jobs.enqueue(conn, SUBMIT, _of(task))
        return True  # when its owner called it off a moment ago, the next one is looked at

    # -- submit ----------------------------------------------------------------------------------------------------------

    async def submit(self, job: Job) -> Again | None:
        """Create the remote generation, once where its answer is known.

        Before the call the attempt is written down. A worker that died between the call and writing the answer leaves
        an unknown outcome: then the call is made again, at most `submissions` times in all, at our cost.
        """
        task = await self._task(job)
        if task is None or task.stage is not Stage.SUBMITTING:
            return None
        if task.submissions >= self._settings.submissions:
            await self._fail(task, "provider", "answer_lost")
            return None
        failpoint("emoji.submit.before_marked")
        if not await self._kernel.db.write(self._mark_submission, task):
            return None
        failpoint("emoji.submit.marked")
        try:
            remote_id = await self._kernel.gateway.videos.submit(self._request(task))
        except AnswerLost as error:
            _log.warning("the answer to a submission was lost", task=task.id, error=error.message)
            return Again(self._poll_seconds)
        except ProviderFailed as error:
            return await self._submission_refused(task, error)
        failpoint("emoji.submit.created")
        await self._keep_answer(task.id, remote_id)
        failpoint("emoji.submit.saved")
        return None

    async def _keep_answer(self, task_id: int, remote_id: str) -> None:
        """Write down what was paid for: while the database is away, again and again, until this run's time is over.

        To fail here would have the job run again, and the generation made and paid for twice.
        """
        while True:
            try:
                await self._kernel.db.write(self._submitted, task_id, remote_id)
            except Unavailable as error:
                _log.warning("a remote id cannot be written down yet", task=task_id, error=error.message)
                await asyncio.sleep(AWAY_SECONDS)
            else:
                return

    def _request(self, task: TaskRow) -> VideoRequest:
        link = self._kernel.files.link(task.source_image_key, seconds=VENDOR_LINK_SECONDS)
        return VideoRequest(link, task.driven_id, tuple(task.face_bbox), tuple(task.ext_bbox))

    def _mark_submission(self, conn: Connection, task: TaskRow) -> bool:
        now = self._kernel.clock.now()
        number = task.submissions + 1
        note = f"submission {number}"
        marked = {"submissions": number, "submitted_at": now}
        return repository.move(conn, task, Stage.SUBMITTING, now, self._kernel.ids, note, marked)

    async def _submission_refused(self, task: TaskRow, error: ProviderFailed) -> Again | None:
        """Nothing was accepted: this submission does not count. Wait, or give the points back."""
        if isinstance(error, ProviderRejected):
            await self._fail(task, self._kind_of(error.vendor_code), error.vendor_code or "rejected")
            return None
        if isinstance(error, ProviderBlocked):
            _log.error("the provider refuses this account; nothing is submitted for a while", code=error.vendor_code)
            metrics.provider_blocked.labels(self._lane.name, error.vendor_code).inc()
            await self._kernel.db.write(self._take_back, task.id)
            return None
        await self._kernel.db.write(self._unmark_submission, task.id)
        now = self._kernel.clock.now()
        if rules.is_late(task.started_at, now, self._settings.generation_seconds):
            await self._fail(task, "timeout", error.vendor_code or "provider_down")
            return None
        settings, down = self._settings, isinstance(error, ProviderDown | SourceUnreachable)
        pause = error.retry_after or (settings.down_pause_seconds if down else settings.throttled_pause_seconds)
        return Again(min(60.0, max(pause, 1 / self._lane.per_second)))

    def _unmark_submission(self, conn: Connection, task_id: int) -> None:
        task = repository.find(conn, task_id)
        if task is not None and task.stage is Stage.SUBMITTING and task.submissions > 0:
            now = self._kernel.clock.now()
            changed = {"submissions": task.submissions - 1}
            repository.move(conn, task, Stage.SUBMITTING, now, self._kernel.ids, "not accepted", changed)

    def _take_back(self, conn: Connection, task_id: int) -> None:
        """Put a task back into the queue and stop giving the provider anything until the pause is over."""
        now = self._kernel.clock.now()
        pause_lane(conn, self._lane.name, self._settings.blocked_pause_seconds)
        task = repository.find(conn, task_id)
        if task is None or task.stage is not Stage.SUBMITTING:
            return
        changed = {"submissions": task.submissions - 1, "submitted_at": None, "started_at": None}
        if repository.move(
            conn, task, Stage.QUEUED, now, self._kernel.ids, "the provider refuses the account", changed
        ):
            free_slot(conn, self._lane.name, str(task.id))
            self._kernel.jobs.enqueue(conn, ADMIT, {})

    def _submitted(self, conn: Connection, task_id: int, remote_id: str) -> None:
        task = repository.find(conn, task_id)
        if task is None or task.stage is not Stage.SUBMITTING:
            return
        now = self._kernel.clock.now()
        note = f"remote {remote_id}"
        known = {"remote_task_id": remote_id}
        if repository.move(conn, task, Stage.GENERATING, now, self._kernel.ids, note, known):
            due = now + timedelta(seconds=self._poll_seconds)
            self._kernel.jobs.enqueue(conn, POLL, _of(task), run_at=due)

    # -- poll ------------------------------------------------------------------------------------------------------------

    async def poll(self, job: Job) -> Again | None:
        """Ask how the generation stands; come back later while it goes on."""
        task = await self._task(job)
        if task is None or task.stage is not Stage.GENERATING:
            return None
        now = self._kernel.clock.now()
        try:
            progress = await self._kernel.gateway.videos.query(task.remote_task_id)
        except ProviderFailed as error:
            if await self._out_of_time(task, now):
                return None
            return Again(max(self._poll_seconds, error.retry_after or 0))
        failpoint("emoji.poll.answered")
        if progress.state in {VideoState.WAITING, VideoState.RUNNING}:
            return None if await self._out_of_time(task, now) else Again(self._poll_seconds)
        if progress.state is VideoState.LOST and not rules.is_late(task.submitted_at, now, FORGOTTEN_SECONDS):
            return Again(self._poll_seconds)  # the vendor may not know yet what it accepted a moment ago
        await self._kernel.db.write(self._polled, task.id, progress)
        failpoint("emoji.poll.saved")
        return None

    async def _out_of_time(self, task: TaskRow, now: datetime) -> bool:
        """A hung provider ends in failed and refund after the configured total time."""
        if not rules.is_late(task.started_at, now, self._settings.generation_seconds):
            return False
        await self._kernel.gateway.videos.cancel(task.remote_task_id)
        await self._fail(task, "timeout", "generation_timeout")
        return True

    def _polled(self, conn: Connection, task_id: int, progress: VideoProgress) -> None:
        task = repository.find(conn, task_id)
        if task is None or task.stage is not Stage.GENERATING:
            return
        now = self._kernel.clock.now()
        if progress.state is VideoState.SUCCEEDED and progress.video_url:
            values = {"video_url": progress.video_url, "video_seconds": progress.seconds, "generated_at": now}
            if repository.move(conn, task, Stage.STORING, now, self._kernel.ids, "generated", values):
                free_slot(conn, self._lane.name, str(task.id))
                self._kernel.jobs.enqueue(conn, STORE, _of(task))
                self._kernel.jobs.enqueue(conn, ADMIT, {})
            return
        code = progress.vendor_code or f"remote_{progress.state.value}"
        if endings.fail(conn, task, self._kind_of(code), code, now, self._kernel.ids):
            self._kernel.jobs.enqueue(conn, ADMIT, {})

    # -- store -----------------------------------------------------------------------------------------------------------

    async def store(self, job: Job) -> Again | None:
        """Copy the video into our storage and complete the task; tried for as long as the link lives."""
        task = await self._task(job)
        if task is None or task.stage is not Stage.STORING:
            return None
        key = rules.result_key(task.user_id, task.id)
        if not await self._is_stored(key):  # else a worker died after storing it; the link may be dead by now
            try:
                video = await self._kernel.gateway.videos.fetch(task.video_url)
            except ProviderFailed as error:
                return await self._fetch_failed(task, error)
            failpoint("emoji.store.downloaded")
            await self._kernel.files.put(key, video, "video/mp4")
        failpoint("emoji.store.saved")
        if not await self._kernel.db.write(self._stored, task.id, key):
            await self._kernel.files.remove(key)
        failpoint("emoji.store.completed")
        return None

    async def _is_stored(self, key: str) -> bool:
        """Whether the video lies there already; objects are whole or not there."""
        try:
            await self._kernel.files.head(key)
        except ObjectMissing:
            return False
        return True

    async def _fetch_failed(self, task: TaskRow, error: ProviderFailed) -> Again | None:
        """A dead link is given a few more tries, anything else the link's whole life."""
        waited = (self._kernel.clock.now() - task.generated_at).total_seconds()
        dead = error.vendor_code in {
            "link.403",
            "link.404",
            "link.410",
            "link.foreign_host",
            "link.not_mp4",
            "link.too_large",
        }
        if waited > (self._poll_seconds * GIVE_UP_ASKING / 10 if dead else self._settings.storing_seconds):
            await self._fail(task, "provider", error.vendor_code or "download_failed")
            return None
        _log.warning("the video could not be fetched yet", task=task.id, error=error.message)
        return Again(min(60.0, max(self._poll_seconds, waited / 4)))

    def _stored(self, conn: Connection, task_id: int, key: str) -> bool:
        """Complete the task. False when the video is nobody's any more: it failed or was removed while this was slow."""
        task = repository.find(conn, task_id)
        if task is not None and task.stage is Stage.STORING:
            if endings.complete(conn, task, key, self._kernel.clock.now(), self._kernel.ids):
                return True
            task = repository.find(conn, task_id)
        return task is not None and task.result_key == key

    # -- giving up --------------------------------------------------------------------------------------------------------

    async def _fail(self, task: TaskRow, kind: str, code: str) -> None:
        await self._kernel.db.write(self._fail_by_id, task.id, kind, code)

    def _fail_by_id(self, conn: Connection, task_id: int, kind: str, code: str) -> None:
        task = repository.find(conn, task_id)
        if task is None or task.stage is Stage.ENDED:
            return
        if endings.fail(conn, task, kind, code, self._kernel.clock.now(), self._kernel.ids):
            self._kernel.jobs.enqueue(conn, ADMIT, {})

    def _give_up(self, conn: Connection, job: Job, error: str) -> None:
        self._fail_by_id(conn, int(job.args["task_id"]), "provider", "given_up")

    def _expire(self, conn: Connection, late: ExpiredHold, now: datetime) -> None:
        if repository.find(conn, int(late.ref_id)) is None:
            _log.error("a charge stood for a task that is gone; its points are back", hold=late.id, task=late.ref_id)
            release(conn, late.id, self._kernel.ids(), now)
        else:
            self._fail_by_id(conn, int(late.ref_id), "timeout", "hold_expired")

    async def _task(self, job: Job) -> TaskRow | None:
        return await self._kernel.db.read(repository.find, int(job.args["task_id"]))


def _of(task: TaskRow) -> dict[str, Any]:
    return {"task_id": str(task.id)}
