"""What the server does with bytes that are no proper HTTP, with heads and bodies without end, and with slow senders.

Refused or closed, and the next request is answered. Source: reference/reliability.md §4.2 (I4, I5, W6); RFC 9112.
"""

import asyncio
import json

import pytest

from hutong.host.connections import LARGEST_HEAD, MOST_HEADERS
from support.deadlines import until
from support.http import http_client
from support.stand import Stand
from support.wire import request, say

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

DETECT = "POST /emoji/api/v1/emoji/detect"
JSON = "Content-Type: application/json"
SECOND = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"

NO_HTTP = {
    "both lengths": request(
        DETECT, JSON, "Content-Length: 4", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SECOND
    ),
    "both, other order": request(
        DETECT, JSON, "Transfer-Encoding: chunked", "Content-Length: 4", body=b"0\r\n\r\n" + SECOND
    ),
    "two lengths": request(DETECT, JSON, "Content-Length: 2", "Content-Length: 6", body=b"{}" + SECOND),
    "a list of lengths": request(DETECT, JSON, "Content-Length: 2, 6", body=b"{}" + SECOND),
    "a negative length": request(DETECT, JSON, "Content-Length: -1", body=b"{}"),
    "a length with a sign": request(DETECT, JSON, "Content-Length: +2", body=b"{}"),
    "a length of 26 digits": request(DETECT, JSON, "Content-Length: " + "9" * 26, body=b"{}"),
    "a length of 5,000 digits": request(DETECT, JSON, "Content-Length: " + "9" * 5000, body=b"{}"),
    "another encoding": request(DETECT, JSON, "Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "chunked twice": request(DETECT, JSON, "Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "a space before the colon": request(DETECT, JSON, "Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
    "a folded header": request("GET /livez", "X-A: b\r\n c"),
    "bare line feeds": b"GET /livez HTTP/1.1\nHost: x\n\n",
    "NUL in a header": request("GET /livez", "X-A: b\x00c"),
    "no header name": request("GET /livez", ": b"),
    "no host": b"GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n",
    "an empty host": request("GET /livez", host=""),
    "two hosts": request("GET /livez", "Host: emoji.example.com"),
    "a host with a path": request("GET /livez", host="evil.example/x"),
    "a host with a name and password": request("GET /livez", host="127.0.0.1@evil.example"),
    "a host with markup": request("GET /", host='"><script>alert(1)</script>'),
    "a chunk without end": request(DETECT, JSON, "Transfer-Encoding: chunked", body=b"F" * 18 + b"\r\n{}"),
    "a chunk without a number": request(DETECT, JSON, "Transfer-Encoding: chunked", body=b"zz\r\n{}"),
    "bytes beyond ASCII in a path": request("GET /emoji/\xff\xfe"),
    "a space in a path": request("GET /emoji/a b"),
    "an unknown method": request("BREW /livez"),
    "a tunnel": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "HTTP/0.9": b"GET /livez\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "nothing but zeros": bytes(1000),
}


async def alive(base: str) -> bool:
    """Whether the next one is served."""
    return (await say(base, request("GET /livez"))).status == 200


async def test_what_is_no_proper_request_is_refused_and_the_connection_closed(stand: Stand) -> None:
    """One 400 at most: what follows on the connection is never taken for a second request (smuggling)."""
    heard = {name: await say(stand.base, sent) for name, sent in NO_HTTP.items()}
    refused = {name: one.closed and (one.status, one.answers) in {(400, 1), (0, 0)} for name, one in heard.items()}

    assert [name for name, good in refused.items() if not good] == []
    assert all(b"<script>" not in one.content for one in heard.values())
    assert await alive(stand.base)


LARGE_HEADS = {
    "a long header": request("GET /livez", "X-A: " + "a" * LARGEST_HEAD),
    "201 headers": request("GET /livez", *["X-A: b"] * (MOST_HEADERS + 1)),
    "20,000 headers": request("GET /livez", *["X-A: b"] * 20_000),
    "a long path": request("GET /" + "a" * 1_000_000),
    "a long query": request("GET /emoji/api/v1/config?" + "a" * 100_000),
    "a header without end": b"GET /livez HTTP/1.1\r\nX-A: " + b"a" * 2_000_000,
}


async def test_a_head_has_a_largest_size(stand: Stand) -> None:
    heard = {name: await say(stand.base, sent) for name, sent in LARGE_HEADS.items()}

    assert [name for name, one in heard.items() if not one.closed or one.status not in {431, 0}] == []
    assert heard["201 headers"].status == 431
    assert await alive(stand.base)


async def test_a_head_of_usual_size_is_none_too_large(stand: Stand) -> None:
    """200 headers, 60 KB in all."""
    heard = await say(stand.base, request("GET /livez", *["X-A: " + "a" * 300] * 190))

    assert heard.status == 200


@pytest.mark.parametrize("length", [2 * 1024 * 1024, 100 * 1024**3])
async def test_a_body_that_says_it_is_too_large_is_not_waited_for(stand: Stand, length: int) -> None:
    sent = f"{DETECT} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nContent-Length: {length}\r\n\r\n".encode()
    heard = await say(stand.base, sent, b"{", seconds=2)

    assert heard.status == 413 and b'"code":413001' in heard.content
    assert await alive(stand.base)


async def test_a_body_that_nobody_reads_is_not_read_for_ever(stand: Stand) -> None:
    """After the refusal a megabyte is read on, so that the client sees the refusal; then the connection ends."""
    sent = f"{DETECT} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nContent-Length: {100 * 1024**3}\r\n\r\n".encode()
    heard = await say(stand.base, sent, *[bytes(65_536)] * 200)

    assert heard.closed
    assert await alive(stand.base)


async def test_pipelined_requests_are_answered_in_order(stand: Stand) -> None:
    both = b"GET /emoji/api/v1/points/balance HTTP/1.1\r\nHost: x\r\n\r\n" + request("GET /livez")
    heard = await say(stand.base, both)

    assert heard.answers == 2 and heard.content.index(b"401003") < heard.content.index(b"alive")


async def test_a_body_is_what_its_length_says(stand: Stand) -> None:
    """The rest is the next request, and has no part in the first one's authority."""
    phone = await stand.phone()
    first = (
        f"POST /emoji/api/v1/auth/refresh HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {phone.token}\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()
    heard = await say(stand.base, first + request("GET /emoji/api/v1/points/balance"))

    assert heard.answers == 2 and heard.content.count(b"401003") == 1


async def test_a_forged_line_in_a_path_is_no_line_in_the_log(stand: Stand, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor an escape sequence for somebody's terminal, nor a header of the answer."""
    heard = await say(stand.base, request('GET /emoji/%0d%0aX-Evil:%20yes%0d%0a{"event":"forged"}%1b[31m'))
    lines: list[str] = []

    async def told() -> bool:
        lines.extend(line for line in capsys.readouterr().out.splitlines() if "X-Evil" in line)
        return bool(lines)

    await until(told, 10)
    assert heard.status == 404 and b"x-evil" not in heard.content.lower()
    assert len(lines) == 1 and "path=" in lines[0]
    assert "\x1b[31m" not in lines[0]


async def test_no_answer_follows_the_host_header(stand: Stand) -> None:
    """Links and redirects are made of the public URL, whatever a client calls this server."""
    phone = await stand.phone()
    for path in ("/", "/emoji/api/v1/config", "/emoji/api/v1/config/", "/emoji/assets", "/emoji/docs/", "/files"):
        for name in ("evil.example", "emoji.evil.example"):
            sent = request(
                f"GET {path}", f"Authorization: Bearer {phone.token}", "X-Forwarded-Host: evil.example", host=name
            )
            assert b"evil.example" not in (await say(stand.base, sent)).content


async def test_a_path_is_taken_as_it_is(stand: Stand) -> None:
    """Nothing is resolved, so nothing can be reached that a proxy in front did not see."""
    paths = ("/emoji/../livez", "/emoji/%2e%2e/livez", "//livez", "/livez/", "/livez%00", "/emoji/..;/livez", "/LIVEZ")

    assert {path: (await say(stand.base, request(f"GET {path}"))).status for path in paths} == dict.fromkeys(paths, 404)


async def test_a_folder_gives_only_what_is_in_it(stand: Stand) -> None:
    paths = ("%2e%2e/app.py", "..%2f..%2fapp.py", "%00", "previews/%2e%2e/%2e%2e/app.py", "a" * 5000, "%ff", "C:%5cx")
    for path in paths:
        heard = await say(stand.base, request(f"GET /emoji/assets/{path}"))
        assert heard.status == 404 and b'"code":404000' in heard.content, path


async def test_500_slow_senders_keep_nobody_waiting(stand: Stand) -> None:
    """Each holds a connection with half a head; others are served as before."""
    port = int(stand.base.rpartition(":")[2])
    slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(500)]
    for _, writer in slow:
        writer.write(b"GET /livez HTTP/1.1\r\nX-A: ")
    async with http_client() as client, client.get(f"{stand.base}/emoji/api/v1/config") as answer:
        found = json.loads(await answer.read())
    for _, writer in slow:
        writer.close()

    assert found["code"] == 0


async def test_a_body_that_stands_still_is_given_up(stand_up: object) -> None:
    """The client is told so, and the request holds nothing any more."""
    stand: Stand = await stand_up(http={"body_pause_seconds": 0.3})  # type: ignore[operator]
    phone = await stand.phone()
    head = (
        f"{DETECT} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nAuthorization: Bearer {phone.token}\r\nContent-Length: 100\r\n\r\n"
    )
    heard = await say(stand.base, head.encode() + b'{"image_url":', seconds=3)

    assert heard.status == 400 and b"did not arrive in time" in heard.content
    assert await alive(stand.base)


async def test_a_body_that_drips_is_given_up(stand_up: object) -> None:
    """A byte now and then never stands still, and would hold a request for a day; who is slow but not that slow gets through.

    Source: reference/identity_orders.md X07.
    """
    stand: Stand = await stand_up(http={"body_pause_seconds": 0.5, "body_bytes_per_second": 200})  # type: ignore[operator]
    phone = await stand.phone()
    body = json.dumps({"image_url": "x" * 600}).encode()
    head = (
        f"{DETECT} HTTP/1.1\r\nHost: x\r\n{JSON}\r\nAuthorization: Bearer {phone.token}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    dripped = await say(stand.base, head, *[bytes([byte]) for byte in body[:40]], pause=0.05, seconds=3)
    slow = await say(stand.base, head, *[body[at : at + 30] for at in range(0, len(body), 30)], pause=0.05, seconds=3)

    assert dripped.status == 400 and b"did not arrive in time" in dripped.content
    assert slow.status == 400 and b"image_url" in slow.content and b"did not arrive in time" not in slow.content
