"""Every button of the DashScope sandbox, pressed by a script and by a form."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from hutong.kit.clock import ManualClock
from providers.dashscope.sandbox_world import World, is_error, soon, world


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


# Buttons


async def test_delay(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    async with world(tmp_path, clock) as api:
        await api.press("delay", seconds=5, times=1)
        slow = await api.created()
        await api.until(slow, "RUNNING")
        clock.advance(4.9)
        assert await api.status(slow) == "RUNNING"
        clock.advance(0.1)
        await api.until(slow, "SUCCEEDED")
        await api.until(await api.created(), "SUCCEEDED")


async def test_fail(api: World) -> None:
    await api.press("fail", code="DataInspectionFailed", times=1)
    assert (await api.until(await api.created(), "FAILED"))["output"]["code"] == "DataInspectionFailed"
    await api.until(await api.created(), "SUCCEEDED")


async def test_hang_and_let_go(api: World) -> None:
    await api.press("hang")
    task_id = await api.created()
    await api.until(task_id, "RUNNING")
    behind = await api.created()
    assert await api.status(behind) == "PENDING"
    await api.press("let-go", task_id=task_id)
    await api.until(task_id, "SUCCEEDED")
    await api.until(behind, "SUCCEEDED")


async def test_a_task_that_runs_can_be_made_to_hang(api: World) -> None:
    api.vision.gate.clear()
    task_id = await api.created()
    await api.until(task_id, "RUNNING")
    await api.press("hang-task", task_id=task_id)
    api.vision.gate.set()

    async def rendered() -> bool:
        return bool(api.vision.rendered)

    await soon(rendered)
    assert await api.status(task_id) == "RUNNING"
    await api.press("let-go", task_id=task_id)
    await api.until(task_id, "SUCCEEDED")


async def test_lose_the_answer_to_a_create(api: World) -> None:
    await api.press("lose-answer")
    began = time.monotonic()
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await api.create()
    assert time.monotonic() - began < 5
    [task] = (await api.tasks())["tasks"]
    await api.until(task["task_id"], "SUCCEEDED")
    await api.created()
    assert (await api.tasks())["counts"] == [
        {"image_path": "/pictures/face.jpg", "driven_id": "mengwa_kaixin", "creates": 2}
    ]


async def test_lose_the_answer_to_a_query(api: World) -> None:
    task_id = await api.created()
    await api.press("lose-query", times=2)  # aiohttp repeats a GET once by itself when the connection breaks
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await api.query(task_id)
    await api.press("reset")
    await api.until(task_id, "SUCCEEDED")


async def test_expire_a_link(api: World) -> None:
    task_id = await api.created()
    link = (await api.until(task_id, "SUCCEEDED"))["output"]["video_url"]
    await api.press("expire-link", task_id=task_id)
    assert (await api.call("GET", link, key=None)).status == 403
    assert (await api.query(task_id)).json["output"]["video_url"] == link


async def test_throttle_by_number_and_by_time(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    async with world(tmp_path, clock, start=False) as api:
        await api.press("throttle", times=2, on="detect")
        assert [(await api.detect()).status for _ in range(3)] == [429, 429, 200]
        await api.press("throttle", seconds=30)
        is_error(await api.create(), 429, "Throttling.RateQuota")
        is_error(await api.query("x"), 429, "Throttling.RateQuota")
        clock.advance(30)
        assert (await api.create()).status == 200


async def test_server_errors(api: World) -> None:
    await api.press("break", code="ModelUnavailable", on="create")
    assert (await api.detect()).status == 200
    is_error(await api.create(), 503, "ModelUnavailable")
    assert (await api.create()).status == 200


async def test_refuse_the_account_until_it_is_taken_back(api: World) -> None:
    await api.press("refuse-key", code="Arrearage")
    is_error(await api.create(), 400, "Arrearage")
    is_error(await api.detect(), 400, "Arrearage")
    await api.press("reset")
    await api.press("refuse-key")
    is_error(await api.query("x"), 401, "InvalidApiKey")
    [fault] = (await api.state())["faults"]
    await api.press("disarm", id=fault["id"])
    assert (await api.query("x")).status == 200


async def test_refuse_a_picture(api: World) -> None:
    await api.press("refuse-picture", code="InvalidFile.MultiHuman")
    assert (await api.detect()).json["output"]["code"] == "InvalidFile.MultiHuman"
    assert "bbox_face" in (await api.detect()).json["output"]


async def test_lies_about_answers(api: World) -> None:
    """Each is told once, about the answer that it is about, and the next one is true again."""
    first = await api.created()
    await api.until(first, "SUCCEEDED")
    await api.press("lie", what="no-id")
    assert "task_id" not in (await api.create()).json["output"]
    second = await api.created()
    true = await api.until(second, "SUCCEEDED")
    await api.press("lie", what="garbage")
    assert (await api.query(second)).json is None
    await api.press("lie", what="wrong-task")
    assert (await api.query(second)).json["output"]["task_id"] != second
    await api.press("lie", what="stale")
    assert await api.status(second) == "PENDING"
    await api.press("lie", what="no-url")
    assert "video_url" not in (await api.query(second)).json["output"]
    await api.press("lie", what="bad-url")
    assert (await api.query(second)).json["output"]["video_url"] == 404
    await api.press("lie", what="foreign-url")
    assert "videos.example" in (await api.query(second)).json["output"]["video_url"]
    assert (await api.query(second)).json["output"] == true["output"]


async def test_lies_about_videos(api: World) -> None:
    task_id = await api.created()
    link = (await api.until(task_id, "SUCCEEDED"))["output"]["video_url"]
    await api.press("lie", what="not-video")
    assert "<html>" in (await api.call("GET", link, key=None)).text
    await api.press("lie", what="cut-short")
    with pytest.raises(aiohttp.ClientPayloadError):
        await api.call("GET", link, key=None)
    await api.press("lie", what="too-large")
    async with api.session.get(URL(link, encoded=True)) as endless:
        assert endless.content_length is None
        assert len(await endless.content.readexactly(1_000_000)) == 1_000_000
    assert (await api.call("GET", link, key=None)).status == 200


async def test_forget_a_task(api: World) -> None:
    task_id = await api.created()
    await api.press("forget", task_id=task_id)
    assert await api.status(task_id) == "UNKNOWN"
    assert (await api.call("GET", "/api/v1/tasks/")).json["total"] == 0


async def test_cancel_and_clear(tmp_path: Path) -> None:
    async with world(tmp_path, start=False) as api:
        gone, kept = await api.created(), await api.created()
        await api.press("cancel", task_id=gone)
        await api.press("clear")
        after = await api.tasks()
        assert [task["task_id"] for task in after["tasks"]] == [kept]
        assert after["counts"][0]["creates"] == 2
        again = await api.call("POST", "/control/cancel", json={"task_id": gone})
        assert (again.status, again.json["code"]) == (409, "NotPossible")


async def test_clear_removes_videos(api: World) -> None:
    task_id = await api.created()
    link = (await api.until(task_id, "SUCCEEDED"))["output"]["video_url"]
    await api.press("clear")
    assert list(api.sandbox.settings.videos.glob("*")) == []
    gone = await api.call("GET", link, key=None)
    assert gone.status == 404
    assert "<Code>NoSuchKey</Code>" in gone.text


async def test_limits_change_while_it_runs_and_are_restored(tmp_path: Path) -> None:
    async with world(tmp_path, start=False) as api, world(tmp_path, start=False) as other:
        await api.press("limits", running_limit=3, detect_per_second=0.01)
        assert (await other.state())["limits"]["running_limit"] == 3
        assert [(await other.detect()).status for _ in range(2)] == [200, 429]
        bad = await api.call("POST", "/control/limits", json={"running_limit": 0})
        assert (bad.status, bad.json["code"]) == (400, "InvalidParameter")
        await api.press("restore-limits")
        limits = (await api.state())["limits"]
        assert (limits["running_limit"], limits["detect_per_second"]) == (1, 1000)


async def test_tasks_may_wait_and_run_for_a_least_time(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    async with world(tmp_path, clock, pending_seconds=2, running_seconds=3) as api:
        task_id = await api.created()
        assert await api.status(task_id) == "PENDING"
        clock.advance(2)
        await api.until(task_id, "RUNNING")
        clock.advance(3)
        await api.until(task_id, "SUCCEEDED")


async def test_state_survives_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path, start=False) as api:
        await api.press("throttle", times=1)
        task_id = (await api.tasks())["tasks"]
        assert task_id == []
    async with world(tmp_path, start=False) as api:
        is_error(await api.create(), 429, "Throttling.RateQuota")
        assert (await api.state())["faults"] == []


async def test_buttons_say_what_is_wrong(api: World) -> None:
    for action, body, status in (
        ("explode", {}, 404),
        ("delay", {}, 400),
        ("delay", {"seconds": "nan"}, 400),
        ("fail", {"code": "Nonsense"}, 400),
        ("hang", {"times": 0}, 400),
        ("hang", {"surprise": 1}, 400),
        ("let-go", {"task_id": "nobody"}, 409),
    ):
        assert (await api.call("POST", f"/control/{action}", json=body)).status == status
    assert (
        await api.call("POST", "/control/hang", data=b"[", headers={"Content-Type": "application/json"})
    ).status == 400
    assert (await api.call("POST", "/control/hang", data=b"x" * 20_000)).status == 413
    assert (await api.state())["faults"] == []


async def test_forms_lead_back_to_the_page(api: World) -> None:
    answer = await api.call("POST", "/control/throttle", data={"times": "", "seconds": "9", "on": "any", "lang": "zh"})
    assert answer.status == 303
    assert answer.headers["location"] == "../?done=throttle&lang=zh"
    [fault] = (await api.state())["faults"]
    assert fault["remaining"] is None


async def test_other_sites_cannot_press_buttons(api: World) -> None:
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert (await api.call("POST", "/control/clear", data={}, headers=headers)).status == 403
    own = {"Origin": api.url, "Sec-Fetch-Site": "same-origin"}
    assert (await api.call("POST", "/control/clear", data={}, headers=own)).status == 303
