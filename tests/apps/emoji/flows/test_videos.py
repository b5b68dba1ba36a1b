"""User stories of the emoji app, end to end over HTTP, on every database."""

import asyncio

import pytest

from hutong.host.wiring import Host
from support.servers import Redis, RedisCluster
from support.stand import NO_FACE, TEMPLATE, TWO_FACES, VIDEO, VIOLATION, Phone, Stand, photo, until

ALL_AT_ONCE = 10


async def test_a_photo_becomes_a_video_and_costs_its_price(stand: Stand) -> None:
    """Sign in, upload, detect, create, follow, download: the ledger shows what was taken."""
    phone = await stand.phone()
    image_url = await phone.uploaded()
    found = (await phone.call("POST", "/emoji/detect", json={"image_url": image_url})).data
    created = (await phone.create(image_url)).data
    task = await phone.ended(created["task_id"])
    async with stand.client.get(task["result_url"]) as answer:
        video = await answer.read()

    assert found["passed"] and found["face_bbox"] == [100, 120, 300, 340]
    assert (created["status"], created["points_cost"], created["balance"]) == ("pending", 10, 90)
    assert (task["status"], task["error_message"], task["queue_position"]) == ("completed", None, None)
    assert video == VIDEO
    assert await phone.entries() == [("reward", 100), ("consume", -10)]
    assert [row["task_id"] for row in (await phone.call("GET", "/emoji/history")).data["items"]] == [created["task_id"]]


async def test_without_points_nothing_is_stored_or_charged(stand: Stand) -> None:
    phone = await stand.phone()
    image_url = await phone.uploaded()
    for _ in range(10):
        await phone.create(image_url)
    refused = await phone.create(image_url)

    assert (refused.status, refused.code) == (402, 402001)
    assert refused.body["data"] == {"balance": 0, "needed": 10}
    assert (await phone.call("GET", "/emoji/history")).data["total"] == 10
    assert await phone.balance() == 0


async def test_the_same_key_makes_one_task(stand: Stand) -> None:
    """One after the other and all at once: one task, one charge; another body with the key is refused."""
    phone = await stand.phone()
    image_url = await phone.uploaded()
    first = (await phone.create(image_url, key="k-1")).data
    again = (await phone.create(image_url, key="k-1")).data
    racers = await asyncio.gather(*(phone.create(image_url, key="k-2") for _ in range(ALL_AT_ONCE)))
    other = await phone.create(image_url, "dagong_kaixin", key="k-1")

    assert again["task_id"] == first["task_id"]
    assert {reply.code for reply in racers} <= {0, 409001}
    assert len({reply.body["data"]["task_id"] for reply in racers if reply.code == 0}) == 1
    assert (other.status, other.code) == (422, 422009)
    assert (await phone.call("GET", "/emoji/history")).data["total"] == 2
    assert await phone.balance() == 80


@pytest.mark.parametrize(
    ("width", "code", "reason"),
    [(NO_FACE, 422001, "no_face"), (TWO_FACES, 422002, "several_faces"), (VIOLATION, 422003, "violation")],
)
async def test_a_refused_picture_costs_nothing(stand: Stand, width: int, code: int, reason: str) -> None:
    phone = await stand.phone()
    image_url = await phone.uploaded(photo(width))
    found = (await phone.call("POST", "/emoji/detect", json={"image_url": image_url})).data
    refused = await phone.create(image_url)

    assert (found["passed"], found["reason"]) == (False, reason)
    assert (refused.status, refused.code, refused.body["data"]["reason"]) == (422, code, reason)
    assert await phone.entries() == [("reward", 100)]


async def test_other_peoples_things_are_unknown(stand: Stand) -> None:
    owner, stranger = await stand.phone(), await stand.phone()
    image_url = await owner.uploaded()
    task_id = (await owner.create(image_url)).data["task_id"]

    assert (await stranger.call("GET", f"/emoji/task/{task_id}")).code == 404001
    assert (await stranger.call("DELETE", f"/emoji/task/{task_id}")).code == 404001
    assert (await stranger.create(image_url)).code == 400001
    assert (await stranger.call("POST", "/emoji/detect", json={"image_url": image_url})).code == 400001
    assert await stranger.balance() == 100
    await owner.ended(task_id)


async def test_a_waiting_task_can_be_called_off(stand: Stand) -> None:
    """Points back and the record gone; one that is being worked on stays."""
    stand.vision.gate.clear()
    phone = await stand.phone()
    image_url = await phone.uploaded()
    ids = [(await phone.create(image_url)).data["task_id"] for _ in range(6)]

    async def settled() -> bool:
        tasks = [await phone.task(task_id) for task_id in ids]
        return bool(sum(task["status"] == "processing" for task in tasks) == 4)

    await until(settled)
    waiting = await phone.task(ids[5])
    called_off = await phone.call("DELETE", f"/emoji/task/{ids[5]}")
    too_late = await phone.call("DELETE", f"/emoji/task/{ids[0]}")
    stand.vision.gate.set()

    assert (waiting["status"], waiting["queue_position"]) == ("pending", 2) and waiting["eta_seconds"] > 0
    assert called_off.data["refunded"] == 10
    assert (too_late.status, too_late.code) == (409, 409002)
    assert (await phone.call("GET", f"/emoji/task/{ids[5]}")).code == 404001
    for task_id in ids[:5]:
        assert (await phone.ended(task_id))["status"] == "completed"
    assert await phone.balance() == 50


async def test_a_failed_generation_gives_the_points_back_once(stand: Stand) -> None:
    phone = await stand.phone()
    await stand.press("fail", code="InternalError.Algo", times="1")
    task = await phone.ended((await phone.create(await phone.uploaded())).data["task_id"])

    assert task["status"] == "failed" and "points are back" in task["error_message"]
    assert await phone.entries() == [("reward", 100), ("consume", -10), ("refund", 10)]


async def test_a_finished_task_is_removed_with_its_files(stand: Stand) -> None:
    phone = await stand.phone()
    task = await phone.ended((await phone.create(await phone.uploaded())).data["task_id"])
    removed = await phone.call("DELETE", f"/emoji/task/{task['task_id']}")

    async def gone() -> bool:
        async with stand.client.get(task["result_url"]) as video, stand.client.get(task["source_image_url"]) as source:
            return (video.status, source.status) == (404, 404)

    assert removed.data["refunded"] == 0
    await until(gone)
    assert (await phone.call("GET", f"/emoji/task/{task['task_id']}")).code == 404001


async def test_a_direct_upload_is_checked_when_it_is_first_used(stand: Stand) -> None:
    phone = await stand.phone()
    image_url = await phone.uploaded_directly()
    task = await phone.ended((await phone.create(image_url)).data["task_id"])

    assert task["status"] == "completed"


async def test_a_picture_is_looked_at_once_however_many_ask(stand: Stand) -> None:
    """Detections cost money with the vendor: ten creates at once share one."""
    phone = await stand.phone()
    image_url = await phone.uploaded()
    replies = await asyncio.gather(*(phone.create(image_url) for _ in range(ALL_AT_ONCE)))

    assert {reply.code for reply in replies} == {0}
    assert (await stand.sandbox_totals())["detects"] == 1
    assert await phone.balance() == 0


async def test_two_first_logins_of_one_device_make_one_user(stand: Stand) -> None:
    phones = await asyncio.gather(*(stand.phone("the-same-device") for _ in range(ALL_AT_ONCE)))

    assert len({phone.user["id"] for phone in phones}) == 1
    assert await phones[0].entries() == [("reward", 100)]


async def test_a_flushed_store_loses_nothing(stand: Stand, store_server: Redis | RedisCluster) -> None:
    """Doorbells, caches and counters are gone; every task still ends."""
    stand.vision.gate.clear()
    phone = await stand.phone()
    image_url = await phone.uploaded()
    ids = [(await phone.create(image_url)).data["task_id"] for _ in range(6)]
    store_server.flush()
    stand.vision.gate.set()

    assert {(await phone.ended(task_id))["status"] for task_id in ids} == {"completed"}
    assert (await stand.sandbox_totals())["creates"] == 6


async def test_blocked_users_are_out_within_seconds(stand: Stand) -> None:
    phone = await stand.phone("to-be-blocked")
    kernel = stand.host.kernel
    from hutong.kernel.identity import users
    from hutong.kernel.identity.tables import UserStatus

    await kernel.db.write(users.set_status, "emoji", int(phone.user["id"]), UserStatus.BLOCKED, kernel.clock.now())
    await kernel.epochs.refresh("emoji", int(phone.user["id"]))

    assert (await phone.call("GET", "/points/balance")).code == 401002
    assert (
        await Phone(stand.client, stand.base).call("POST", "/auth/login", json={"device_id": "to-be-blocked"})
    ).code == 403001


async def test_two_workers_and_two_processes_do_nothing_twice(stand: Stand) -> None:
    """A second worker and a second API process on the same data: one charge, one remote generation a task."""
    second = Host(stand.settings)
    await second.start()
    worker = second.worker()
    running = asyncio.create_task(worker.run())
    phones = [await stand.phone() for _ in range(4)]
    images = [await phone.uploaded() for phone in phones]
    replies = await asyncio.gather(
        *(p.create(i, TEMPLATE) for p, i in zip(phones, images, strict=True) for _ in range(5))
    )
    owners = [phone for phone in phones for _ in range(5)]
    ended = [await phone.ended(reply.data["task_id"]) for phone, reply in zip(owners, replies, strict=True)]
    worker.stop()
    await running
    await second.stop()

    assert {task["status"] for task in ended} == {"completed"}
    assert (await stand.sandbox_totals())["creates"] == 20
    assert [await phone.balance() for phone in phones] == [50] * 4
