"""Use cases of tasks: create, look at, list, remove. The pipeline that works them off is in `tasks.py`."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from hutong.apps.emoji.catalogue.schemas import Template
from hutong.apps.emoji.catalogue.service import Catalogue
from hutong.apps.emoji.generation import repository, rules
from hutong.apps.emoji.generation.endings import fail_own
from hutong.apps.emoji.generation.errors import TaskNotCancellable, TaskUnknown
from hutong.apps.emoji.generation.repository import TaskRow
from hutong.apps.emoji.generation.tables import Stage, TaskStatus
from hutong.apps.emoji.pictures import repository as pictures
from hutong.apps.emoji.pictures.errors import PICTURE_GONE, PictureNotYours
from hutong.apps.emoji.pictures.repository import Picture
from hutong.apps.emoji.pictures.service import Pictures
from hutong.apps.emoji.points.rules import task_ref
from hutong.apps.emoji.settings import EmojiSettings
from hutong.kernel.assembly import Kernel
from hutong.kernel.credits import CreditsExhausted, hold
from hutong.kernel.credits.holds import HoldRequest
from hutong.kernel.http import idempotency
from hutong.kernel.http.idempotency import Claim, Replay
from hutong.kernel.observability.failpoints import failpoint
from hutong.kit.paging import Page, PageRequest

ADMIT, ERASE = "emoji.generation.admit", "emoji.generation.erase"
OPERATION = "emoji.create"
SPANS_SECONDS = 10.0


class Generations:
    """The tasks of this app's users."""

    def __init__(
        self, kernel: Kernel, settings: EmojiSettings, catalogue: Catalogue, pictures: Pictures, lanes: int
    ) -> None:
        self._kernel, self._settings = kernel, settings
        self._catalogue, self._pictures = catalogue, pictures
        self._lanes = lanes
        self._usual: tuple[float, float] = (0.0, settings.usual_seconds)

    # -- creating --------------------------------------------------------------------------------------------------------

    async def create(self, user_id: int, image_url: str, driven_id: str, key: str | None) -> dict[str, Any]:
        """Take the points and queue a task; the same Idempotency-Key again gives the first answer.

        Returns:
            The answer's data: task_id, status, points_cost, balance.

        Raises:
            TemplateUnknown, PictureNotYours, PictureRefused, CreditsExhausted: nothing was stored or charged.
            KeyInUse, KeyReused, ProviderFailed.
        """
        if key is None:
            return await self._create(user_id, image_url, driven_id, None)
        claim = self._claim(user_id, image_url, driven_id, key)
        lease = self._kernel.settings.http.key_lease_seconds
        replay = await self._kernel.db.write(idempotency.begin, claim, self._kernel.clock.now(), lease)
        if isinstance(replay, Replay):
            return dict(replay.answer)
        failpoint("emoji.create.claimed")
        try:
            return await self._create(user_id, image_url, driven_id, claim)
        except Exception:  # nothing was committed, or the claim is completed and stays
            await self._kernel.db.write(idempotency.abandon, claim)
            raise

    def _claim(self, user_id: int, image_url: str, driven_id: str, key: str) -> Claim:
        """Links differ each time they are signed: what counts is the object they name."""
        link = self._kernel.files.key_of(image_url)
        body = {"image": link.key if link else image_url, "driven_id": driven_id}
        return idempotency.make_claim(user_id, OPERATION, key, body, self._kernel.ids())

    async def _create(self, user_id: int, image_url: str, driven_id: str, claim: Claim | None) -> dict[str, Any]:
        template = self._catalogue.get_template(driven_id)
        cost = self._catalogue.price(template.task_type)
        balance = await self._kernel.wallet.balance(user_id)
        if balance < cost:
            raise CreditsExhausted(details={"balance": balance, "needed": cost})
        picture = await self._pictures.accept(await self._pictures.resolve(user_id, image_url))
        failpoint("emoji.create.accepted")
        return await self._kernel.db.write(self._charge_and_queue, picture, template, cost, claim)

    def _charge_and_queue(
        self, conn: Connection, picture: Picture, template: Template, cost: int, claim: Claim | None
    ) -> dict[str, Any]:
        """One transaction: points, task, event, job, and the remembered answer."""
        if not pictures.keep(conn, picture.user_id, picture.id):
            raise PictureNotYours(PICTURE_GONE)
        now, task_id, hold_id = self._kernel.clock.now(), self._kernel.ids(), self._kernel.ids()
        allowed = self._settings.queue_seconds + self._settings.generation_seconds + self._settings.storing_seconds
        hold(
            conn,
            HoldRequest(
                hold_id=hold_id,
                entry_id=self._kernel.ids(),
                account_id=picture.user_id,
                amount=cost,
                ref_type=task_ref(template.task_type),
                ref_id=str(task_id),
                expires_at=now + timedelta(seconds=allowed),
                now=now,
            ),
        )
        failpoint("emoji.create.held")
        repository.create(conn, _new_task(task_id, hold_id, picture, template, cost, now))
        status, stage = TaskStatus.PENDING, Stage.QUEUED
        repository.record(conn, picture.user_id, task_id, status, stage, "created", now, self._kernel.ids)
        self._kernel.jobs.enqueue(conn, ADMIT, {})
        failpoint("emoji.create.enqueued")
        answer = {"task_id": str(task_id), "status": status.value, "points_cost": cost}
        if claim is not None:
            idempotency.complete(conn, claim, 200, answer)
        return answer

    # -- looking ---------------------------------------------------------------------------------------------------------

    async def get(self, user_id: int, task_id: int) -> tuple[TaskRow, int | None, int | None]:
        """The user's task, its place in the queue (from 1) and the seconds until it is likely done, while it waits.

        Raises:
            TaskUnknown.
        """
        task = await self._kernel.db.read(repository.find_own, user_id, task_id)
        if task is None:
            raise TaskUnknown
        if task.status is not TaskStatus.PENDING:
            return task, None, None
        line = await self._kernel.db.read(repository.line, task_id)
        eta = rules.eta_seconds(line.ahead, line.running, self._lanes, await self._usual_seconds())
        return task, line.ahead + 1, eta

    async def _usual_seconds(self) -> float:
        """How long a generation takes at present, asked at most every ten seconds."""
        asked, usual = self._usual
        if time.monotonic() - asked > SPANS_SECONDS:
            spans: Sequence[float] = await self._kernel.db.read(repository.recent_spans)
            usual = sum(spans) / len(spans) if spans else self._settings.usual_seconds
            self._usual = (time.monotonic(), usual)
        return usual

    async def list(self, user_id: int, request: PageRequest) -> Page[TaskRow]:
        """The user's tasks, newest first."""
        return await self._kernel.db.read(repository.list_own, user_id, request)

    def link(self, object_key: str) -> str:
        """A link for the owner."""
        return self._pictures.link(object_key)

    # -- removing --------------------------------------------------------------------------------------------------------

    async def remove(self, user_id: int, task_id: int) -> int:
        """Remove a task that ended, or call off one that waits. Returns the points that came back.

        Raises:
            TaskUnknown, TaskNotCancellable.
        """
        return await self._kernel.db.write(self._remove, user_id, task_id)

    def _remove(self, conn: Connection, user_id: int, task_id: int) -> int:
        task = repository.find_own(conn, user_id, task_id)
        if task is None:
            raise TaskUnknown
        if task.stage not in {Stage.QUEUED, Stage.ENDED}:
            raise TaskNotCancellable
        refunded = 0
        if task.stage is Stage.QUEUED:
            task = fail_own(conn, task, "cancelled", self._kernel.clock.now(), self._kernel.ids)
            refunded = task.points_cost
        if not repository.remove(conn, task):
            raise TaskUnknown
        erase = {"user_id": str(user_id), "picture_id": str(task.picture_id), "result_key": task.result_key}
        self._kernel.jobs.enqueue(conn, ERASE, erase)
        return int(refunded)


def _new_task(task_id: int, hold_id: int, picture: Picture, template: Template, cost: int, now: Any) -> dict[str, Any]:
    return {
        "id": task_id,
        "user_id": picture.user_id,
        "task_type": template.task_type,
        "picture_id": picture.id,
        "source_image_key": picture.object_key,
        "driven_id": template.driven_id,
        "style_name": template.name,
        "face_bbox": list(picture.face_bbox or ()),
        "ext_bbox": list(picture.ext_bbox or ()),
        "points_cost": cost,
        "hold_id": hold_id,
        "status": TaskStatus.PENDING,
        "stage": Stage.QUEUED,
        "submissions": 0,
        "created_at": now,
    }
