"""Input that is not what it should be: refused with the contract's code, never a server error, and the next call works.

Source: reference/reliability.md §4.2 (A6, M2, M8, I1 to I3, I5, I7, F1, F4); docs/apps/emoji/contract.md "strictness".
"""

import gzip
import io
import json
import time
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from hutong.kernel.http.addresses import ClientAddress
from support.stand import TEMPLATE, Phone, Reply, Stand, photo

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
JSON = {"Content-Type": "application/json"}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/auth/login"): {"device_id": "device-9999"},
    ("PUT", "/user/profile"): {"nickname": "Lin"},
    ("POST", "/emoji/detect"): {"image_url": "http://x/y.jpg"},
    ("POST", "/emoji/create"): {"image_url": "http://x/y.jpg", "driven_id": TEMPLATE},
    ("POST", "/emoji/upload"): {"mode": "direct", "content_type": "image/jpeg", "size": 1000},
}
ASSIGNED = {
    "is_vip": True,
    "points": 9999,
    "balance": 9999,
    "role": "admin",
    "user_id": "1",
    "status": "completed",
    "price": 0,
}
NO_STRINGS: list[Any] = [None, 1, 1.5, True, [], {}, ["x"]]
NO_SIZES = [
    "1000",
    "true",
    "1.0",
    "1.5",
    "1e3",
    "1e400",
    "-1",
    "0",
    "null",
    '"1000"',
    "[1]",
    "NaN",
    "Infinity",
    "-Infinity",
]


async def send(phone: Phone, route: tuple[str, str], body: bytes | str, **headers: str) -> Reply:
    return await phone.call(*route, data=body, headers=JSON | headers)


async def untouched(phone: Phone) -> bool:
    """Whether the user stands as after the sign-in, and is served."""
    profile = (await phone.call("GET", "/user/profile")).data
    return (profile["points"], profile["is_vip"]) == (100, False) and await phone.entries() == [("reward", 100)]


def refused(reply: Reply) -> bool:
    return (reply.status, reply.code) == (400, 400001)


@ON_SQLITE
async def test_the_list_of_bodies_is_complete(stand: Stand) -> None:
    app = stand.host.specs[0].create_app(stand.host.kernel)
    taking = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, item in app.openapi()["paths"].items()
        for method, operation in item.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }

    assert set(BODIES) == taking


@ON_SQLITE
async def test_a_field_too_many_is_refused_everywhere(stand: Stand) -> None:
    """So nothing can be assigned that is not offered."""
    phone = await stand.phone()
    for route, body in BODIES.items():
        for name, value in ASSIGNED.items():
            assert refused(await send(phone, route, json.dumps(body | {name: value}))), (route, name)

    assert await untouched(phone)


@ON_SQLITE
async def test_a_field_too_few_or_of_another_type_is_refused_everywhere(stand: Stand) -> None:
    phone = await stand.phone()
    for route, body in BODIES.items():
        for name in body:
            assert refused(await send(phone, route, json.dumps({key: body[key] for key in body if key != name})))
            for value in NO_STRINGS if isinstance(body[name], str) else ["1000", True, 1.0, None]:
                reply = await send(phone, route, json.dumps(body | {name: value}))
                assert refused(reply), (route, name, value)
                assert name in json.dumps(reply.body["data"])

    assert await untouched(phone)


@ON_SQLITE
async def test_a_number_is_a_whole_one_written_as_one(stand: Stand) -> None:
    """A number too large for the database is too large for a picture, too."""
    phone = await stand.phone()
    start = '{"mode":"direct","content_type":"image/png","size":'
    replies = {size: await send(phone, ("POST", "/emoji/upload"), f"{start}{size}}}") for size in NO_SIZES[1:]}
    huge = {
        size: (await send(phone, ("POST", "/emoji/upload"), f"{start}{size}}}")).code for size in (2**31, 2**63, 10**30)
    }
    longest = await send(phone, ("POST", "/emoji/upload"), f"{start}{'9' * 5000}}}")

    assert [size for size, reply in replies.items() if not refused(reply)] == []
    assert huge == dict.fromkeys(huge, 413001)
    assert refused(longest)


def _documents(body: dict[str, Any]) -> dict[str, bytes]:
    """One body in many wrong forms."""
    text = json.dumps(body)
    name = next(iter(body))
    deep = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
    return {
        "key twice": f'{{"{name}":"device-1234",{text[1:]}'.encode(),
        "key twice, escaped": f'{{"\\u{ord(name[0]):04x}{name[1:]}":"device-1234",{text[1:]}'.encode(),
        "NaN": text.replace("}", ',"n":NaN}').encode(),
        "Infinity": text.replace("}", ',"n":-Infinity}').encode(),
        "NUL": text.replace("}", ',"n":"\\u0000"}').encode(),
        "lone surrogate": text.replace("}", ',"n":"\\ud800"}').encode(),
        "lone surrogate as a key": text.replace("}", ',"\\udfff":1}').encode(),
        "overlong UTF-8": text.replace("}", ',"n":"').encode() + b'\xc0\xaf"}',
        "surrogate in UTF-8": text.replace("}", ',"n":"').encode() + b'\xed\xa0\x80"}',
        "UTF-16": text.encode("utf-16"),
        "UTF-32": text.encode("utf-32-le"),
        "a byte order mark": b"\xef\xbb\xbf" + text.encode(),
        "compressed": gzip.compress(text.encode()),
        "deep": deep,
        "deep lists": b"[" * 100_000,
        "a long number": text.replace("}", ',"n":' + "9" * 5_000 + "}").encode(),
        "two values": text.encode() * 2,
        "a comment": b"/* */" + text.encode(),
        "a comma too many": text.replace("}", ",}").encode(),
        "single quotes": text.replace('"', "'").encode(),
        "a list": f"[{text}]".encode(),
        "a string": json.dumps(text).encode(),
        "null": b"null",
        "nothing": b"",
        "cut": text[:-1].encode(),
        "a raw control character": text.replace("}", ',"n":"\t"}').encode(),
    }


@ON_SQLITE
async def test_what_is_no_plain_json_is_refused_everywhere(stand: Stand) -> None:
    """Quickly, and without showing what was sent."""
    phone = await stand.phone()
    slowest = 0.0
    for route, body in BODIES.items():
        for name, document in _documents(body).items():
            start = time.perf_counter()
            reply = await send(phone, route, document)
            slowest = max(slowest, time.perf_counter() - start)
            assert refused(reply), (route, name, reply.body)
            assert "device-1234" not in json.dumps(reply.body)

    assert slowest < 1
    assert await untouched(phone)


@ON_SQLITE
@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application",
        "json",
        "text/json",
        "*/*",
    ],
)
async def test_json_under_another_name_is_refused(stand: Stand, kind: str) -> None:
    """Also what a foreign page's form could send without asking first (CSRF)."""
    phone = await stand.phone()
    for route, body in BODIES.items():
        reply = await send(phone, route, json.dumps(body), **{"Content-Type": kind})
        assert refused(reply), (route, reply.body)

    assert await untouched(phone)


@ON_SQLITE
@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf-7", "utf-16", "iso-8859-1", "nonsense"])
async def test_json_is_utf_8_whatever_the_header_says(stand: Stand, charset: str) -> None:
    """RFC 8259 knows no charset parameter: the bytes are taken as UTF-8, or refused."""
    phone = await stand.phone()
    headers = {"Content-Type": f"application/json; charset={charset}"}
    good = await send(phone, ("PUT", "/user/profile"), '{"nickname":"小明"}'.encode(), **headers)
    latin = await send(phone, ("PUT", "/user/profile"), '{"nickname":"é"}'.encode("latin-1"), **headers)

    assert good.data["nickname"] == "小明"
    assert refused(latin)


@ON_SQLITE
async def test_a_body_has_a_largest_size_with_and_without_a_length(stand: Stand) -> None:
    phone = await stand.phone()
    large = json.dumps({"image_url": "x" * (1024 * 1024)}).encode()

    async def chunked() -> Any:
        for at in range(0, len(large), 65_536):
            yield large[at : at + 65_536]

    stated = await phone.call("POST", "/emoji/detect", data=io.BytesIO(large), headers=JSON)
    unstated = await phone.call("POST", "/emoji/detect", data=chunked(), headers=JSON)
    login = await Phone(stand.client, stand.base).call("POST", "/auth/login", data=chunked(), headers=JSON)

    assert [(reply.status, reply.code) for reply in (stated, unstated, login)] == [(413, 413001)] * 3
    assert stated.body["data"] == unstated.body["data"] == {"largest_bytes": 1024 * 1024}
    assert await untouched(phone)


PAYLOADS = (
    *("' OR 1=1 --", "1; DROP TABLE users", "{{7*7}}", "${7*7}", "%s%s%s%n", "*)(uid=*))(|(uid=*", '{"$gt":""}'),
    *(
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "javascript:alert(1)",
        "=cmd|' /C calc'!A0",
        "\\",
        "`id`",
        "$(id)",
    ),
)
TEXTS = ("小明 🙂", "👨‍👩‍👧", "Ｌｉｎ", "שלום", "é", "é", "𝕃𝕚𝕟", "🇨🇳", "ß", "İ", "﷽", *PAYLOADS)


async def test_text_is_stored_as_it_is_or_refused(stand: Stand) -> None:
    """On every database: what looks like a command is only text, what has four bytes keeps them."""
    phone = await stand.phone()
    for text in TEXTS:
        changed = await phone.call("PUT", "/user/profile", json={"nickname": text})
        again = await phone.call("GET", "/user/profile")
        assert changed.data["nickname"] == again.data["nickname"] == text
    for text in ("a\u0000b", "a\nb", "a\r\nX: y", "\x1b[31m", "a\u202eb", "a\u200bb", "a\ufeffb", " ", "", "x" * 65):
        assert refused(await phone.call("PUT", "/user/profile", json={"nickname": text})), repr(text)

    assert await untouched(phone)


@ON_SQLITE
async def test_what_looks_like_a_command_is_an_unknown_thing(stand: Stand) -> None:
    """In every place where text goes: ids, links, templates, headers, devices."""
    phone = await stand.phone()
    image_url = await phone.uploaded()
    for text in PAYLOADS:
        create = await phone.create(image_url, text)
        assert (create.status, create.code) == (404, 404002)
        assert text not in json.dumps(create.body)
        assert refused(await phone.create(text))
        assert refused(await phone.call("POST", "/emoji/detect", json={"image_url": text}))
        query = await phone.call("GET", "/emoji/history", params={"page": text})
        assert refused(query) and text not in json.dumps(query.body)
        path = await phone.call("GET", f"/emoji/task/{quote(text, safe='')}")
        assert path.status == 404 and text not in json.dumps(path.body)

    assert await untouched(phone)


@ON_SQLITE
@pytest.mark.parametrize("name", ["page", "page_size"])
async def test_a_page_is_written_with_digits(stand: Stand, name: str) -> None:
    phone = await stand.phone()
    wrong = ("", "0", "-1", "+1", " 1", "1 ", "1.0", "1_0", "1e1", "0x1", "١", "true", "1,2", "9" * 30, "1000001", "x")
    for path in ("/points/transactions", "/emoji/history"):
        for value in wrong:
            assert refused(await phone.call("GET", path, params={name: value})), (path, value)
        assert (await phone.call("GET", path, params={name: "1"})).code == 0


@ON_SQLITE
@pytest.mark.parametrize(
    "query", ["page=1&page=2", "page=x&page=1", "page[]=1", "Page=1", "offset=5", "sort=user_id", "_=1"]
)
async def test_a_query_holds_what_the_path_takes_once(stand: Stand, query: str) -> None:
    """Two values for one name are two opinions of what was asked."""
    phone = await stand.phone()
    for path in ("/points/transactions", "/emoji/history", "/points/balance", "/user/profile", "/config"):
        reply = await phone.call("GET", f"{path}?{query}")
        assert refused(reply), path
        assert reply.body["data"]["fields"][0]["field"] == "query"


@ON_SQLITE
@pytest.mark.parametrize("key", ["", " ", "x" * 256, "x" * 10_000, "a b", "ключ", "a\tb", "é"])
async def test_a_key_is_1_to_255_visible_characters(stand: Stand, key: str) -> None:
    phone = await stand.phone()
    reply = await phone.call(
        "POST",
        "/emoji/create",
        json={"image_url": await phone.uploaded(), "driven_id": TEMPLATE},
        headers={"Idempotency-Key": key},
    )

    assert refused(reply)
    assert await untouched(phone)


@ON_SQLITE
async def test_a_key_is_its_users_own(stand: Stand) -> None:
    one, other = await stand.phone(), await stand.phone()
    first = (await one.create(await one.uploaded(), key="x" * 255)).data
    second = (await other.create(await other.uploaded(), key="x" * 255)).data

    assert first["task_id"] != second["task_id"]
    assert (
        (await one.ended(first["task_id"]))["status"] == (await other.ended(second["task_id"]))["status"] == "completed"
    )


# Multipart


def part(name: str, content: bytes, *lines: str, filename: str | None = "x.png") -> bytes:
    """One part of a form whose boundary is `x`."""
    named = "" if filename is None else f'; filename="{filename}"'
    head = [f'Content-Disposition: form-data; name="{name}"{named}', *lines]
    return b"--x\r\n" + "\r\n".join(head).encode("latin-1", "replace") + b"\r\n\r\n" + content + b"\r\n"


END = b"--x--\r\n"
WRONG_FORMS = {
    "no file": END,
    "a field for a file": part("image", photo(), filename=None) + END,
    "another name": part("picture", photo()) + END,
    "two files": part("image", photo()) * 2 + END,
    "two files of different names": part("image", photo()) + part("file", photo()) + END,
    "many fields": b"".join(part(f"f{n}", b"1", filename=None) for n in range(5)) + part("image", photo()) + END,
    "an empty file": part("image", b"") + END,
    "a cut form": part("image", photo())[:-20],
    "no end": part("image", b"x"),
    "garbage": b"garbage",
    "a long header": part("image", photo(), "X-A: " + "a" * 100_000) + END,
    "many headers": part("image", photo(), *["X-A: b"] * 2000) + END,
    "a long field": part("note", b"x" * 2_000_000, filename=None) + part("image", photo()) + END,
    "a page": part("image", b"<html><script>alert(1)</script></html>", filename="x.jpg") + END,
    "a polyglot": part("image", b"GIF89a/*" + bytes(500) + b"*/=1;alert(1)", filename="x.gif") + END,
    "encoded": part("image", b"iVBORw0KGgo=", "Content-Transfer-Encoding: base64") + END,
}


@ON_SQLITE
@pytest.mark.parametrize("form", WRONG_FORMS.values(), ids=WRONG_FORMS)
async def test_a_form_that_is_not_as_described_is_refused(stand: Stand, form: bytes) -> None:
    """Nothing is stored of it."""
    phone = await stand.phone()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    try:
        assert refused(await phone.call("POST", "/emoji/upload", data=io.BytesIO(form), headers=headers))
    except aiohttp.ClientConnectionError:
        assert len(form) > 1_000_000  # it stopped reading and closed while more was being sent
    assert not await stand.host.kernel.files.list("uploads/")
    assert await untouched(phone)


@ON_SQLITE
@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=x"]
)
async def test_a_form_needs_its_boundary(stand: Stand, kind: str) -> None:
    phone = await stand.phone()
    reply = await phone.call("POST", "/emoji/upload", data=part("image", photo()) + END, headers={"Content-Type": kind})

    assert refused(reply)


@ON_SQLITE
@pytest.mark.parametrize(
    "filename",
    ["../../../etc/cron.d/x", "..\\\\x", "CON", "x.php", "x" * 4000, "a%0d%0aX-A: b", "a\x00b.png", ".htaccess", ""],
)
async def test_a_file_name_is_never_looked_at(stand: Stand, filename: str) -> None:
    """The server makes the key; the picture is a JPEG whatever it was called."""
    phone = await stand.phone()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    reply = await phone.call(
        "POST", "/emoji/upload", data=part("image", photo(), filename=filename) + END, headers=headers
    )
    stored = await stand.host.kernel.files.list("uploads/")
    async with stand.client.get(reply.data["image_url"]) as answer:
        kind, guard = answer.headers["Content-Type"], answer.headers["Content-Security-Policy"]

    assert len(stored) == 1
    assert f"/files/uploads/{phone.user['id']}/" in reply.data["image_url"]
    assert kind == "image/jpeg" and guard.startswith("sandbox")


# Addresses


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ([b"6.6.6.6"], "6.6.6.6"),
        ([b"9.9.9.9, 6.6.6.6"], "6.6.6.6"),
        ([b"9.9.9.9", b"6.6.6.6"], "6.6.6.6"),
        ([b"6.6.6.6, 10.0.0.2"], "6.6.6.6"),
        ([b"6.6.6.6", b"10.0.0.2"], "6.6.6.6"),
        ([b"9.9.9.9, 6.6.6.6:4711"], "10.0.0.1"),
        ([b"9.9.9.9, unknown"], "10.0.0.1"),
        ([b""], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_an_address_is_what_the_nearest_proxy_of_ours_saw(lines: list[bytes], address: str) -> None:
    """Not what a client wrote before it: in the same line, in a line of its own, or hidden behind something odd."""
    scope = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", line) for line in lines]}

    assert ClientAddress(["10.0.0.0/8"]).of(scope) == address


@ON_SQLITE
async def test_a_forwarded_address_is_not_believed_from_anybody(stand_up: Any) -> None:
    """So nobody gets around the limit of their address by inventing others."""
    stand: Stand = await stand_up(emoji={"login_per_minute": 3})
    phone = Phone(stand.client, stand.base)
    codes = []
    for number in range(10):
        invented = dict.fromkeys(("X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP"), f"6.6.6.{number}")
        reply = await phone.call("POST", "/auth/login", json={"device_id": f"device-{number:04d}"}, headers=invented)
        codes.append(reply.code)

    assert 429001 in codes
