"""What is not needed goes: uploads that nobody used, objects without a row; what is in use stays. On every database."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hutong.apps.emoji.app import create_app, create_work
from hutong.apps.emoji.generation.erasing import TIDY, Erasing
from hutong.apps.emoji.generation.repository import find
from hutong.apps.emoji.generation.tables import Stage
from hutong.apps.emoji.generation.tasks import STORE
from hutong.apps.emoji.user.service import Profiles
from hutong.kernel.files import Storage
from hutong.kernel.identity import Identity, User
from hutong.kernel.jobs import Job
from hutong.kit.clock import ManualClock
from support.stand import Stand, photo, until


async def tidied(stand: Stand, days: float) -> list[str]:
    """What the storage holds after the nightly job ran `days` from now."""
    kernel = stand.host.kernel
    later = ManualClock(kernel.clock.now() + timedelta(days=days))
    job = Job(1, TIDY, {}, 1, 1, later.now())
    await Erasing(replace(kernel, clock=later), stand.settings.emoji).tidy(job)
    return [key.split("/")[0] for key in await kernel.files.list("")]


async def test_the_nightly_job_removes_what_nobody_uses(stand: Stand) -> None:
    phone = await stand.phone()
    used = await phone.uploaded(photo(shade=1))
    task = await phone.ended((await phone.create(used)).data["task_id"])
    unused = await phone.uploaded(photo(shade=2))
    await phone.uploaded_directly(photo(shade=3))
    nobody = (
        f"{phone.user['id']}/{int(task['task_id']) + 1}"  # a process died before it wrote the row, or woke up too late
    )
    await stand.host.kernel.files.put(f"uploads/{nobody}.jpg", b"stray", "image/jpeg")
    await stand.host.kernel.files.put(f"results/{nobody}.mp4", b"stray", "video/mp4")

    at_once = await tidied(stand, 0)
    after_two_days = await tidied(stand, 2)
    after_a_month = await tidied(stand, 31)

    assert sorted(at_once) == ["incoming", "results", "results", "uploads", "uploads", "uploads"]
    assert sorted(after_two_days) == ["results", "uploads", "uploads"]
    assert sorted(after_a_month) == ["results", "uploads"]
    assert (await phone.create(unused)).code == 400001
    assert (await phone.ended((await phone.create(used)).data["task_id"]))["status"] == "completed"


async def test_the_books_say_when_the_nightly_job_runs(stand: Stand) -> None:
    (schedule,) = [schedule for schedule in stand.host.work.schedules if schedule.task == TIDY]

    assert TIDY in {task.name for task in stand.host.work.tasks}
    assert schedule.next_after(stand.host.kernel.clock.now()).strftime("%H:%M") == "04:41"


class Sleepy:
    """A storage whose videos are put only after a while: its worker sleeps in the middle of a job."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.asleep, self.wake = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        self.asleep.set()
        await self.wake.wait()
        await self._storage.put(key, data, content_type)


async def test_a_video_that_comes_too_late_for_its_task_is_not_kept(stand_up: Any) -> None:
    """A worker that slept through the end and the removal of its task puts a video where nobody would look for it."""
    stand: Stand = await stand_up(emoji={"poll_seconds": 0.05})
    phone, kernel = await stand.phone(), stand.host.kernel
    await stand.press("lie", what="not-video", times="1000")
    task_id = (await phone.create(await phone.uploaded())).data["task_id"]

    async def storing() -> bool:
        task = await kernel.db.read(find, int(task_id))
        return task is not None and task.stage is Stage.STORING

    async def empty() -> bool:
        return not await kernel.files.list("results/")

    await until(storing)
    await stand.press("reset")
    sleepy = Sleepy(kernel.files)
    (store,) = [task for task in create_work(replace(kernel, files=sleepy)).tasks if task.name == STORE]
    late = asyncio.ensure_future(store.handler(Job(1, STORE, {"task_id": task_id}, 1, 1, kernel.clock.now())))
    await sleepy.asleep.wait()
    await phone.ended(task_id)
    await phone.call("DELETE", f"/emoji/task/{task_id}")
    await until(empty)
    sleepy.wake.set()
    await late

    assert await empty()
    assert await phone.balance() == 90


class Slow:
    """An `Identity` whose readers linger between reading a row and going on."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.read, self.go_on = asyncio.Event(), asyncio.Event()

    async def get(self, user_id: int) -> User:
        found = await self._identity.get(user_id)
        self.read.set()
        await self.go_on.wait()
        return found


async def test_a_slow_reader_cannot_bring_an_old_nickname_back(stand: Stand) -> None:
    phone = await stand.phone()
    user_id, kernel = int(phone.user["id"]), stand.host.kernel
    slow = Slow(create_app(kernel).state.emoji.identity)
    await kernel.store.remove(f"user:{{{user_id}}}")
    reading = asyncio.create_task(Profiles(kernel, slow).get(user_id))  # type: ignore[arg-type]
    await slow.read.wait()
    await phone.call("PUT", "/user/profile", json={"nickname": "New"})
    slow.go_on.set()
    await reading

    assert (await phone.call("GET", "/user/profile")).data["nickname"] == "New"
