"""The vendor's machines: takes tasks in order, as many at once as the account may run, over all processes."""

import asyncio
import contextlib
import os
import uuid
from pathlib import Path

from hutong.kernel.observability.logs import logger
from hutong.kit.tasks import end
from hutong.providers.dashscope.sandbox import queue
from hutong.providers.dashscope.sandbox.answers import CODES, Refusal
from hutong.providers.dashscope.sandbox.pictures import check_boxes, fetch, picture_url
from hutong.providers.dashscope.sandbox.ports import Vision, VisionRefused, VisionUnavailable
from hutong.providers.dashscope.sandbox.queue import Task
from hutong.providers.dashscope.sandbox.settings import SandboxSettings
from hutong.sandbox.state import State

IDLE_SECONDS = 0.2
"""How often other processes' tasks are looked for; own ones ring the bell."""
CLEANING_SECONDS = 600
KEEP_MS = 7 * 24 * 3600 * 1000
"""Finished tasks and their videos are dropped after a week; the vendor's own life is a day."""

log = logger("providers.dashscope.sandbox")


class Runner:
    """One process's share of the work; any number of runners may share a database."""

    def __init__(self, state: State, vision: Vision, settings: SandboxSettings) -> None:
        self._state = state
        self._vision = vision
        self._settings = settings
        self._bell = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._works: set[asyncio.Task[None]] = set()
        self._cleaned: float | None = None

    async def start(self) -> None:
        """Begin to take tasks."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._run(), name="dashscope-sandbox-runner")

    async def close(self) -> None:
        """Stop; tasks in hand stay RUNNING and are taken over by the next runner at once."""
        loop, self._loop = self._loop, None
        tasks = [*self._works, *([loop] if loop else [])]
        await end(*tasks)

    def ring(self) -> None:
        """There is a new task."""
        self._bell.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._clean()
                if await self._take():
                    continue
            except Exception:
                log.exception("dashscope sandbox runner stumbled")
            await self._pause(IDLE_SECONDS)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            # Not wait_for: until Python 3.12 it swallows a cancellation that comes together with the bell.
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        self._bell.clear()

    async def _take(self) -> bool:
        """Claim one task and begin it; False when there is none, or no place."""
        if not await self._state.read(queue.has_work, self._state.now_ms()):
            return False
        runner = f"{os.getpid()}-{uuid.uuid4().hex}"
        task = await self._state.write(
            queue.claim, runner, self._lease_ms, self._settings.limits(), self._state.now_ms()
        )
        if task is None:
            return False
        if not task.hang:
            work = asyncio.create_task(self._work(task, runner), name=f"dashscope-sandbox-{task.id}")
            self._works.add(work)
            work.add_done_callback(self._done)
        return True

    def _done(self, work: asyncio.Task[None]) -> None:
        self._works.discard(work)
        self._bell.set()
        if not work.cancelled() and work.exception() is not None:
            log.error("dashscope sandbox task broke off", exc_info=work.exception())

    async def _work(self, task: Task, runner: str) -> None:
        """Render under a heartbeat; whichever ends first ends the other."""
        rendering = asyncio.create_task(self._render(task, runner))
        heart = asyncio.create_task(self._beat(task, runner))
        try:
            await asyncio.wait({rendering, heart}, return_when=asyncio.FIRST_COMPLETED)
            if rendering.done():
                rendering.result()
        except asyncio.CancelledError:
            await asyncio.shield(self._state.write(queue.renew, task.id, runner, 0))
            raise
        finally:
            await end(rendering, heart)

    async def _beat(self, task: Task, runner: str) -> None:
        """Renew the lease until it is lost."""
        while True:
            await asyncio.sleep(self._settings.lease_seconds / 3)
            until = self._state.now_ms() + self._lease_ms
            if not await self._state.write(queue.renew, task.id, runner, until):
                return

    async def _render(self, task: Task, runner: str) -> None:
        try:
            video, seconds = await self._video(task)
        except (Refusal, VisionRefused) as refusal:
            await self._state.write(queue.fail, task.id, runner, refusal.code, refusal.message, self._state.now_ms())
            return
        except VisionUnavailable as trouble:
            log.warning("dashscope sandbox cannot render", reason=str(trouble))
            code = "InternalError.Algo"
            await self._state.write(queue.fail, task.id, runner, code, CODES[code][1], self._state.now_ms())
            return
        await asyncio.to_thread(store_video, self._settings.videos, task.id, video)
        link_seconds = self._settings.link_seconds
        await self._state.write(queue.succeed, task.id, runner, seconds, link_seconds, self._state.now_ms())

    async def _video(self, task: Task) -> tuple[bytes, float]:
        if task.fail_code is not None:
            await self._until_due(task)
            raise Refusal(task.fail_code)
        image = await fetch(picture_url(task.image_url))
        check_boxes(image, {"face_bbox": task.face_bbox, "ext_bbox": task.ext_bbox})
        video = await self._vision.render(image, task.driven_id, task.face_bbox, task.ext_bbox)
        await self._until_due(task)
        return video

    async def _until_due(self, task: Task) -> None:
        """Let the least running time pass, by the sandbox's clock."""
        due = (task.scheduled_ms or 0) + task.running_ms
        while (left := due - self._state.now_ms()) > 0:  # noqa: ASYNC110 - the clock may be moved by hand
            await asyncio.sleep(min(left / 1000, IDLE_SECONDS))

    async def _clean(self) -> None:
        now = self._state.clock.monotonic()
        if self._cleaned is None or now - self._cleaned > CLEANING_SECONDS:
            self._cleaned = now
            dropped = await self._state.write(queue.clear, self._state.now_ms() - KEEP_MS)
            await asyncio.to_thread(remove_videos, self._settings.videos, dropped)

    @property
    def _lease_ms(self) -> int:
        return int(self._settings.lease_seconds * 1000)


def store_video(folder: Path, task_id: str, video: bytes) -> None:
    """Put a file in place in one step, so that nobody downloads half of it."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{task_id}-{uuid.uuid4().hex}"
    draft.write_bytes(video)
    draft.replace(folder / f"{task_id}.mp4")


def remove_videos(folder: Path, task_ids: list[str]) -> None:
    for task_id in task_ids:
        (folder / f"{task_id}.mp4").unlink(missing_ok=True)
