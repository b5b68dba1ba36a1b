"""The emoji app while its cluster is in trouble: a master without a replica is lost, slots move, processes start."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hutong.kernel.identity import users
from hutong.kernel.identity.tables import UserStatus
from hutong.kernel.jobs.bell import STREAM
from hutong.kernel.observability import metrics
from hutong.kernel.store.cluster import slot_of
from support.http import http_client
from support.installation import Caller, installed
from support.servers import RedisCluster
from support.stand import Phone, Stand, until

pytestmark = pytest.mark.server
on_a_cluster = pytest.mark.parametrize(("store_kind", "database_url"), [("cluster", "postgresql")], indirect=True)
PER_MINUTE = 60
BELL = slot_of(STREAM.encode())


@pytest.mark.slow
@on_a_cluster
async def test_a_lost_master_costs_time_only(stand_up: Callable[..., Any], redis_masters: RedisCluster) -> None:
    """The one with the doorbell: jobs are found by the sweep, limits and epochs hold, and later all is as before."""
    stand: Stand = await stand_up(limits={"user_per_minute": PER_MINUTE})
    phone, blocked = await stand.phone(), await stand.phone()
    image_url = await phone.uploaded()
    lost = redis_masters.owner(BELL)
    lost.kill()
    try:
        during = [(await phone.create(image_url)).data["task_id"] for _ in range(2)]
        assert {(await phone.ended(task_id))["status"] for task_id in during} == {"completed"}
        assert await _redis_is(stand, "down")
        assert await _is_out(stand, blocked)
        await _is_limited(stand)
    finally:
        await asyncio.to_thread(lost.restart)
    await until(lambda: _redis_is(stand, "up"))
    await _hears_again(stand)

    after = await stand.phone()
    created = (await after.create(await after.uploaded())).data
    assert (await after.ended(created["task_id"]))["status"] == "completed"
    assert (await stand.sandbox_totals())["creates"] == 3


async def _redis_is(stand: Stand, status: str) -> bool:
    """The service stays healthy without its store."""
    async with stand.client.get(f"{stand.base}/emoji/health") as answer:
        assert answer.status == 200
        return bool((await answer.json())["components"]["redis"]["status"] == status)


async def _is_out(stand: Stand, phone: Phone) -> bool:
    """Whether a user who is blocked now is refused at once."""
    kernel, user_id = stand.host.kernel, int(phone.user["id"])
    await kernel.db.write(users.set_status, "emoji", user_id, UserStatus.BLOCKED, kernel.clock.now())
    await kernel.epochs.refresh("emoji", user_id)
    return (await phone.call("GET", "/points/balance")).code == 401002


async def _is_limited(stand: Stand) -> None:
    """Users beyond the limit are refused, wherever their counters lie."""
    for _ in range(3):
        phone = await stand.phone()
        replies = await asyncio.gather(*(phone.call("GET", "/points/balance") for _ in range(2 * PER_MINUTE + 1)))
        assert {reply.code for reply in replies} == {0, 429001}


async def _heard_last(stand: Stand) -> bytes:
    """The last entry of the doorbell's stream that a worker was given."""
    (group,) = await stand.host.kernel.store.call("XINFO", "GROUPS", STREAM)
    return bytes(group[group.index(b"last-delivered-id") + 1])


async def _hears_again(stand: Stand) -> None:
    before = await _heard_last(stand)
    stand.host.bell.ring(1)

    async def hears() -> bool:
        return await _heard_last(stand) != before

    await until(hears)


@on_a_cluster
async def test_slots_move_under_a_flow_without_a_failed_call(stand: Stand, redis_masters: RedisCluster) -> None:
    """Those of the doorbell, of this address's limits and of two users, to the next master and back."""
    phones = [await stand.phone() for _ in range(2)]
    tags = [b"127.0.0.1", *(phone.user["id"].encode() for phone in phones)]
    before, moving = _failures(), asyncio.Event()

    async def use(phone: Phone) -> None:
        image_url = await phone.uploaded()
        while not moving.is_set():
            assert (await phone.call("GET", "/user/profile")).data
        for _ in range(2):
            task = (await phone.create(image_url)).data
            assert (await phone.ended(task["task_id"]))["status"] == "completed"

    async def move() -> None:
        for _ in range(2):
            for slot in (BELL, *(slot_of(tag) for tag in tags)):
                home = redis_masters.owner(slot)
                away = next(node for node in redis_masters.nodes if node is not home)
                await asyncio.to_thread(redis_masters.move_slot, slot, home, away)
                await asyncio.to_thread(redis_masters.move_slot, slot, away, home)
        moving.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for phone in phones:
            group.create_task(use(phone))
        group.create_task(move())

    assert _failures() == before


def _failures() -> float:
    return sum(sample.value for metric in metrics.store_failures.collect() for sample in metric.samples)


@pytest.mark.slow
async def test_one_command_starts_everything_on_a_cluster(tmp_path: Path, redis_masters: RedisCluster) -> None:
    """No store of its own is started; the doctor asks the cluster, and names a URL that takes it for a single server."""
    redis_masters.flush()
    with installed(tmp_path / "data", {"HUTONG_STORE_URL": redis_masters.store_url}) as installation:
        async with http_client() as client:
            caller = Caller(installation, client)
            installation.up()
            await caller.answers()
            async with client.get(f"{installation.base}/emoji/health") as answer:
                health = await answer.json()
        words = [" ".join(child.cmdline()) for child in installation.children()]
        doctor = await asyncio.to_thread(installation.run, "doctor")
        installation.environment = {"HUTONG_STORE_URL": redis_masters.url}
        mistaken = await asyncio.to_thread(installation.run, "doctor")

    assert health["components"]["redis"]["status"] == "up"
    assert words and not any("valkey-server" in word or "redis-server" in word for word in words)
    assert "store: answers" in doctor.stdout and "store binary: not needed" in doctor.stdout
    assert mistaken.returncode == 1 and "redis+cluster://" in mistaken.stdout
