"""The DashScope sandbox under load: rates, order, leases, over several processes' worth of apps."""

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hutong.kit.clock import ManualClock, SystemClock
from hutong.providers.dashscope.sandbox import (
    VisionClient,
    VisionProcess,
    queue,
)
from hutong.providers.dashscope.sandbox.orders import TEMPLATES
from providers.dashscope.sandbox_world import PORTRAIT, PlainVision, is_error, soon, world

# Rates, order, leases


async def test_rates_hold_over_processes(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    limits = {"submit_per_second": 1.0, "detect_per_second": 2.0, "query_per_second": 3.0}
    async with (
        world(tmp_path, clock, start=False, **limits) as one,
        world(tmp_path, clock, start=False, **limits) as two,
    ):
        task_id = await one.created()
        is_error(await two.create(), 429, "Throttling.RateQuota")
        clock.advance(0.999)
        is_error(await one.create(), 429, "Throttling.RateQuota")
        clock.advance(0.001)
        await two.created()
        detects = [(await api.detect()).status for api in (one, two, one, two)]
        assert detects == [200, 200, 429, 429]
        queries = [(await api.query(task_id)).status for api in (one, two, one, two)]
        assert queries == [200, 200, 200, 429]
        assert (await one.state())["totals"] == {
            "creates": 2,
            "detects": 2,
            "queries": 3,
            "running": 0,
            "pending": 2,
        }


@pytest.mark.parametrize("places", [1, 2])
async def test_tasks_run_in_order_and_no_more_than_allowed_over_processes(tmp_path: Path, places: int) -> None:
    eyes = PlainVision()
    eyes.gate.clear()
    moods = sorted(TEMPLATES)[:5]
    async with (
        world(tmp_path, vision=eyes, running_limit=places) as one,
        world(tmp_path, vision=eyes, running_limit=places),
    ):
        made = [await one.created(driven_id=mood) for mood in moods]

        async def full() -> bool:
            return eyes.rendering == places

        await soon(full)
        states = [await one.status(task_id) for task_id in made]
        assert states == ["RUNNING"] * places + ["PENDING"] * (5 - places)
        eyes.gate.set()
        for task_id in made:
            await one.until(task_id, "SUCCEEDED")
        assert eyes.most == places
        assert sorted(eyes.rendered) == moods
        if places == 1:
            assert eyes.rendered == moods


async def test_a_dead_runners_task_is_taken_over_after_its_lease(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    async with world(tmp_path, clock, start=False) as api:
        task_id = await api.created()
        limits, now = api.sandbox.settings.limits(), api.sandbox.state.now_ms()
        dead = await api.sandbox.state.write(queue.claim, "dead", 30_000, limits, now)
        assert dead is not None
        clock.advance(29.999)
        assert not await api.sandbox.state.read(queue.has_work, api.sandbox.state.now_ms())
        await api.sandbox.start()
        assert await api.status(task_id) == "RUNNING"
        clock.advance(0.001)
        await api.until(task_id, "SUCCEEDED")
        assert (await api.tasks())["tasks"][0]["attempts"] == 2
        late = await api.sandbox.state.write(queue.fail, task_id, "dead", "InternalError", "late", 1)
        assert not late
        assert await api.status(task_id) == "SUCCEEDED"


async def test_a_lease_is_renewed_while_somebody_works(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    eyes = PlainVision()
    eyes.gate.clear()
    lease: dict[str, Any] = {"lease_seconds": 0.3}
    async with world(tmp_path, clock, eyes, **lease) as one, world(tmp_path, clock, eyes, **lease):
        task_id = await one.created()
        await one.until(task_id, "RUNNING")

        async def renewed() -> bool:
            task = await one.sandbox.state.read(queue.find, task_id)
            return task is not None and task.lease_ms == one.sandbox.state.now_ms() + 300

        for _ in range(4):
            clock.advance(0.25)
            await soon(renewed)
        eyes.gate.set()
        await one.until(task_id, "SUCCEEDED")
        assert (await one.tasks())["tasks"][0]["attempts"] == 1


async def test_a_runner_that_stops_hands_its_task_on_at_once(tmp_path: Path) -> None:
    eyes = PlainVision()
    eyes.gate.clear()
    async with world(tmp_path, vision=eyes, start=False) as witness:
        async with world(tmp_path, vision=eyes):
            task_id = await witness.created()
            await witness.until(task_id, "RUNNING")
        assert await witness.status(task_id) == "RUNNING"
        eyes.gate.set()
        async with world(tmp_path, vision=eyes):
            await witness.until(task_id, "SUCCEEDED")


async def test_a_task_that_never_ends_times_out_after_three_hours(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    async with world(tmp_path, clock) as api:
        await api.press("hang")
        task_id = await api.created()
        await api.until(task_id, "RUNNING")
        clock.advance(3 * 3600)
        assert (await api.until(task_id, "FAILED"))["output"]["code"] == "InternalError.Timeout"


# The real thing


@pytest.mark.slow
@pytest.mark.skipif(
    not PORTRAIT.exists() or importlib.util.find_spec("ai_edge_litert") is None, reason="needs the vision extra"
)
async def test_a_portrait_becomes_a_video(tmp_path: Path) -> None:
    process = VisionProcess(tmp_path)
    try:
        async with world(tmp_path, SystemClock(), VisionClient(process)) as api:
            found = (await api.detect("portrait.jpg")).json["output"]
            assert "bbox_face" in found, found
            neighbour = VisionProcess(tmp_path)
            assert await neighbour.ensure() == process.socket
            assert neighbour._child is None
            assert process._child is not None
            process._child.kill()  # the next call has it started again
            task_id = await api.created(
                image_url=f"{api.url}/pictures/portrait.jpg",
                face_bbox=found["bbox_face"],
                ext_bbox=found["ext_bbox_face"],
                driven_id="mengwa_jidong",
            )

            async def done() -> Any:
                answer = (await api.query(task_id)).json
                assert answer["output"]["task_status"] != "FAILED", answer
                return answer if "video_url" in answer["output"] else None

            answer = await soon(done, 60)
            video = await api.call("GET", answer["output"]["video_url"], key=None)
            assert "ftyp" in video.text[:12]
            assert answer["usage"]["video_duration"] == 3
    finally:
        await process.close()
