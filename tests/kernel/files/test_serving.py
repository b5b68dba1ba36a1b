"""The HTTP face of the disk storage: headers, ranges, conditional requests, and uploads that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from yarl import URL

from hutong.kernel.files import DiskStorage, UploadForm, files_app
from hutong.kit.clock import ManualClock
from support.http import Client, http_client, serving

PICTURE = b"\xff\xd8\xff\xe0" + bytes(range(250)) * 1600
SIZE = len(PICTURE)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    json: Any


@dataclass(frozen=True)
class Site:
    """A disk storage behind real HTTP, with one picture in it."""

    storage: DiskStorage
    folder: Path
    clock: ManualClock
    client: Client

    async def ask(self, url: str, method: str = "GET", data: bytes | None = None, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        target = URL(url, encoded=True)
        sent_body = None if data is None else BytesIO(data)
        async with self.client.request(method, target, data=sent_body, headers=sent, allow_redirects=False) as answer:
            json = await answer.json() if answer.content_type == "application/json" and method != "HEAD" else None
            return Answer(answer.status, answer.headers, await answer.read(), json)

    @property
    def picture(self) -> str:
        return self.storage.link("a/p.jpg", seconds=600)

    @property
    def root(self) -> str:
        return self.storage.signer.root

    def form(self, max_bytes: int = 2_000_000) -> UploadForm:
        return self.storage.upload_form("up/u.jpg", content_types=["image/jpeg"], max_bytes=max_bytes, seconds=60)

    def left_behind(self) -> list[Path]:
        return list((self.folder / "incoming").iterdir())


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    clock = ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    app = Starlette()
    async with serving(app) as url, http_client() as client:
        storage = DiskStorage(folder, bytes(range(32)), url, clock)
        app.router.routes.append(Mount("/files", files_app(storage)))
        await storage.put("a/p.jpg", PICTURE, "image/jpeg")
        yield Site(storage, folder, clock, client)


async def test_headers_of_a_picture(site: Site) -> None:
    answer = await site.ask(site.picture)
    assert (answer.status, answer.body) == (200, PICTURE)
    headers = answer.headers
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["Content-Length"] == str(SIZE)
    assert headers["Content-Disposition"] == "inline"
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cache-Control"] == "private, max-age=600"
    assert headers["Accept-Ranges"] == "bytes"
    assert "set-cookie" not in headers


async def test_caches_never_outlive_the_link_nor_an_hour(site: Site) -> None:
    answer = await site.ask(site.storage.link("a/p.jpg", seconds=86_400))
    assert answer.headers["Cache-Control"] == "private, max-age=3600"


async def test_head_has_the_headers_and_no_body(site: Site) -> None:
    answer = await site.ask(site.picture, "HEAD", Range="bytes=0-9")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", str(SIZE))


@pytest.mark.parametrize(
    ("key", "content_type", "disposition"),
    [
        ("t/a.png", "image/png", "inline"),
        ("t/a.webp", "image/webp", "inline"),
        ("t/a.mp4", "video/mp4", "inline"),
        ("t/a.gif", "image/gif", "attachment"),
        ("t/a.pdf", "application/pdf", "attachment"),
        ("t/a.txt", "text/plain", "attachment"),
        ("t/a.svg", "application/octet-stream", "attachment"),
        ("t/a.html", "application/octet-stream", "attachment"),
    ],
)
async def test_only_harmless_types_show_in_the_browser(
    site: Site, key: str, content_type: str, disposition: str
) -> None:
    await site.storage.put(key, b"<script>alert(1)</script>", content_type)
    headers = (await site.ask(site.storage.link(key, seconds=60))).headers
    assert (headers["Content-Type"].partition(";")[0], headers["Content-Disposition"]) == (content_type, disposition)


@pytest.mark.parametrize(
    "name", ['a"b\r\nX-Evil: 1.jpg', "../../etc/passwd", "", "\u202egpj.exe", "x" * 4000, "笑.jpg"]
)
async def test_a_download_name_cannot_break_out(site: Site, name: str) -> None:
    headers = (await site.ask(site.storage.link("a/p.jpg", seconds=60, filename=name))).headers
    disposition = headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="')
    assert "X-Evil" not in headers
    assert not {"/", "\\", "\r", "\n", "\u202e"} & set(disposition)
    assert disposition.count('"') == 2
    assert len(disposition) < 1200


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=300000-", 300_000, SIZE),
        ("bytes=-5", SIZE - 5, SIZE),
        ("bytes=-99999999", 0, SIZE),
        (f"bytes={SIZE - 1}-99999999", SIZE - 1, SIZE),
    ],
)
async def test_one_range(site: Site, asked: str, start: int, end: int) -> None:
    answer = await site.ask(site.picture, Range=asked)
    assert (answer.status, answer.body) == (206, PICTURE[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=-0", f"bytes={SIZE + 5}-{SIZE + 9}"])
async def test_a_range_behind_the_end(site: Site, asked: str) -> None:
    answer = await site.ask(site.picture, Range=asked)
    assert (answer.status, answer.json["error"]) == (416, "files.range")
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,5-9", "bytes=9-5", "bytes=-", "lines=1-2", "bytes=a-b", "bytes=٣-٤", f"bytes=0-{'9' * 40}"]
)
async def test_what_is_no_single_byte_range_is_ignored(site: Site, asked: str) -> None:
    answer = await site.ask(site.picture, Range=asked)
    assert (answer.status, len(answer.body)) == (200, SIZE)


async def test_conditional_requests(site: Site) -> None:
    tag = (await site.ask(site.picture)).headers["ETag"]
    for same in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = await site.ask(site.picture, If_None_Match=same)
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
    assert (await site.ask(site.picture, If_None_Match='"x"')).status == 200
    assert (await site.ask(site.picture, Range="bytes=0-1", If_Range=tag)).status == 206
    assert (await site.ask(site.picture, Range="bytes=0-1", If_Range='"x"')).status == 200


@pytest.mark.parametrize(
    "path",
    ["", "a/p.jpg", "../../x", "..%2f..%2fetc%2fpasswd", "%2e%2e/x.jpg", "a//p.jpg", "A/P.JPG", "a/p.jpg%00", "."],
)
async def test_without_a_valid_link_every_path_is_forbidden_alike(site: Site, path: str) -> None:
    query = urlsplit(site.picture).query if path != "a/p.jpg" else "e=9999999999&s=" + "0" * 64
    answer = await site.ask(f"{site.root}{path}?{query}")
    assert (answer.status, answer.json["error"]) == (403, "files.link_invalid")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "query", ["", "e=1", "e=x&s=y", "e=1&e=2&s=x", "e=٣&s=x", "e=-1&s=x", "e=1&s=é", "s=%ff&e=1", "e=1&s=&n=x", "&&&"]
)
async def test_strange_queries_are_forbidden(site: Site, query: str) -> None:
    answer = await site.ask(str(URL(f"{site.root}a/p.jpg?{query}")))
    assert (answer.status, answer.json["error"]) == (403, "files.link_invalid")


async def test_an_expired_link_says_so(site: Site) -> None:
    url = site.storage.link("a/p.jpg", seconds=5)
    site.clock.advance(5)
    assert (await site.ask(url)).json["error"] == "files.link_expired"


async def test_other_methods(site: Site) -> None:
    for method, url in (("DELETE", site.picture), ("PUT", site.picture), ("POST", site.picture)):
        answer = await site.ask(url, method)
        assert (answer.status, answer.json["error"]) == (405, "files.request")
    assert (await site.ask(site.root + "upload")).status in {403, 405}


def body(form: UploadForm, data: bytes, *, more: str = "", boundary: str = "xyz") -> bytes:
    parts = "".join(field(name, value, boundary) for name, value in form.fields.items())
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    return (parts + more + head).encode() + data + f"\r\n--{boundary}--\r\n".encode()


def field(name: str, value: str, boundary: str = "xyz") -> str:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


async def post(site: Site, data: bytes, kind: str = "multipart/form-data; boundary=xyz") -> Answer:
    return await site.ask(site.root + "upload", "POST", data, Content_Type=kind)


async def test_a_good_form_is_stored(site: Site) -> None:
    answer = await post(site, body(site.form(len(PICTURE)), PICTURE))
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert await site.storage.get("up/u.jpg") == PICTURE
    await site.storage.remove("up/u.jpg")
    assert site.left_behind() == []


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), 400, "files.upload_wrong_type"),
        (b"<html><script>alert(1)</script>", 400, "files.upload_wrong_type"),
        (b"GIF89a/*" + bytes(100), 400, "files.upload_wrong_type"),
        (b"", 400, "files.upload_malformed"),
        (PICTURE + b"!", 413, "files.upload_too_large"),
        (PICTURE + bytes(700_000), 413, "files.upload_too_large"),
    ],
)
async def test_a_bad_file_is_refused_and_gone(site: Site, data: bytes, status: int, code: str) -> None:
    answer = await post(site, body(site.form(len(PICTURE)), data))
    assert (answer.status, answer.json["error"]) == (status, code)
    assert list(await site.storage.list("up/")) == []
    assert site.left_behind() == []


async def test_malformed_forms(site: Site) -> None:
    form = site.form()
    good = body(form, PICTURE)
    second = b'\r\n--xyz\r\nContent-Disposition: form-data; name="file"; filename="y"\r\n\r\nmore\r\n--xyz--\r\n'
    bodies = {
        "unknown field": body(form, PICTURE, more=field("acl", "public")),
        "repeated field": body(form, PICTURE, more=field("key", form.fields["key"])),
        "long field": body(form, PICTURE, more=field("acl", "x" * 5000)),
        "second file": good.removesuffix(b"\r\n--xyz--\r\n") + second,
        "field behind the file": good.removesuffix(b"--xyz--\r\n") + field("acl", "x").encode() + b"--xyz--\r\n",
        "cut short": good[:-20],
        "no file": b"".join(field(*pair).encode() for pair in form.fields.items()) + b"--xyz--\r\n",
        "no fields": good[good.index(b'--xyz\r\nContent-Disposition: form-data; name="file"') :],
        "long preamble": b"x" * 100_000 + good,
        "long tail": good + b"x" * 100_000,
        "nothing": b"",
        "noise": bytes(range(256)) * 10,
    }
    for name, data in bodies.items():
        answer = await post(site, data)
        assert (answer.status, answer.json["error"]) == (400, "files.upload_malformed"), name
    for kind in ("application/json", "multipart/form-data", "multipart/form-data; boundary=" + "x" * 300):
        assert (await post(site, good, kind)).status == 400
    assert list(await site.storage.list("up/")) == []
    assert site.left_behind() == []


async def test_a_file_may_hold_what_looks_like_a_boundary(site: Site) -> None:
    data = PICTURE[:500] + b"\r\n--xy\r\n--xyzz\r--xyz\r\n-" + PICTURE[:500]
    with_boundary = body(site.form(), data, boundary="xyz0")
    assert (await post(site, with_boundary, "multipart/form-data; boundary=xyz0")).status == 204
    assert await site.storage.get("up/u.jpg") == data
    await site.storage.remove("up/u.jpg")


async def test_too_much_is_refused_while_it_still_comes(site: Site) -> None:
    """A client that announces 5 GB hears the answer after a few kilobytes, before it sent the rest."""
    sent = body(site.form(max_bytes=1000), PICTURE[:5000])
    url = URL(site.root)
    assert url.host is not None
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = (
        f"POST /files/upload HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: 5000000000\r\n"
        "Content-Type: multipart/form-data; boundary=xyz\r\n\r\n"
    )
    writer.write(head.encode() + sent)
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in (await reader.readuntil(b"\r\n\r\n")).lower()
    writer.close()
    await writer.wait_closed()
    assert site.left_behind() == []


async def test_a_client_that_goes_away_leaves_nothing(site: Site) -> None:
    """Half a file, then the connection ends; the next request shows that the server has noticed."""
    sent = body(site.form(), PICTURE)
    url = URL(site.root)
    assert url.host is not None
    _, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST /files/upload HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent)}\r\n"
    writer.write(f"{head}Content-Type: multipart/form-data; boundary=xyz\r\n\r\n".encode() + sent[:300_000])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(5):
        while site.left_behind():
            await site.ask(site.picture, "HEAD")
    assert list(await site.storage.list("up/")) == []
