"""The DashScope sandbox on the wire: every row of the two models, the tasks and the links."""

import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hutong.kit.clock import ManualClock
from hutong.providers.dashscope.sandbox.orders import TEMPLATES
from hutong.providers.dashscope.sandbox.page_texts import MOODS
from providers.dashscope.sandbox_world import MODELS, UUID, VENDOR_TIME, World, is_error, picture, world
from support.processes import free_port


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
async def calm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One sandbox for all tests that leave nothing behind."""
    async with world(tmp_path_factory.mktemp("calm")) as made:
        yield made


# Detect


async def test_detect_passes_with_two_boxes(calm: World) -> None:
    answer = await calm.detect()
    assert answer.status == 200
    assert UUID.match(answer.json.pop("request_id"))
    assert answer.json == {
        "output": {"bbox_face": [100, 120, 300, 340], "ext_bbox_face": [50, 60, 450, 460]},
        "usage": {"image_count": 1},
    }


async def test_detect_refuses_inside_output_and_bills_it(calm: World) -> None:
    answer = await calm.detect("wall.bin")
    assert answer.status == 200
    assert answer.json["output"]["code"] == "InvalidFile.NoHuman"
    assert answer.json["usage"] == {"image_count": 1}
    assert "code" not in answer.json


async def test_detect_refuses_a_picture_over_10_mb_inside_output(calm: World) -> None:
    assert (await calm.detect("huge.jpg")).json["output"]["code"] == "InvalidFile.Size"


@pytest.mark.parametrize(
    ("changes", "status", "code", "part"),
    [
        ({"model": "emoji-v1"}, 404, "ModelNotFound", ""),
        ({"model": None}, 400, "InvalidParameter", "model"),
        ({"input": None}, 400, "InvalidParameter", "input"),
        ({"input": {}}, 400, "InvalidParameter", "input.image_url"),
        ({"input": {"image_url": 7}}, 400, "InvalidParameter", "input.image_url"),
        ({"input": {"image_url": "file:///etc/passwd"}}, 400, "InvalidURL", ""),
        ({"input": {"image_url": "pictures/face.jpg"}}, 400, "InvalidURL", ""),
        ({"parameters": None}, 400, "InvalidParameter", "parameters"),
        ({"parameters": {}}, 400, "InvalidParameter", "parameters.ratio"),
        ({"parameters": {"ratio": "3:4"}}, 400, "InvalidParameter", "1:1"),
    ],
)
async def test_detect_fails_on_top_level(
    calm: World, changes: dict[str, Any], status: int, code: str, part: str
) -> None:
    is_error(await calm.detect(**changes), status, code, part)


async def test_detect_says_why_a_picture_could_not_be_fetched(calm: World, monkeypatch: pytest.MonkeyPatch) -> None:
    is_error(await calm.detect("missing.jpg"), 400, "BadRequest.InputDownloadFailed")
    is_error(await calm.detect(f"http://127.0.0.1:{free_port()}/a.jpg"), 400, "InvalidURL.ConnectionRefused")
    monkeypatch.setattr("hutong.providers.dashscope.sandbox.pictures.FETCH_SECONDS", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/a.jpg"
        is_error(await calm.detect(address), 400, "InvalidURL.Timeout")


async def test_detect_without_a_vision_process_is_a_server_error(api: World) -> None:
    api.vision.broken = True
    is_error(await api.detect(), 500, "InternalError.Algo")


# Keys and bodies


async def test_a_key_is_needed_everywhere(calm: World) -> None:
    for method, path in (
        ("POST", f"{MODELS}/face-detect"),
        ("POST", f"{MODELS}/video-synthesis"),
        ("GET", "/api/v1/tasks/x"),
        ("GET", "/api/v1/tasks/"),
        ("POST", "/api/v1/tasks/x/cancel"),
    ):
        is_error(await calm.call(method, path, key=None), 401, "InvalidApiKey", "No API-key")
        is_error(await calm.call(method, path, key="sk-other"), 401, "InvalidApiKey", "Invalid API-key")


async def test_bodies_must_be_json_objects_of_some_size(calm: World) -> None:
    path = f"{MODELS}/face-detect"
    is_error(await calm.call("POST", path, data=b"{"), 400, "BadRequest.IllegalInput")
    is_error(await calm.call("POST", path, data=b"[1]"), 400, "BadRequest.IllegalInput")
    is_error(await calm.call("POST", path, data=b" " * 300_000), 413, "BadRequest.TooLarge")


async def test_an_unknown_path_is_answered_as_the_vendor_does(calm: World) -> None:
    is_error(await calm.call("GET", "/api/v1/nothing"), 400, "InvalidParameter", "url error")


# Create and query


async def test_a_task_from_order_to_video(api: World) -> None:
    answer = await api.create()
    assert answer.status == 200
    assert answer.json["output"]["task_status"] == "PENDING"
    assert UUID.match(answer.json["request_id"])
    task_id = answer.json["output"]["task_id"]
    assert UUID.match(task_id)
    done = await api.until(task_id, "SUCCEEDED")
    output = done["output"]
    assert set(output) == {"task_id", "task_status", "submit_time", "scheduled_time", "end_time", "video_url"}
    assert all(VENDOR_TIME.match(output[name]) for name in ("submit_time", "scheduled_time", "end_time"))
    assert done["usage"] == {"video_duration": 3, "video_ratio": "standard"}
    assert output["video_url"].startswith(f"{api.base}/videos/{task_id}.mp4?Expires=")
    again = await api.query(task_id)
    assert again.json["output"] == output
    assert again.json["request_id"] != done["request_id"]


async def test_times_are_beijing_time(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 3, 1, 20, 15, 6, 7000, tzinfo=UTC))
    async with world(tmp_path, clock, start=False) as api:
        output = (await api.query(await api.created())).json["output"]
        assert output["submit_time"] == "2026-03-02 04:15:06.007"
        assert set(output) == {"task_id", "task_status", "submit_time"}


async def test_create_is_asynchronous_only(api: World) -> None:
    answer = await api.call("POST", f"{MODELS}/video-synthesis", json=api.order())
    is_error(answer, 403, "AccessDenied", "current user api does not support synchronous calls")
    assert (await api.tasks())["tasks"] == []


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"image_url": None}, "input.image_url"),
        ({"driven_id": None}, "input.driven_id"),
        ({"driven_id": "emoji_001"}, "driven_id"),
        ({"face_bbox": None}, "input.face_bbox"),
        ({"ext_bbox": None}, "input.ext_bbox"),
        ({"face_bbox": [1, 2, 3]}, "input.face_bbox"),
        ({"face_bbox": [1, 2, 3.5, 4]}, "input.face_bbox"),
        ({"face_bbox": [True, 2, 3, 4]}, "input.face_bbox"),
        ({"ext_bbox": [9, 2, 3, 4]}, "input.ext_bbox"),
        ({"ext_bbox": [-1, 2, 3, 4]}, "input.ext_bbox"),
    ],
)
async def test_create_names_the_field_that_is_wrong(calm: World, changes: dict[str, Any], part: str) -> None:
    is_error(await calm.create(**changes), 400, "InvalidParameter", part)


async def test_create_knows_its_model(calm: World) -> None:
    is_error(await calm.create({**calm.order(), "model": "emoji-v2"}), 404, "ModelNotFound")


async def test_the_templates_are_the_vendors_twenty() -> None:
    assert len(TEMPLATES) == 20
    assert set(MOODS) == TEMPLATES


async def test_generation_fails_with_the_cause(api: World) -> None:
    for changes, code in (
        ({"image_url": f"{api.url}/pictures/missing.jpg"}, "BadRequest.InputDownloadFailed"),
        ({"image_url": f"http://127.0.0.1:{free_port()}/a.jpg"}, "InvalidURL.ConnectionRefused"),
        ({"image_url": f"{api.url}/pictures/wall.bin"}, "InvalidFile.Openerror"),
        ({"face_bbox": [400, 100, 501, 200]}, "InvalidParameter"),
        ({"ext_bbox": [0, 0, 500, 601]}, "InvalidParameter"),
        ({"face_bbox": [1, 1, 2, 2]}, "InvalidFile.NoHuman"),
    ):
        failed = await api.until(await api.created(**changes), "FAILED", "SUCCEEDED")
        assert failed["output"]["code"] == code
        assert failed["output"]["message"]
        assert "usage" not in failed
        assert "video_url" not in failed["output"]


async def test_boxes_are_measured_in_the_upright_picture(api: World) -> None:
    api.pictures["sideways.jpg"] = picture(600, 500, orientation=6)
    address = f"{api.url}/pictures/sideways.jpg"
    await api.until(await api.created(image_url=address, ext_bbox=[0, 0, 500, 600]), "SUCCEEDED")
    failed = await api.until(await api.created(image_url=address, ext_bbox=[0, 0, 600, 500]), "FAILED")
    assert failed["output"]["code"] == "InvalidParameter"


async def test_a_broken_vision_process_fails_the_task(api: World) -> None:
    api.vision.broken = True
    assert (await api.until(await api.created(), "FAILED"))["output"]["code"] == "InternalError.Algo"


async def test_unknown_and_old_tasks_are_unknown_with_status_200(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    async with world(tmp_path, clock) as api:
        strange = await api.query("a8532587-fa8c-4ef8-82be-0c46b17950d1")
        assert strange.status == 200
        assert strange.json["output"] == {
            "task_id": "a8532587-fa8c-4ef8-82be-0c46b17950d1",
            "task_status": "UNKNOWN",
        }
        task_id = await api.created()
        await api.until(task_id, "SUCCEEDED")
        clock.advance(86_399)
        assert await api.status(task_id) == "SUCCEEDED"
        clock.advance(1)
        assert await api.status(task_id) == "UNKNOWN"


async def test_only_a_waiting_task_can_be_cancelled(tmp_path: Path) -> None:
    async with world(tmp_path, start=False) as api:
        task_id = await api.created()
        answer = await api.call("POST", f"/api/v1/tasks/{task_id}/cancel")
        assert answer.status == 200
        assert set(answer.json) == {"request_id"}
        output = (await api.query(task_id)).json["output"]
        assert output["task_status"] == "CANCELED"
        assert "end_time" in output
        for name in (task_id, "nobody"):
            is_error(await api.call("POST", f"/api/v1/tasks/{name}/cancel"), 400, "UnsupportedOperation", "PENDING")


async def test_the_list_finds_the_task_of_a_lost_answer(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 3, 1, 4, 0, tzinfo=UTC))
    async with world(tmp_path, clock, start=False) as api:
        made = []
        for _ in range(3):
            made.append(await api.created())
            clock.advance(60)
        listed = (await api.call("GET", "/api/v1/tasks/")).json
        assert (listed["total"], listed["total_page"], listed["page_no"], listed["page_size"]) == (3, 1, 1, 10)
        assert [row["task_id"] for row in listed["data"]] == made[::-1]
        first = listed["data"][-1]
        assert first["gmt_create"] == 1772337600000
        assert (first["status"], first["model_name"], first["region"]) == ("PENDING", "emoji-v1", "cn-beijing")
        span = "start_time=20260301120030&end_time=20260301120130"
        assert [row["task_id"] for row in (await api.call("GET", f"/api/v1/tasks/?{span}")).json["data"]] == [made[1]]
        paged = (await api.call("GET", "/api/v1/tasks?page_no=2&page_size=2")).json
        assert ([row["task_id"] for row in paged["data"]], paged["total_page"]) == ([made[0]], 2)
        for query in ("status=RUNNING", "model_name=wan2.6-t2v", "task_id=x"):
            assert (await api.call("GET", f"/api/v1/tasks/?{query}")).json["total"] == 0
        for query in ("start_time=yesterday", "page_no=0", "start_time=20260301000000&end_time=20260303000000"):
            is_error(await api.call("GET", f"/api/v1/tasks/?{query}"), 400, "InvalidParameter")


# Links


async def test_a_link_serves_ranges_until_it_expires(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    async with world(tmp_path, clock, link_seconds=100) as api:
        link = (await api.until(await api.created(), "SUCCEEDED"))["output"]["video_url"]
        assert parse_qs(urlsplit(link).query)["Expires"] == [str(1772323200 + 100)]
        whole = await api.call("GET", link, key=None)
        assert (whole.status, whole.headers["content-type"]) == (200, "video/mp4")
        assert "ftyp" in whole.text
        part = await api.call("GET", link, key=None, headers={"Range": "bytes=4-7"})
        assert (part.status, part.text) == (206, "ftyp")
        head = await api.call("HEAD", link, key=None)
        assert (head.status, head.headers["content-length"]) == (200, str(len(whole.text)))
        for broken, code in (
            (link.split("?")[0], "AccessDenied"),
            (link.replace("Expires=1", "Expires=2"), "SignatureDoesNotMatch"),
            (link[:-8] + "AAAAA%3D", "SignatureDoesNotMatch"),
        ):
            refused = await api.call("GET", broken, key=None)
            assert (refused.status, refused.headers["content-type"]) == (403, "application/xml")
            assert f"<Code>{code}</Code>" in refused.text
        clock.advance(100)
        expired = await api.call("GET", link, key=None)
        assert expired.status == 403
        assert "<Code>AccessDenied</Code>" in expired.text
        assert "Request has expired." in expired.text
