"""What `hutong up` promises about its children: each is restarted when it dies, and none outlives its parent."""

import contextlib
import signal
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from support.deadlines import wait_until
from support.installation import Caller, Installation, calling, installed, portrait

pytestmark = pytest.mark.slow
CHILDREN = ("store", "serve", "worker")


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Installation]:
    """Everything under one supervisor, with the store that comes with it."""
    with installed(tmp_path / "data") as installation:
        installation.up()
        yield installation


@pytest.fixture
async def caller(embedded: Installation) -> AsyncIterator[Caller]:
    async with calling(embedded) as made:
        yield made


def find(installation: Installation, name: str) -> psutil.Process | None:
    """The running child; None while it is away."""
    with contextlib.suppress(LookupError):
        return installation.child(name)
    return None


async def test_a_child_that_dies_is_started_again_and_work_goes_on(caller: Caller) -> None:
    """One death of each child while a video is made: it is made all the same, once."""
    phone = await caller.phone("a-phone-of-supervision")
    for number, name in enumerate(CHILDREN):
        victim = caller.installation.child(name)
        image_url = (await caller.again(lambda: phone.upload(portrait(900 + number)))).data["image_url"]  # noqa: B023 - awaited
        created = await caller.again(lambda: phone.create(image_url, key=f"key-{number}"))  # noqa: B023 - awaited
        victim.send_signal(signal.SIGKILL)
        task = await caller.ended(phone, created.data["task_id"])
        successor = wait_until(lambda: find(caller.installation, name), 20, what=name)  # noqa: B023 - called now

        assert task["status"] == "completed"
        assert successor is not None
        assert successor.pid != victim.pid
    await caller.answers()
    assert len(await caller.remote_tasks()) == len(CHILDREN)
    assert (await phone.balance()) == 100 - 10 * len(CHILDREN)


async def test_no_child_outlives_a_parent_that_is_killed(caller: Caller) -> None:
    """kill -9 of the parent: store, API, worker, vision process and their tethers are gone; the data folder is free."""
    phone = await caller.phone("a-phone-of-supervision")
    await caller.make_video(phone, 1)
    family = caller.installation.children()
    assert {caller.installation.child(name).pid for name in CHILDREN} < {process.pid for process in family}

    caller.installation.processes[0].kill()
    wait_until(lambda: not any(_alive(process) for process in family), 10, what=str(family))

    caller.installation.processes[0].wait()
    caller.installation.up()
    await caller.answers()
    assert len(await caller.remote_tasks()) == 1


async def test_only_this_user_can_open_the_store(caller: Caller) -> None:
    """A unix socket with mode 0700 in a folder with mode 0700, and no TCP port."""
    store = caller.installation.child("store")
    socket = next(Path(str(item.laddr)) for item in store.net_connections("unix") if item.laddr)

    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert store.net_connections("inet") == []


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
