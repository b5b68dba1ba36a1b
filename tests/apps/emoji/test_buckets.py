"""The emoji app's stories with its objects in a bucket: OSS (the sandbox of the same installation) and S3."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from support.buckets import s3_settings
from support.seaweed import Seaweed, seaweed
from support.stand import VIDEO, Stand, photo, until

StandUp = Callable[..., Awaitable[Stand]]


@pytest.fixture(scope="module")
def s3_server() -> Iterator[Seaweed]:
    with seaweed() as server:
        yield server


@pytest.fixture(params=["oss", "s3"])
async def bucket(request: pytest.FixtureRequest, stand_up: StandUp) -> Stand:
    """A whole Hutong whose objects lie in a bucket."""
    chosen: dict[str, Any] = {"files": {"storage": request.param}}
    if request.param == "oss":
        return await stand_up(**chosen, oss={"timeout": 5, "prefix": "prod/"})
    server: Seaweed = request.getfixturevalue("s3_server")
    return await stand_up(**chosen, s3=s3_settings(server, prefix=f"t{abs(hash(request.node.nodeid))}/"))


@pytest.fixture
async def oss(stand_up: StandUp) -> Stand:
    return await stand_up(files={"storage": "oss"}, oss={"timeout": 1, "attempts": 1})


async def press(stand: Stand, button: str, **values: str) -> None:
    """A button of the OSS sandbox's page."""
    url = f"{stand.base}/sandbox/oss/control/{button}"
    async with stand.client.post(url, data=values, headers={"Accept": "application/json"}) as answer:
        assert answer.status == 200, await answer.text()


async def keys(stand: Stand) -> list[str]:
    return list(await stand.host.kernel.files.list(""))


async def test_a_photo_becomes_a_video_in_the_bucket(bucket: Stand) -> None:
    """Upload, detect, create, follow, download: every link is the bucket's own, and the local folder serves nothing."""
    phone = await bucket.phone()
    image_url = await phone.uploaded()
    found = (await phone.call("POST", "/emoji/detect", json={"image_url": image_url})).data
    task = await phone.ended((await phone.create(image_url)).data["task_id"])
    async with bucket.client.get(task["result_url"]) as answer:
        video = await answer.read()
    async with bucket.client.get(f"{bucket.base}/files/{(await keys(bucket))[0]}") as local:
        served = local.status

    assert found["passed"]
    assert task["status"] == "completed" and video == VIDEO
    assert "Signature=" in image_url or "x-oss-signature=" in image_url
    assert served == 404
    assert not (bucket.data / "files").exists()
    assert await phone.entries() == [("reward", 100), ("consume", -10)]


async def test_a_direct_upload_goes_past_the_app(bucket: Stand) -> None:
    phone = await bucket.phone()
    image_url = await phone.uploaded_directly()
    before = await keys(bucket)
    task = await phone.ended((await phone.create(image_url)).data["task_id"])

    assert [key.split("/")[0] for key in before] == ["incoming"]
    assert task["status"] == "completed"
    assert sorted(key.split("/")[0] for key in await keys(bucket)) == ["results", "uploads"]


async def test_a_removed_task_leaves_no_object(bucket: Stand) -> None:
    phone = await bucket.phone()
    task = await phone.ended((await phone.create(await phone.uploaded())).data["task_id"])
    there = len(await keys(bucket))
    await phone.call("DELETE", f"/emoji/task/{task['task_id']}")

    async def gone() -> bool:
        async with (
            bucket.client.get(task["result_url"]) as video,
            bucket.client.get(task["source_image_url"]) as source,
        ):
            return (video.status, source.status) == (404, 404)

    await until(gone)
    assert there == 2
    assert await keys(bucket) == []


async def test_health_knows_the_bucket(bucket: Stand) -> None:
    async with bucket.client.get(f"{bucket.base}/emoji/health") as answer:
        storage = (await answer.json())["components"]["storage"]
    assert storage["status"] == "up" and storage["latency_ms"] > 0


@pytest.mark.parametrize(
    ("button", "values"),
    [("break", {"times": "1"}), ("throttle", {"times": "1"}), ("refuse", {"times": "1"}), ("slow", {"seconds": "3"})],
)
async def test_a_failing_bucket_is_no_picture(oss: Stand, button: str, values: dict[str, str]) -> None:
    """503, nothing half-written, nothing charged; the next try goes through."""
    phone = await oss.phone()
    await press(oss, button, on="put", **values)
    refused = await phone.upload(photo())
    left = await keys(oss)
    again = await phone.upload(photo())

    assert (refused.status, refused.code // 1000) == (503, 503), refused.body
    assert left == []
    assert again.status == 200
    assert await phone.balance() == 100


async def test_a_video_is_stored_once_the_bucket_is_back(oss: Stand) -> None:
    """The generation is paid for already: storing is tried again, and the user pays once."""
    phone = await oss.phone()
    image_url = await phone.uploaded()
    await press(oss, "break", on="put", times="1")
    task = await phone.ended((await phone.create(image_url)).data["task_id"])
    async with oss.client.get(task["result_url"]) as answer:
        video = await answer.read()

    assert task["status"] == "completed" and video == VIDEO
    assert await phone.balance() == 90
    assert (await oss.sandbox_totals())["creates"] == 1


async def test_a_lost_answer_stores_what_was_sent(oss: Stand) -> None:
    """The object is there and nobody knows; the second try has another key, and the picture works."""
    phone = await oss.phone()
    await press(oss, "lose-answer", on="put", times="1")
    refused = await phone.upload(photo())
    task = await phone.ended((await phone.create(await phone.uploaded())).data["task_id"])

    assert refused.status == 503
    assert task["status"] == "completed"


async def test_a_bucket_that_is_down_shows_in_health(oss: Stand) -> None:
    """Not ready it is nevertheless: who needs no picture is served."""
    await press(oss, "refuse", on="list", times="")
    async with oss.client.get(f"{oss.base}/emoji/health") as answer:
        health = await answer.json()
    phone = await oss.phone()

    assert answer.status == 200
    assert health["components"]["storage"] == {"status": "down", "latency_ms": None}
    assert await phone.balance() == 100
