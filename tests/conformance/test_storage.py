"""What every implementation of `Storage` does, seen through the port and through real HTTP.

A new implementation joins by adding an opener to `OPENERS`. S3 is a real server of somebody else's, with a clock of its
own; so time passes here by setting back the clock that signs, and every server's clock is right.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from yarl import URL

from hutong.kernel.files import DiskStorage, Storage, UploadForm, files_app
from hutong.kernel.files.errors import KeyInvalid, ObjectMissing, RangeUnsatisfiable
from hutong.kit.clock import Clock, SystemClock
from hutong.providers.s3.client import S3Storage
from support.buckets import oss_bench, s3_settings
from support.http import Client, http_client, serving
from support.seaweed import seaweed

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
REFUSED = {400, 403, 413}


class ShiftedClock(SystemClock):
    """The machine's clock, some seconds ago while a test says so."""

    def __init__(self) -> None:
        self._behind = 0.0

    def now(self) -> datetime:
        return super().now() - timedelta(seconds=self._behind)

    @contextmanager
    def ago(self, seconds: float) -> Iterator[None]:
        """What is signed inside was signed so long ago."""
        self._behind = seconds
        try:
            yield
        finally:
            self._behind = 0.0


@dataclass(frozen=True)
class Bench:
    """An implementation under test, its clock, and a client that knows nothing but URLs."""

    storage: Storage
    clock: ShiftedClock
    client: Client
    exact_types: bool
    byte_order: bool

    async def fetch(self, url: str) -> tuple[int, bytes]:
        async with self.client.get(URL(url, encoded=True)) as answer:
            return answer.status, await answer.read()

    async def send(self, form: UploadForm, data: bytes, **changed: str) -> int:
        fields = {**form.fields, **{name.replace("_", "-"): value for name, value in changed.items()}}
        async with self.client.request(form.method, form.url, data=multipart(fields, data, form.file_field)) as answer:
            return answer.status


def multipart(fields: Mapping[str, str], data: bytes, file_field: str = "file") -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, value in fields.items():
        form.add_field(name, value)
    form.add_field(file_field, data, filename="../../evil.html", content_type="text/html")
    return form


@asynccontextmanager
async def disk(folder: Path, clock: Clock) -> AsyncIterator[Storage]:
    app = Starlette()
    async with serving(app) as url:
        storage = DiskStorage(folder, secrets.token_bytes(32), url, clock)
        app.router.routes.append(Mount("/files", files_app(storage)))
        yield storage


@asynccontextmanager
async def oss(folder: Path, clock: Clock) -> AsyncIterator[Storage]:
    """The vendor's client against the sandbox, which knows only what comes over the wire."""
    async with oss_bench(folder, clock) as bench:
        yield bench.storage


@asynccontextmanager
async def s3(folder: Path, clock: Clock) -> AsyncIterator[Storage]:
    """obstore against a private SeaweedFS."""
    with seaweed() as server:
        storage = S3Storage(s3_settings(server), clock)
        yield storage


Opener = Callable[[Path, Clock], AbstractAsyncContextManager[Storage]]
OPENERS: dict[str, Opener] = {"disk": disk, "oss": oss, "s3": s3}
# A policy of S3 knows no list of types, only a common beginning.
EXACT_TYPES = frozenset({"disk", "oss"})
# SeaweedFS lists a folder's own keys before those that only begin like it; S3 and OSS go by bytes.
BYTE_ORDER = frozenset({"disk", "oss"})


@pytest.fixture(scope="module")
async def benches(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable[[str], Awaitable[Bench]]]:
    """Opens each implementation when it is first asked for; a parameter of this fixture would, in random order, restart
    the servers between any two tests.
    """
    opened: dict[str, Bench] = {}
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(http_client())

        async def bench_of(name: str) -> Bench:
            if name not in opened:
                clock = ShiftedClock()
                opener = OPENERS[name](tmp_path_factory.mktemp("bucket"), clock)
                storage = await stack.enter_async_context(opener)
                opened[name] = Bench(storage, clock, client, name in EXACT_TYPES, name in BYTE_ORDER)
            return opened[name]

        yield bench_of


@pytest.fixture(params=OPENERS)
async def bench(request: pytest.FixtureRequest, benches: Callable[[str], Awaitable[Bench]]) -> Bench:
    return await benches(request.param)


@pytest.fixture
def folder() -> str:
    """Keys of one test, apart from all others."""
    return f"tests/{secrets.token_hex(6)}"


async def test_an_object_comes_back_as_it_was_put(bench: Bench, folder: str) -> None:
    await bench.storage.put(f"{folder}/a.jpg", JPEG, "image/jpeg")
    assert await bench.storage.get(f"{folder}/a.jpg") == JPEG
    facts = await bench.storage.head(f"{folder}/a.jpg")
    assert (facts.size, facts.content_type) == (len(JPEG), "image/jpeg")
    assert facts.modified_at.tzinfo is UTC
    assert facts.etag


async def test_putting_again_replaces(bench: Bench, folder: str) -> None:
    await bench.storage.put(f"{folder}/a.txt", b"first", "text/plain")
    before = await bench.storage.head(f"{folder}/a.txt")
    await bench.storage.put(f"{folder}/a.txt", b"other", "text/plain")
    assert await bench.storage.get(f"{folder}/a.txt") == b"other"
    assert (await bench.storage.head(f"{folder}/a.txt")).etag != before.etag


async def test_a_local_file_is_copied(bench: Bench, folder: str, tmp_path: Path) -> None:
    source = tmp_path / "video"
    source.write_bytes(b"v" * 3_000_000)
    await bench.storage.put_file(f"{folder}/v.mp4", source, "video/mp4")
    assert (await bench.storage.head(f"{folder}/v.mp4")).size == 3_000_000
    assert source.exists()


async def test_an_empty_object(bench: Bench, folder: str) -> None:
    await bench.storage.put(f"{folder}/a.txt", b"", "text/plain")
    assert await bench.storage.get(f"{folder}/a.txt") == b""
    async with bench.storage.open(f"{folder}/a.txt") as reader:
        assert [chunk async for chunk in reader.chunks] == []


@pytest.mark.parametrize(
    ("start", "end", "length"),
    [(0, None, 700_000), (5, 15, 10), (699_999, None, 1), (10, 2_000_000, 699_990), (1, 600_000, 599_999)],
)
async def test_ranges(bench: Bench, folder: str, start: int, end: int | None, length: int) -> None:
    data = bytes(range(250)) * 2800
    await bench.storage.put(f"{folder}/a.bin", data, "application/octet-stream")
    async with bench.storage.open(f"{folder}/a.bin", start, end) as reader:
        assert b"".join([chunk async for chunk in reader.chunks]) == data[start:end]
        assert (reader.facts.size, reader.end - reader.start) == (700_000, length)


@pytest.mark.parametrize(("start", "end"), [(4, None), (99, None), (2, 2), (3, 1), (-1, None)])
async def test_a_range_without_a_byte_is_refused(bench: Bench, folder: str, start: int, end: int | None) -> None:
    await bench.storage.put(f"{folder}/a.txt", b"four", "text/plain")
    with pytest.raises(RangeUnsatisfiable):
        async with bench.storage.open(f"{folder}/a.txt", start, end):
            pass


async def test_a_missing_object(bench: Bench, folder: str) -> None:
    key = f"{folder}/none.jpg"
    with pytest.raises(ObjectMissing):
        await bench.storage.get(key)
    with pytest.raises(ObjectMissing):
        await bench.storage.head(key)
    with pytest.raises(ObjectMissing):
        async with bench.storage.open(key):
            pass
    assert await bench.storage.remove(key) is False
    assert (await bench.fetch(bench.storage.link(key, seconds=60)))[0] == 404


async def test_remove(bench: Bench, folder: str) -> None:
    await bench.storage.put(f"{folder}/a.jpg", JPEG, "image/jpeg")
    assert await bench.storage.remove(f"{folder}/a.jpg") is True
    with pytest.raises(ObjectMissing):
        await bench.storage.get(f"{folder}/a.jpg")


async def test_keys_are_listed_in_order_and_in_pages(bench: Bench, folder: str) -> None:
    # `-` and `.` sort before `/`, digits and letters behind it: a folder is not simply one more name.
    names = ["a/z.txt", "a0.txt", "a/b/c.txt", "b/a.txt", "ab.txt", *(["a-b.txt", "a.txt"] if bench.byte_order else [])]
    keys = sorted(f"{folder}/{name}" for name in names)
    for key in keys:
        await bench.storage.put(key, b"x", "text/plain")
    assert list(await bench.storage.list(f"{folder}/")) == keys
    assert list(await bench.storage.list(f"{folder}/a/")) == [key for key in keys if "/a/" in key]
    assert list(await bench.storage.list(f"{folder}/a")) == keys[:-1]
    assert list(await bench.storage.list(f"{folder}/nothing")) == []
    pages: list[str] = []
    after: str | None = None
    while page := await bench.storage.list(f"{folder}/", after, 2):
        assert len(page) <= 2
        pages += page
        after = page[-1]
    assert pages == keys


@pytest.mark.parametrize(
    "key",
    [
        "", "/a.jpg", "a/../b.jpg", "../a.jpg", "a//b.jpg", "a/./b.jpg", "a/b", "a/b/", "a.d/b.jpg", ".hidden",
        "a/.b.jpg", "A.jpg", "a b.jpg", "a\x00.jpg", "a.jpg\n", "a\\b.jpg", "é.jpg", "a.", "a..jpg",
        f"{'a' * 197}.jpg", "a/b.jpg?x", "a%2fb.jpg", "a/b.jpg ",
    ],
)  # fmt: skip
async def test_bad_keys_are_refused_everywhere(bench: Bench, key: str) -> None:
    storage = bench.storage
    for call in (storage.get(key), storage.head(key), storage.remove(key), storage.put(key, b"", "image/jpeg")):
        with pytest.raises(KeyInvalid):
            await call
    with pytest.raises(KeyInvalid):
        storage.link(key, seconds=60)
    with pytest.raises(KeyInvalid):
        storage.upload_form(key, content_types=["image/jpeg"], max_bytes=10, seconds=60)


async def test_the_type_is_that_of_the_extension(bench: Bench, folder: str) -> None:
    with pytest.raises(KeyInvalid):
        await bench.storage.put(f"{folder}/a.jpg", PNG, "image/png")
    with pytest.raises(KeyInvalid):
        await bench.storage.put(f"{folder}/a.svg", b"<svg/>", "image/svg+xml")
    for allowed in (["image/png"], ["image/jpeg", "image/png"], ["text/plain"], []):
        with pytest.raises(KeyInvalid):
            bench.storage.upload_form(f"{folder}/a.jpg", content_types=allowed, max_bytes=10, seconds=60)


async def test_anybody_with_a_link_may_read_until_it_expires(bench: Bench, folder: str) -> None:
    await bench.storage.put(f"{folder}/a.jpg", JPEG, "image/jpeg")
    assert await bench.fetch(bench.storage.link(f"{folder}/a.jpg", seconds=60)) == (200, JPEG)
    with bench.clock.ago(40):
        young = bench.storage.link(f"{folder}/a.jpg", seconds=60)
    with bench.clock.ago(62):
        old = bench.storage.link(f"{folder}/a.jpg", seconds=60)
    assert (await bench.fetch(young))[0] == 200
    assert (await bench.fetch(old))[0] == 403


async def test_a_link_may_name_the_download(bench: Bench, folder: str) -> None:
    await bench.storage.put(f"{folder}/a.jpg", JPEG, "image/jpeg")
    url = bench.storage.link(f"{folder}/a.jpg", seconds=60, filename="笑脸 1.jpg")
    async with bench.client.get(URL(url, encoded=True)) as answer:
        assert answer.status == 200
        disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment")
    assert "%E7%AC%91%E8%84%B8%201.jpg" in disposition


async def test_a_changed_link_is_refused(bench: Bench, folder: str) -> None:
    for name in ("a", "b"):
        await bench.storage.put(f"{folder}/{name}.jpg", JPEG, "image/jpeg")
    url = bench.storage.link(f"{folder}/a.jpg", seconds=60)
    path, _, query = url.partition("?")
    last = "0" if url[-1] != "0" else "1"
    for changed in (path, f"{path.replace('/a.jpg', '/b.jpg')}?{query}", url[:-1] + last, f"{url}&x=1"):
        assert (await bench.fetch(changed))[0] == 403, changed
        assert bench.storage.key_of(changed) is None


async def test_the_key_behind_a_link(bench: Bench, folder: str) -> None:
    key = f"{folder}/a.jpg"
    url = bench.storage.link(key, seconds=60, filename="x.jpg")
    found = bench.storage.key_of(url)
    assert found is not None
    assert (found.key, found.expired) == (key, False)
    with bench.clock.ago(62):
        old = bench.storage.link(key, seconds=60)
    found = bench.storage.key_of(old)
    assert found is not None
    assert (found.key, found.expired) == (key, True)
    for other in (
        "",
        "x",
        key,
        "http://169.254.169.254/",
        url.replace("http://", "http://evil@"),
        f"{url}#x",
        "a" * 5000,
    ):
        assert bench.storage.key_of(other) is None


async def test_links_live_a_second_to_a_week(bench: Bench, folder: str) -> None:
    for seconds in (0, -1, 7 * 24 * 3600 + 1):
        with pytest.raises(ValueError, match="live"):
            bench.storage.link(f"{folder}/a.jpg", seconds=seconds)
        with pytest.raises(ValueError, match="live"):
            bench.storage.upload_form(f"{folder}/a.jpg", content_types=["image/jpeg"], max_bytes=9, seconds=seconds)


def jpeg_form(bench: Bench, folder: str, *, max_bytes: int = 100_000) -> UploadForm:
    return bench.storage.upload_form(f"{folder}/a.jpg", content_types=["image/jpeg"], max_bytes=max_bytes, seconds=60)


async def test_a_client_uploads_by_itself(bench: Bench, folder: str) -> None:
    form = jpeg_form(bench, folder, max_bytes=len(JPEG))
    assert (form.expires_at - bench.clock.now()).total_seconds() == pytest.approx(60, abs=1)
    assert await bench.send(form, JPEG) in {200, 204}
    assert await bench.storage.get(f"{folder}/a.jpg") == JPEG
    assert list(await bench.storage.list(folder)) == [f"{folder}/a.jpg"]


async def test_a_form_may_be_sent_again_until_it_expires(bench: Bench, folder: str) -> None:
    form = jpeg_form(bench, folder)
    assert await bench.send(form, JPEG) in {200, 204}
    assert await bench.send(form, JPEG + b"again") in {200, 204}
    assert await bench.storage.get(f"{folder}/a.jpg") == JPEG + b"again"
    with bench.clock.ago(62):
        old = jpeg_form(bench, folder)
    assert await bench.send(old, JPEG) == 403
    assert await bench.storage.get(f"{folder}/a.jpg") == JPEG + b"again"


async def test_a_form_for_several_types(bench: Bench, folder: str) -> None:
    types = ["image/jpeg", "image/png"]
    form = bench.storage.upload_form(f"{folder}/raw.bin", content_types=types, max_bytes=9999, seconds=60)
    assert await bench.send(form, PNG) in REFUSED
    assert await bench.send(form, PNG, Content_Type="text/html") in REFUSED
    assert not bench.exact_types or await bench.send(form, PNG, Content_Type="image/webp") in REFUSED
    assert await bench.send(form, PNG, Content_Type="image/png") in {200, 204}
    assert await bench.storage.get(f"{folder}/raw.bin") == PNG


async def test_uploads_that_break_the_policy_leave_nothing(bench: Bench, folder: str) -> None:
    form = jpeg_form(bench, folder, max_bytes=len(JPEG))
    other = bench.storage.upload_form(f"{folder}/b.jpg", content_types=["image/jpeg"], max_bytes=9_000_000, seconds=600)
    refused = [
        await bench.send(form, JPEG + b"!"),
        await bench.send(form, b""),
        await bench.send(form, JPEG, key=f"{folder}/b.jpg"),
        await bench.send(form, JPEG, key="../../a.jpg"),
        await bench.send(form, JPEG, policy=other.fields["policy"]),
        await bench.send(form, JPEG, **{name: "0" * 64 for name in form.fields if name.endswith("signature")}),
        await bench.send(form, JPEG, Content_Type="text/html"),
    ]
    assert REFUSED.issuperset(refused), refused
    assert list(await bench.storage.list(folder)) == []
