"""The sandbox verifies what it is sent: every part of a signature that somebody changes is refused, with OSS's own code."""

import hashlib
import hmac
from base64 import b64encode
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from providers.oss.stranger import WEEK, Stranger
from support.buckets import OssBench

KEY = "a/b.txt"
HOUR = 3600


async def there(bench: OssBench) -> list[str]:
    return list(await bench.storage.list(""))


async def test_a_right_signature_of_somebody_elses_client_is_let_in(bench: OssBench, stranger: Stranger) -> None:
    headers = {"content-type": "text/plain", "x-oss-meta-who": "me", "x-oss-server-side-encryption": "AES256"}
    put = await stranger.call("PUT", KEY, b"content", headers)
    got = await stranger.call("GET", KEY, headers={"range": "bytes=1-3", "host": bench.url.removeprefix("http://")})
    linked = await stranger.read(KEY)
    listed = await stranger.call("GET", query="list-type=2&prefix=a%2F")
    removed = await stranger.call("DELETE", KEY)

    assert put.status == 200 and len(put.headers["x-oss-request-id"]) == 24
    assert put.headers["x-oss-server-side-encryption"] == "AES256"
    assert put.headers["ETag"] == f'"{hashlib.md5(b"content").hexdigest().upper()}"'  # noqa: S324 - OSS's tag
    assert (got.status, got.body, got.headers["Content-Range"]) == (206, b"ont", "bytes 1-3/7")
    assert (got.headers["x-oss-meta-who"], got.headers["x-oss-hash-crc64ecma"]) == (
        "me",
        put.headers["x-oss-hash-crc64ecma"],
    )
    assert linked.body == b"content"
    assert [each.text for each in ET.fromstring(listed.body).iter("Key")] == [KEY]  # noqa: S314 - our own
    assert (removed.status, (await stranger.read(KEY)).told) == (204, (404, "NoSuchKey"))


async def test_names_are_spelled_in_one_way(stranger: Stranger) -> None:
    key = "图片/笑 脸+~(1)'*!.txt"
    assert (await stranger.call("PUT", key, b"x")).status == 200
    assert (await stranger.read(key)).body == b"x"
    named: Any = {"response-content-disposition": 'attachment; filename="a b+c.txt"'}
    assert (await stranger.read(key, **named)).status == 200


async def test_the_checksum_is_crc64_ecma(stranger: Stranger) -> None:
    """The published check value of CRC-64/XZ."""
    answer = await stranger.call("PUT", KEY, b"123456789")
    assert int(answer.headers["x-oss-hash-crc64ecma"]) == 0x995DC9BBDF1939FA


CHANGED: dict[str, tuple[dict[str, Any], tuple[int, str]]] = {
    "method": ({"sent": {"method": "DELETE"}}, (403, "SignatureDoesNotMatch")),
    "path": ({"sent": {"key": "a/c.txt"}}, (403, "SignatureDoesNotMatch")),
    "query": ({"sent": {"query": "response-content-type=text%2Fhtml"}}, (403, "SignatureDoesNotMatch")),
    "signed header": ({"sent": {"headers": {"content-type": "text/html"}}}, (403, "SignatureDoesNotMatch")),
    "added x-oss header": ({"sent": {"headers": {"x-oss-object-acl": "public-read"}}}, (403, "SignatureDoesNotMatch")),
    "removed header": ({"sent": {"headers": {"x-oss-meta-a": None}}}, (403, "SignatureDoesNotMatch")),
    "body hash": ({"sent": {"headers": {"x-oss-content-sha256": "0" * 64}}}, (400, "InvalidArgument")),
    "no body hash": ({"sent": {"headers": {"x-oss-content-sha256": None}}}, (400, "InvalidArgument")),
    "body against its MD5": ({"sent": {"data": b"other"}}, (400, "BadDigest")),
    "secret": ({"secret": "guessed"}, (403, "SignatureDoesNotMatch")),
    "key id": ({"key_id": "LTAI-other"}, (403, "InvalidAccessKeyId")),
    "region": ({"region": "cn-hangzhou"}, (400, "InvalidArgument")),
    "region as endpoint": ({"region": "oss-cn-beijing"}, (400, "InvalidArgument")),
    "product": ({"product": "oss-cloudbox"}, (400, "InvalidArgument")),
    "credential's day": ({"day": "20260101"}, (400, "InvalidArgument")),
    "date moved": ({"sent": {"headers": {"x-oss-date": "20260101T000000Z"}}}, (400, "InvalidArgument")),
    "no date": ({"sent": {"headers": {"x-oss-date": None}}}, (403, "AccessDenied")),
    "too old": ({"behind": 16 * 60}, (403, "RequestTimeTooSkewed")),
    "from the future": ({"behind": -16 * 60}, (403, "RequestTimeTooSkewed")),
    "no signature": ({"sent": {"authorization": None}}, (403, "AccessDenied")),
    "empty signature": ({"sent": {"authorization": ""}}, (400, "InvalidArgument")),
    "garbage": ({"sent": {"authorization": "OSS4-HMAC-SHA256 Credential=x,Signature="}}, (400, "InvalidArgument")),
    "amazon's": ({"sent": {"authorization": "AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request"}}, (400, "InvalidArgument")),
    "V1": ({"sent": {"authorization": "OSS LTAI-sandbox:c2lnbmF0dXJl"}}, (403, "AccessDenied")),
}  # fmt: skip


@pytest.mark.parametrize(("change", "told"), CHANGED.values(), ids=CHANGED)
async def test_a_changed_write_is_refused(
    bench: OssBench, stranger: Stranger, change: dict[str, Any], told: tuple[int, str]
) -> None:
    await stranger.call("PUT", "a/c.txt", b"mine")
    digest = b64encode(hashlib.md5(b"content").digest()).decode()  # noqa: S324 - OSS's
    headers = {"content-type": "text/plain", "x-oss-meta-a": "1", "content-md5": digest}
    answer = await stranger.but(**change).call("PUT", KEY, b"content", headers)

    assert answer.told == told
    assert await there(bench) == ["a/c.txt"]
    assert answer.headers["Content-Type"].startswith("application/xml") and answer.headers["x-oss-request-id"]


async def test_within_a_quarter_of_an_hour_is_right(stranger: Stranger) -> None:
    for behind in (14 * 60, -14 * 60):
        assert (await stranger.but(behind=behind).call("PUT", KEY, b"x")).status == 200


async def test_an_additional_header_is_signed(stranger: Stranger) -> None:
    headers = {"range": "bytes=0-1"}
    await stranger.call("PUT", KEY, b"content")
    other = stranger.but(sent={"headers": {"range": "bytes=0-5"}})
    assert (await stranger.call("GET", KEY, headers=headers)).body == b"co"
    assert (await other.call("GET", KEY, headers=headers)).told == (403, "SignatureDoesNotMatch")


LINKS: dict[str, tuple[dict[str, Any], tuple[int, str]]] = {
    "method": ({"sent": {"method": "PUT"}}, (403, "SignatureDoesNotMatch")),
    "key": ({"sent": {"key": "a/c.txt"}}, (403, "SignatureDoesNotMatch")),
    "longer life": ({"sent": {"query": {"x-oss-expires": "600"}}}, (403, "SignatureDoesNotMatch")),
    "added parameter": ({"sent": {"query": {"response-content-type": "text/html"}}}, (403, "SignatureDoesNotMatch")),
    "signature": ({"sent": {"query": {"x-oss-signature": "0" * 64}}}, (403, "SignatureDoesNotMatch")),
    "upper case": ({"sent": {"query": {"x-oss-signature": "A" * 64}}}, (403, "SignatureDoesNotMatch")),
    "no signature": ({"sent": {"query": {"x-oss-signature": None}}}, (400, "InvalidArgument")),
    "no version": ({"sent": {"query": {"x-oss-signature-version": None}}}, (400, "InvalidArgument")),
    "no expiry": ({"sent": {"query": {"x-oss-expires": None}}}, (400, "InvalidArgument")),
    "other version": ({"sent": {"query": {"x-oss-signature-version": "OSS2"}}}, (400, "InvalidArgument")),
    "other date": ({"sent": {"query": {"x-oss-date": "20260101T000000Z"}}}, (400, "InvalidArgument")),
    "token": ({"sent": {"query": {"x-oss-security-token": "t"}}}, (403, "InvalidSecurityToken")),
    "expired": ({"behind": 61}, (403, "AccessDenied")),
    "from the future": ({"behind": -HOUR}, (403, "RequestTimeTooSkewed")),
    "key id": ({"key_id": "LTAI-other"}, (403, "InvalidAccessKeyId")),
    "region": ({"region": "cn-shanghai"}, (400, "InvalidArgument")),
    "secret": ({"secret": "guessed"}, (403, "SignatureDoesNotMatch")),
}  # fmt: skip


@pytest.mark.parametrize(("change", "told"), LINKS.values(), ids=LINKS)
async def test_a_changed_link_is_refused(stranger: Stranger, change: dict[str, Any], told: tuple[int, str]) -> None:
    for key in (KEY, "a/c.txt"):
        await stranger.call("PUT", key, b"content")
    answer = await stranger.but(**change).read(KEY)

    assert answer.told == told
    assert b"content</" not in answer.body and answer.body != b"content"


async def test_an_expired_link_says_so(stranger: Stranger) -> None:
    await stranger.call("PUT", KEY, b"content")
    answer = await stranger.but(behind=61).read(KEY)
    error = ET.fromstring(answer.body)  # noqa: S314 - our own

    assert (error.findtext("Code"), error.findtext("Message")) == ("AccessDenied", "Request has expired.")
    assert error.findtext("Expires") and error.findtext("ServerTime")
    assert error.findtext("RequestId") == answer.headers["x-oss-request-id"]


@pytest.mark.parametrize("seconds", [0, WEEK + 1, 999_999_999])
async def test_a_link_lives_a_week_at_most(stranger: Stranger, seconds: int) -> None:
    assert (await stranger.read(KEY, seconds)).told == (400, "InvalidArgument")
    assert (await stranger.read(KEY, WEEK)).told == (404, "NoSuchKey")


async def test_a_parameter_twice_is_refused(stranger: Stranger) -> None:
    await stranger.call("PUT", KEY, b"content")
    url = stranger.link(KEY)
    for name in ("x-oss-expires=999", "x-oss-signature=" + "0" * 64, "response-content-type=text%2Fhtml"):
        assert (await stranger._send("GET", f"{url}&{name}", {}, b"")).status in {400, 403}


async def test_links_of_the_first_version_are_refused(bench: OssBench, stranger: Stranger) -> None:
    await stranger.call("PUT", KEY, b"content")
    text = f"GET\n\n\n9999999999\n/{bench.settings.bucket}/{KEY}"
    mac = hmac.new(stranger.secret.encode(), text.encode(), hashlib.sha1)
    query = f"Expires=9999999999&OSSAccessKeyId={stranger.key_id}&Signature={b64encode(mac.digest()).decode()}"
    url = f"{bench.url}/{bench.settings.bucket}/{KEY}?{query}"
    assert (await stranger._send("GET", url, {}, b"")).told == (403, "AccessDenied")


async def test_the_two_ways_do_not_mix(stranger: Stranger) -> None:
    await stranger.call("PUT", KEY, b"content")
    query = stranger.link(KEY).partition("?")[2]
    mixed = stranger.but(sent={"query": query})
    assert (await mixed.call("GET", KEY)).told == (400, "InvalidArgument")


async def test_what_the_sandbox_does_not_know_it_does_not_pretend(stranger: Stranger) -> None:
    await stranger.call("PUT", KEY, b"content")
    for method, query in (("GET", "acl"), ("PUT", "tagging"), ("POST", "uploads"), ("DELETE", "uploadId=1")):
        assert (await stranger.call(method, KEY, query=query)).told == (501, "NotImplemented")
    assert (await stranger.read(KEY)).body == b"content"


async def test_impossible_ranges(stranger: Stranger) -> None:
    """OSS answers one with the whole object, unless the request asks for the standard's behaviour."""
    await stranger.call("PUT", KEY, b"content")
    standard = {"range": "bytes=7-9", "x-oss-range-behavior": "standard"}
    plain = await stranger.call("GET", KEY, headers={"range": "bytes=7-9"})
    refused = await stranger.call("GET", KEY, headers=standard)

    assert (plain.status, plain.body) == (200, b"content")
    assert refused.told == (416, "InvalidRange")


async def test_an_algorithm_that_there_is_not(bench: OssBench, stranger: Stranger) -> None:
    answer = await stranger.call("PUT", KEY, b"x", {"x-oss-server-side-encryption": "ROT13"})
    assert answer.told == (400, "InvalidEncryptionAlgorithmError")
    assert await there(bench) == []
