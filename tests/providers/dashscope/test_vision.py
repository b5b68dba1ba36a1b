"""Inspection, motions, rendering and the service of the vision package, on real pictures."""

from __future__ import annotations

import asyncio
import io
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession  # noqa: TID251 - a bare client, as curl would be
from PIL import Image

av = pytest.importorskip("av")
cv2 = pytest.importorskip("cv2")
np = pytest.importorskip("numpy")
pytest.importorskip("ai_edge_litert")

from hutong.providers.dashscope.vision.faces import shared_finder
from hutong.providers.dashscope.vision.inspection import MAX_BYTES, Passed, Refused, inspect_image
from hutong.providers.dashscope.vision.motions import FPS, PARAMETERS
from hutong.providers.dashscope.vision.portrait import FaceLostError, upright_rgb
from hutong.providers.dashscope.vision.previews import preview
from hutong.providers.dashscope.vision.render import UnknownTemplateError, frames, render_video
from hutong.providers.dashscope.vision.templates import MOTIONS

ROOT = Path(__file__).parents[3]
ASSETS = ROOT / "tests" / "assets"
PORTRAIT = ROOT / "src" / "hutong" / "apps" / "emoji" / "assets" / "portrait.jpg"

DOCUMENTED = {
    *(f"mengwa_{mood}" for mood in ("kaixin", "dengyan", "gandong", "renzhen_1", "jidong", "kun_1", "jiaoxie")),
    *(f"dagong_{mood}" for mood in ("kaixin", "yangwang", "kunhuo", "zhuakuang", "wunai", "weixiao", "ganji")),
    *(f"jingdian_{mood}" for mood in ("tiaopi", "deyi_1", "qidai", "landuo_1", "xianqi", "lei")),
}


def asset(name: str) -> bytes:
    return (ASSETS / name).read_bytes()


def reworked(source: bytes, change: Any, kind: str = "JPEG") -> bytes:
    """The picture after `change`, encoded as `kind`."""
    with Image.open(io.BytesIO(source)) as opened:
        changed = change(opened.convert("RGB"))
    buffer = io.BytesIO()
    changed.save(buffer, kind)
    return buffer.getvalue()


def refusal(data: bytes) -> str:
    outcome = inspect_image(data)
    assert isinstance(outcome, Refused)
    assert outcome.message
    return outcome.code


@pytest.fixture(scope="module")
def passed() -> Passed:
    outcome = inspect_image(PORTRAIT.read_bytes())
    assert isinstance(outcome, Passed)
    return outcome


class TestInspection:
    @pytest.mark.parametrize("picture", [PORTRAIT, ASSETS / "astronaut.jpg"], ids=["hopper", "collins"])
    def test_passes_a_portrait_with_boxes_inside_the_picture(self, picture: Path) -> None:
        outcome = inspect_image(picture.read_bytes())
        assert isinstance(outcome, Passed)
        (x1, y1, x2, y2), (left, top, right, bottom) = outcome.face_bbox, outcome.ext_bbox
        with Image.open(picture) as opened:
            width, height = opened.size
        assert 0 <= left <= x1 < x2 <= right <= width
        assert 0 <= top <= y1 < y2 <= bottom <= height
        assert right - left == bottom - top

    def test_the_face_box_is_where_the_face_is(self) -> None:
        outcome = inspect_image(asset("astronaut.jpg"))
        assert isinstance(outcome, Passed)
        x1, y1, x2, y2 = outcome.face_bbox
        # Eyes and mouth of the astronaut, read off the picture by eye.
        for x, y in ((204, 112), (245, 111), (226, 157)):
            assert x1 < x < x2
            assert y1 < y < y2

    @pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
    def test_passes_every_documented_format(self, kind: str) -> None:
        assert isinstance(inspect_image(reworked(asset("astronaut.jpg"), lambda image: image, kind)), Passed)

    def test_applies_the_exif_orientation(self) -> None:
        with Image.open(PORTRAIT) as opened:
            lying = opened.convert("RGB").transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6
        buffer = io.BytesIO()
        lying.save(buffer, "JPEG", exif=exif)
        assert isinstance(inspect_image(buffer.getvalue()), Passed)

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("no_face.jpg", "InvalidFile.NoHuman"),
            ("two_faces.jpg", "InvalidFile.MultiHuman"),
            ("small_face.jpg", "InvalidFile.FullFace"),
            ("tiny_image.jpg", "InvalidFile.Resolution"),
            ("bomb.png", "InvalidFile.Resolution"),
        ],
    )
    def test_refuses(self, name: str, code: str) -> None:
        assert refusal(asset(name)) == code

    def test_refuses_a_face_cut_off_by_the_frame(self) -> None:
        cut = reworked(PORTRAIT.read_bytes(), lambda image: image.crop((260, 0, 512, 600)).resize((504, 1200)))
        assert refusal(cut) == "InvalidFile.FullFace"

    def test_refuses_a_tilted_head(self) -> None:
        tilted = reworked(PORTRAIT.read_bytes(), lambda image: image.rotate(38, fillcolor=(90, 120, 180)))
        assert refusal(tilted) == "InvalidFile.FacePose"

    def test_refuses_the_dark(self) -> None:
        dark = reworked(PORTRAIT.read_bytes(), lambda image: image.point(lambda value: value // 7))
        assert refusal(dark) == "InvalidFile.Value"

    def test_refuses_files_that_are_no_pictures(self) -> None:
        portrait = PORTRAIT.read_bytes()
        assert refusal(b"") == "InvalidFile.Format"
        assert refusal(b"%PDF-1.7 hello") == "InvalidFile.Format"
        assert refusal(reworked(portrait, lambda image: image, "GIF")) == "InvalidFile.Format"
        assert refusal(portrait[: len(portrait) // 2]) == "InvalidFile.Openerror"
        assert refusal(portrait + bytes(MAX_BYTES)) == "InvalidFile.Size"


class TestFaces:
    def test_finds_both_faces_largest_first(self) -> None:
        faces = shared_finder().find(upright_rgb(asset("two_faces.jpg")))
        assert len(faces) == 2
        assert faces[0].side > faces[1].side
        assert faces[0].landmarks.shape == (468, 2)

    def test_finds_a_face_that_fills_the_frame(self) -> None:
        close = upright_rgb(PORTRAIT.read_bytes())[135:370, 160:375]
        assert len(shared_finder().find(np.ascontiguousarray(close))) == 1


class TestMotions:
    def test_are_the_documented_twenty(self) -> None:
        assert set(MOTIONS) == DOCUMENTED

    def test_are_all_distinct(self) -> None:
        traces = {name: [astuple(motion.pose(step / 16)) for step in range(16)] for name, motion in MOTIONS.items()}
        names = sorted(traces)
        for index, one in enumerate(names):
            for other in names[index + 1 :]:
                assert np.abs(np.array(traces[one]) - np.array(traces[other])).max() > 0.5, (one, other)

    @pytest.mark.parametrize("driven_id", sorted(DOCUMENTED))
    def test_loop_smoothly_within_the_vendors_length(self, driven_id: str) -> None:
        motion = MOTIONS[driven_id]
        assert 2 <= motion.seconds <= 5
        assert set(motion.tracks) <= set(PARAMETERS)
        assert astuple(motion.pose(0.0)) == pytest.approx(astuple(motion.pose(1.0)))
        near, end = np.array(astuple(motion.pose(0.0))), np.array(astuple(motion.pose(1 - 1 / motion.frames)))
        angles = [PARAMETERS.index(name) for name in ("yaw", "pitch", "roll")]
        assert np.abs(np.delete(near - end, angles)).max() < 0.35
        assert np.abs((near - end)[angles]).max() < 4


@pytest.fixture(scope="module")
def video(passed: Passed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("video") / "kaixin.mp4"
    heard: list[float] = []
    facts = render_video(PORTRAIT.read_bytes(), "mengwa_kaixin", passed.face_bbox, passed.ext_bbox, out, heard.append)
    assert (facts.width, facts.height, facts.frames) == (512, 512, MOTIONS["mengwa_kaixin"].frames)
    assert facts.duration_s == facts.frames / FPS
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    return out


class TestRender:
    def test_writes_what_phones_play(self, video: Path) -> None:
        with av.open(str(video)) as container:
            (stream,) = container.streams
            assert stream.codec_context.name == "h264"
            assert stream.codec_context.pix_fmt == "yuv420p"
            assert stream.codec_context.profile in {"Main", "Baseline", "Constrained Baseline"}
            assert (stream.width, stream.height) == (512, 512)
            assert stream.average_rate == FPS
            assert 2 <= float(stream.duration * stream.time_base) <= 5
        head = video.read_bytes()
        assert head.index(b"moov") < head.index(b"mdat")

    def test_moves_the_face_and_leaves_the_background(self, video: Path) -> None:
        with av.open(str(video)) as container:
            decoded = np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)]).astype(int)
        assert len(decoded) == MOTIONS["mengwa_kaixin"].frames
        change = np.abs(decoded - decoded[0]).mean(axis=0)
        face, sky = change[150:400, 150:360], change[:120, 440:]
        assert face.mean() > 6
        assert face.mean() > 4 * sky.mean()
        assert np.abs(np.diff(decoded, axis=0)).mean(axis=(1, 2)).max() > 1

    def test_starts_with_the_person_of_the_photo(self, passed: Passed) -> None:
        rgb = upright_rgb(PORTRAIT.read_bytes())
        first = next(frames(rgb, MOTIONS["jingdian_lei"], passed.face_bbox, passed.ext_bbox, 2))
        x1, y1, x2, y2 = passed.ext_bbox
        photo = cv2.resize(rgb[y1:y2, x1:x2], (512, 512), interpolation=cv2.INTER_CUBIC)
        assert np.abs(first.astype(int) - photo).mean() < 8

    def test_templates_look_different(self, passed: Passed) -> None:
        rgb = upright_rgb(PORTRAIT.read_bytes())
        halfway = {
            name: list(frames(rgb, MOTIONS[name], passed.face_bbox, passed.ext_bbox, 2))[1].astype(int)
            for name in ("jingdian_lei", "dagong_yangwang", "mengwa_kun_1")
        }
        pictures = list(halfway.values())
        for one, other in ((0, 1), (0, 2), (1, 2)):
            assert np.abs(pictures[one] - pictures[other]).mean() > 3

    def test_refuses_an_unknown_template_and_an_empty_box(self, passed: Passed, tmp_path: Path) -> None:
        with pytest.raises(UnknownTemplateError):
            render_video(PORTRAIT.read_bytes(), "emoji_001", passed.face_bbox, passed.ext_bbox, tmp_path / "no.mp4")
        with pytest.raises(FaceLostError):
            render_video(asset("no_face.jpg"), "jingdian_lei", (10, 10, 90, 90), (0, 0, 400, 400), tmp_path / "no.mp4")

    def test_makes_small_previews(self) -> None:
        made = preview(PORTRAIT.read_bytes(), "jingdian_tiaopi")
        assert len(made) <= 40 * 1024
        with Image.open(io.BytesIO(made)) as opened:
            assert opened.size == (160, 160)
            assert getattr(opened, "n_frames", 1) > 10


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[tuple[ClientSession, Path]]:
    """The real process on its unix socket."""
    path = tmp_path / "vision.sock"
    command = [sys.executable, "-m", "hutong.providers.dashscope.vision.service", "--socket", str(path)]
    process = subprocess.Popen(command)  # noqa: ASYNC220 - starting takes a millisecond
    try:
        async with ClientSession("http://vision", connector=aiohttp.UnixConnector(str(path))) as client:
            await _answering(client)
            yield client, path
    finally:
        process.terminate()
        assert process.wait(10) in {0, -15}


async def _answering(client: ClientSession) -> None:
    async with asyncio.timeout(90):
        while True:
            try:
                async with client.get("/livez") as answer:
                    assert answer.status == 200
                    return
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)


async def test_service_inspects_and_renders(service: tuple[ClientSession, Path]) -> None:
    client, path = service
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with client.post("/inspect", data=asset("two_faces.jpg")) as answer:
        assert (await answer.json())["code"] == "InvalidFile.MultiHuman"
    async with client.post("/inspect", data=PORTRAIT.read_bytes()) as answer:
        found = await answer.json()
    assert found["passed"] is True
    query = {name: ",".join(map(str, found[name])) for name in ("face_bbox", "ext_bbox")}
    async with client.post("/render", params={**query, "driven_id": "emoji_001"}, data=PORTRAIT.read_bytes()) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] == "InvalidParameter"
    rendering = asyncio.create_task(_rendered(client, {**query, "driven_id": "mengwa_jidong"}))
    async with client.get("/livez") as alive:
        assert alive.status == 200
    video, seconds = await rendering
    assert seconds == MOTIONS["mengwa_jidong"].seconds
    with av.open(io.BytesIO(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == MOTIONS["mengwa_jidong"].frames


async def _rendered(client: ClientSession, query: dict[str, str]) -> tuple[bytes, float]:
    async with client.post("/render", params=query, data=PORTRAIT.read_bytes()) as answer:
        assert answer.status == 200
        assert answer.content_type == "video/mp4"
        assert int(answer.headers["X-Frames"]) == round(float(answer.headers["X-Duration"]) * FPS)
        return await answer.read(), float(answer.headers["X-Duration"])
