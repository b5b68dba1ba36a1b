"""The sandbox verifies upload forms: signature, time, and each condition of the policy; what is refused leaves nothing."""

import base64
import json
from typing import Any

import pytest

from providers.oss.stranger import Stranger
from support.buckets import OssBench

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
OTHER = base64.b64encode(
    json.dumps({"expiration": "2099-01-01T00:00:00.000Z", "conditions": [{"bucket": "b"}]}).encode()
)


async def there(bench: OssBench) -> list[str]:
    return list(await bench.storage.list(""))


async def test_a_right_form_is_carried_out(bench: OssBench, stranger: Stranger) -> None:
    answer = await stranger.post("in/a.png", PNG)
    assert answer.status == 204 and answer.headers["ETag"]
    assert await bench.storage.get("in/a.png") == PNG


async def test_the_status_that_the_form_wishes(stranger: Stranger) -> None:
    for wish, status in (("200", 200), ("201", 201), ("204", 204), ("999", 204)):
        wished = stranger.but(sent={"fields": {"success_action_status": wish}})
        assert (await wished.post("in/a.png", PNG)).status == status


CHANGED: dict[str, tuple[dict[str, Any], tuple[int, str]]] = {
    "policy": ({"sent": {"fields": {"policy": OTHER.decode()}}}, (403, "SignatureDoesNotMatch")),
    "signature": ({"sent": {"fields": {"x-oss-signature": "0" * 64}}}, (403, "SignatureDoesNotMatch")),
    "no signature": ({"sent": {"fields": {"x-oss-signature": None}}}, (400, "MissingArgument")),
    "no policy": ({"sent": {"fields": {"policy": None}}}, (403, "AccessDenied")),
    "no date": ({"sent": {"fields": {"x-oss-date": None}}}, (400, "MissingArgument")),
    "no credential": ({"sent": {"fields": {"x-oss-credential": None}}}, (400, "MissingArgument")),
    "no version": ({"sent": {"fields": {"x-oss-signature-version": None}}}, (400, "MissingArgument")),
    "V1": (
        {"sent": {"fields": {"x-oss-signature-version": None, "OSSAccessKeyId": "LTAI-sandbox", "Signature": "x"}}},
        (403, "AccessDenied"),
    ),
    "no key": ({"sent": {"fields": {"key": None}}}, (403, "AccessDenied")),
    "other key": ({"sent": {"fields": {"key": "out/a.png"}}}, (403, "AccessDenied")),
    "other type": ({"sent": {"fields": {"Content-Type": "text/html"}}}, (403, "AccessDenied")),
    "key id": ({"key_id": "LTAI-other"}, (403, "InvalidAccessKeyId")),
    "region": ({"region": "cn-hangzhou"}, (400, "InvalidArgument")),
    "secret": ({"secret": "guessed"}, (403, "SignatureDoesNotMatch")),
    "credential's day": ({"day": "20260101"}, (400, "InvalidArgument")),
    "expired": ({"behind": 61}, (403, "AccessDenied")),
    "from the future": ({"behind": -3600}, (403, "RequestTimeTooSkewed")),
}


@pytest.mark.parametrize(("change", "told"), CHANGED.values(), ids=CHANGED)
async def test_a_changed_form_is_refused(
    bench: OssBench, stranger: Stranger, change: dict[str, Any], told: tuple[int, str]
) -> None:
    assert (await stranger.but(**change).post("in/a.png", PNG)).told == told
    assert await there(bench) == []


async def test_sizes(bench: OssBench, stranger: Stranger) -> None:
    """One byte too many, as many as a socket holds, and none."""
    assert (await stranger.post("in/a.png", b"x" * 1001)).told == (400, "EntityTooLarge")
    assert (await stranger.post("in/a.png", b"x" * 3_000_000)).told == (400, "EntityTooLarge")
    assert (await stranger.post("in/a.png", b"")).told == (400, "EntityTooSmall")
    assert (await stranger.post("in/a.png", b"x" * 1000)).status == 204
    assert await there(bench) == ["in/a.png"]


POLICIES: dict[str, dict[str, Any]] = {
    "no expiration": {"expiration": None},
    "an expiration that is none": {"expiration": "tomorrow"},
    "no conditions": {"conditions": []},
    "conditions that are none": {"conditions": 123},
    "a condition that is none": {"conditions": [123]},
    "a condition with too much": {"conditions": [["starts-with", "$key", "in/", "more"]]},
    "an unknown test": {"conditions": [["like", "$key", "in/"]]},
    "a range backwards": {"conditions": [["content-length-range", 10, 1]]},
    "something else": {"test": "test"},
}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
async def test_a_policy_that_is_none(bench: OssBench, stranger: Stranger, policy: dict[str, Any]) -> None:
    assert (await stranger.post("in/a.png", PNG, policy)).told == (400, "InvalidPolicyDocument")
    assert await there(bench) == []


async def test_the_policy_repeats_what_signs_it(stranger: Stranger) -> None:
    """Without that, the signature of one day, key or bucket would pass for another's."""
    loose = {"conditions": [["starts-with", "$key", ""]]}
    assert (await stranger.post("in/a.png", PNG, loose)).told == (403, "AccessDenied")


async def test_a_week_after_its_date_a_form_is_over(stranger: Stranger) -> None:
    late = stranger.but(behind=8 * 24 * 3600)
    assert (await late.post("in/a.png", PNG, {"expiration": "2099-01-01T00:00:00.000Z"})).told == (403, "AccessDenied")


async def test_the_failed_condition_is_named(stranger: Stranger) -> None:
    answer = await stranger.but(sent={"fields": {"key": "out/a.png"}}).post("in/a.png", PNG)
    assert b'Policy Condition failed: ["starts-with","$key","in/"]' in answer.body
    assert answer.headers["x-oss-ec"] == "0006-00000227"


async def test_our_own_form_pins_type_and_encryption(bench: OssBench, stranger: Stranger) -> None:
    """A browser's type beside the file outranks the field; ours outranks both."""
    form = bench.storage.upload_form("in/a.png", content_types=["image/png"], max_bytes=1000, seconds=60)
    for name, value in (("x-oss-content-type", "text/html"), ("x-oss-server-side-encryption", ""), ("key", "in/b.png")):
        changed = {**form.fields, name: value}
        assert (await send(stranger, form.url, changed)) == 403
    assert await send(stranger, form.url, form.fields) == 204
    facts = await stranger.call("HEAD", "in/a.png")
    assert facts.headers["Content-Type"] == "image/png"
    assert facts.headers["x-oss-server-side-encryption"] == "AES256"


async def send(stranger: Stranger, url: str, fields: Any) -> int:
    import aiohttp

    data = aiohttp.FormData()
    for name, value in fields.items():
        data.add_field(name, value)
    data.add_field("file", PNG, filename="x.html", content_type="text/html")
    async with stranger.client.post(url, data=data) as answer:
        return answer.status


async def test_no_form_at_all(bench: OssBench, stranger: Stranger) -> None:
    url = f"{bench.url}/{bench.settings.bucket}/"
    for data, kind in ((b"x", "text/plain"), (b"x", "multipart/form-data; boundary=b"), (b"", "multipart/form-data")):
        async with stranger.client.post(url, data=data, headers={"Content-Type": kind}) as answer:
            assert answer.status == 400
