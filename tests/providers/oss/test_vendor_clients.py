"""The vendor's own clients against the sandbox, and our links and forms against theirs."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import alibabacloud_oss_v2 as vendor
import alibabacloud_oss_v2.aio as vendor_aio
import pytest
from alibabacloud_oss_v2.signer import SignerV4
from alibabacloud_oss_v2.types import HttpRequest, SigningContext
from obstore import sign
from obstore.store import S3Store
from pydantic import SecretStr

from hutong.kernel.files.errors import StorageFailed, StorageFull
from hutong.kit.clock import ManualClock, SystemClock
from hutong.providers.oss.client import OssStorage, bucket_root
from hutong.providers.oss.errors import failure_of
from hutong.providers.oss.settings import SANDBOX_SECRET, OssSettings
from hutong.providers.s3.client import S3Storage
from hutong.providers.s3.settings import S3Settings
from support.buckets import OssBench, oss_bench

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AMAZON = S3Settings(
    endpoint="http://s3.local:9000", bucket="photos", access_key_id="AK", secret_access_key=SecretStr("s")
)


def config(bench: OssBench, **changes: Any) -> vendor.Config:
    chosen = bench.settings
    secret = changes.pop("secret", chosen.access_key_secret.get_secret_value())
    known = vendor.credentials.StaticCredentialsProvider(changes.pop("key_id", chosen.access_key_id), secret)
    usual = {"region": chosen.region, "endpoint": bench.url, "credentials_provider": known, "retry_max_attempts": 1}
    return vendor.Config(**{**usual, **changes})


@pytest.fixture
def client(bench: OssBench) -> vendor.Client:
    return vendor.Client(config(bench))


async def test_the_blocking_client(bench: OssBench, client: vendor.Client) -> None:
    """Write with its checksum, look, read, list in pages, follow its own link, delete."""
    bucket = bench.settings.bucket
    for number in range(5):
        request = vendor.PutObjectRequest(bucket, f"图/{number}.txt", body=b"x" * number, metadata={"n": str(number)})
        await asyncio.to_thread(client.put_object, request)
    head = await asyncio.to_thread(client.head_object, vendor.HeadObjectRequest(bucket, "图/3.txt"))
    got = await asyncio.to_thread(client.get_object, vendor.GetObjectRequest(bucket, "图/4.txt"))

    def listed() -> list[str]:
        pages = client.list_objects_v2_paginator(limit=2).iter_page(vendor.ListObjectsV2Request(bucket, prefix="图/"))
        return [item.key for page in pages for item in page.contents or ()]

    found = await asyncio.to_thread(listed)
    folders = await asyncio.to_thread(client.list_objects_v2, vendor.ListObjectsV2Request(bucket, delimiter="/"))
    removed = await asyncio.to_thread(client.delete_object, vendor.DeleteObjectRequest(bucket, "图/3.txt"))

    assert (head.content_length, head.metadata) == (3, {"n": "3"})
    assert got.body.content == b"xxxx"
    assert found == [f"图/{number}.txt" for number in range(5)]
    assert [each.prefix for each in folders.common_prefixes] == ["图/"]
    assert removed.status_code == 204
    assert await asyncio.to_thread(client.is_object_exist, bucket, "图/3.txt") is False


async def test_links_of_the_vendors_client(bench: OssBench, client: vendor.Client) -> None:
    bucket = bench.settings.bucket
    await bench.storage.put("a.txt", b"content", "text/plain")
    link = client.presign(vendor.GetObjectRequest(bucket, "a.txt"), expires=timedelta(minutes=5))
    write = client.presign(vendor.PutObjectRequest(bucket, "b.txt", content_type="text/plain"))
    from support.http import http_client

    async with http_client() as http:
        async with http.get(link.url) as answer:
            assert await answer.read() == b"content"
        async with http.put(write.url, data=b"x", headers={"Content-Type": "text/html"}) as answer:
            assert answer.status == 403
        async with http.put(write.url, data=b"x", headers=dict(write.signed_headers)) as answer:
            assert answer.status == 200
    # Whose link it is, its signature says: the same key signed it.
    own = bench.storage.key_of(link.url)
    assert own is None or own.key == "a.txt"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"secret": "guessed"}, "SignatureDoesNotMatch"),
        ({"key_id": "LTAI-other"}, "InvalidAccessKeyId"),
        ({"region": "cn-hangzhou"}, "InvalidArgument"),
        ({"signature_version": "v1"}, "AccessDenied"),
    ],
)
async def test_both_clients_are_refused_alike(bench: OssBench, changes: dict[str, Any], code: str) -> None:
    request = vendor.PutObjectRequest(bench.settings.bucket, "a.txt", body=b"x")
    with pytest.raises(vendor.exceptions.OperationError) as refused:
        await asyncio.to_thread(vendor.Client(config(bench, **changes)).put_object, request)
    assert refused.value.unwrap().code == code
    async with vendor_aio.AsyncClient(config(bench, **changes)) as client:
        with pytest.raises(vendor.exceptions.OperationError) as refused:
            await client.put_object(request)
        assert refused.value.unwrap().code == code
        with pytest.raises(vendor.exceptions.OperationError) as refused:  # a HEAD tells it in a header
            await client.head_object(vendor.HeadObjectRequest(bench.settings.bucket, "a.txt"))
        assert refused.value.unwrap().code == code
    assert list(await bench.storage.list("")) == []


async def test_a_temporary_key_needs_its_token(tmp_path: Path) -> None:
    async with oss_bench(tmp_path, SystemClock(), security_token=SecretStr("the-token")) as bench:
        await bench.storage.put("a.txt", b"x", "text/plain")
        assert await bench.storage.get("a.txt") == b"x"
        found = bench.storage.key_of(bench.storage.link("a.txt", seconds=60))
        assert found is not None and found.key == "a.txt"
        other = OssStorage(
            bench.settings.model_copy(update={"security_token": SecretStr("x")}), bench.url, SystemClock()
        )
        with pytest.raises(StorageFailed):
            await other.get("a.txt")
        await other.close()


def test_our_links_are_the_vendors(tmp_path: Path) -> None:
    """The SDK's own signer, given the same moment, writes the same signature."""
    clock = ManualClock(NOW)
    settings = OssSettings(endpoint="https://oss-cn-beijing.aliyuncs.com", bucket="photos", prefix="prod/")
    ours = OssStorage(settings, settings.endpoint, clock).link("a/b.jpg", seconds=60)
    context = SigningContext(
        product="oss",
        region="cn-beijing",
        bucket="photos",
        key="prod/a/b.jpg",
        request=HttpRequest("GET", "https://photos.oss-cn-beijing.aliyuncs.com/prod/a/b.jpg"),
        credentials=vendor.credentials.Credentials(settings.access_key_id, SANDBOX_SECRET),
        signing_time=NOW,
    )
    context.expiration_time = NOW + timedelta(seconds=60)
    context.auth_method_query = True
    SignerV4().sign(context)
    theirs = context.request.url

    assert ours.partition("?")[0] == theirs.partition("?")[0]
    assert dict(parse_qsl(urlsplit(ours).query)) == dict(parse_qsl(urlsplit(theirs).query))


def test_our_links_are_amazons() -> None:
    """obstore's signer and ours agree on the same moment."""
    config: Any = {"access_key_id": "AK", "secret_access_key": "s", "region": "us-east-1", "endpoint": AMAZON.endpoint}
    store = S3Store("photos", config=config, client_options={"allow_http": True})
    for _ in range(3):  # the second may turn in between
        theirs = sign(store, "GET", "a/b.jpg", timedelta(seconds=60))
        stated = dict(parse_qsl(urlsplit(theirs).query))
        moment = datetime.strptime(stated["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        ours = S3Storage(AMAZON, ManualClock(moment)).link("a/b.jpg", seconds=60)
        assert ours.partition("?")[0] == theirs.partition("?")[0]
        assert dict(parse_qsl(urlsplit(ours).query)) == stated


@pytest.mark.parametrize(
    ("endpoint", "options", "root"),
    [
        ("https://oss-cn-beijing.aliyuncs.com", {}, "https://photos.oss-cn-beijing.aliyuncs.com/"),
        ("https://img.example.com", {"cname": True}, "https://img.example.com/"),
        ("http://127.0.0.1:8000", {}, "http://127.0.0.1:8000/photos/"),
        ("http://localhost:8000", {"path_style": True}, "http://localhost:8000/photos/"),
    ],
)
def test_where_clients_reach_a_bucket(endpoint: str, options: dict[str, bool], root: str) -> None:
    assert bucket_root(endpoint, "photos", **{"cname": False, "path_style": False, **options}) == root


def test_servers_and_clients_may_use_different_endpoints() -> None:
    settings = OssSettings(
        endpoint="https://oss-cn-beijing-internal.aliyuncs.com", public_endpoint="https://oss-cn-beijing.aliyuncs.com"
    )
    link = OssStorage(settings, settings.endpoint, ManualClock(NOW)).link("a.jpg", seconds=60)
    assert link.startswith("https://hutong-sandbox.oss-cn-beijing.aliyuncs.com/a.jpg?")


def test_what_the_vendor_says_becomes_the_ports_errors() -> None:
    assert isinstance(failure_of(507, ""), StorageFull) and isinstance(failure_of(403, "QuotaExceeded"), StorageFull)
    assert failure_of(404, "NoSuchKey").code == "files.missing"
    assert failure_of(404, "NoSuchBucket").code == "files.storage_failed"
    assert failure_of(403, "InvalidAccessKeyId").code == "files.storage_failed"
    assert failure_of(503, "ServiceBusy").retry_after == 2


async def test_nobody_listens(tmp_path: Path) -> None:
    """A bucket that cannot be reached is a StorageFailed, soon, and then at once."""
    settings = OssSettings(endpoint="http://127.0.0.1:9", attempts=1)
    storage = OssStorage(settings, settings.endpoint, SystemClock())
    for _ in range(12):
        with pytest.raises(StorageFailed):
            await storage.put("a.txt", b"x", "text/plain")
    with pytest.raises(StorageFailed):
        await storage.ping()
    await storage.close()
