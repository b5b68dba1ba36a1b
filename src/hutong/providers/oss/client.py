"""`Storage` in a bucket of Aliyun OSS, through the vendor's asynchronous client.

Every request carries a V4 signature. Links and upload forms are signed here and touch no network; whoever changes one
gets OSS's own refusal, in XML. Source: Aliyun OSS API reference (PutObject, GetObject, PostObject, V4 signature).
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from alibabacloud_oss_v2 import exceptions, models
from alibabacloud_oss_v2.aio import AsyncClient
from alibabacloud_oss_v2.config import Config
from alibabacloud_oss_v2.credentials import StaticCredentialsProvider
from alibabacloud_oss_v2.endpoints import is_ip
from alibabacloud_oss_v2.retry import StandardRetryer

from hutong.kernel.files.errors import ObjectMissing, RangeUnsatisfiable, StorageFailed
from hutong.kernel.files.keys import BYTES, check_key, check_type, check_upload_types, content_type_of
from hutong.kernel.files.ports import ObjectFacts, ObjectReader, OwnLink, UploadForm
from hutong.kernel.files.remote import RemoteCalls
from hutong.kernel.files.v4 import Account, BucketSigner, FormRules, Place, Spelling
from hutong.kit.clock import Clock
from hutong.kit.errors import HutongError
from hutong.providers.oss.errors import failure_of
from hutong.providers.oss.settings import OssSettings

CHUNK = 256 * 1024
LONGEST_PAUSE = 2.0
SSE = "x-oss-server-side-encryption"
SPELLING = Spelling(
    algorithm="OSS4-HMAC-SHA256",
    secret_prefix="aliyun_v4",  # noqa: S106 - part of the scheme
    service="oss",
    terminator="aliyun_v4_request",
    query="x-oss-",
    algorithm_name="signature-version",
    signs_host=False,
    signs_bucket=True,
)


class OssStorage:
    """`Storage` over one bucket. `close` it.

    Args:
        settings: account and bucket.
        endpoint: URL that this process calls; its path, if it has one, stands in front of the bucket's.
        clock: for the end of links and forms.
    """

    def __init__(self, settings: OssSettings, endpoint: str, clock: Clock) -> None:
        self._settings = settings
        self._bucket, self._prefix = settings.bucket, settings.prefix
        self._clock = clock
        self._client = _client(settings, endpoint)
        self._calls = RemoteCalls("oss", settings.timeout, translate)
        shown = settings.public_endpoint or endpoint
        root = bucket_root(shown, settings.bucket, cname=settings.cname, path_style=settings.sandboxed)
        token = settings.security_token.get_secret_value() if settings.security_token else ""
        account = Account(settings.access_key_id, settings.access_key_secret.get_secret_value(), token)
        self._signer = BucketSigner(SPELLING, account, Place(settings.region, settings.bucket, root, settings.prefix))

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """See `Storage.put`."""
        check_type(key, content_type)
        await self._put(key, data, len(data))

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """See `Storage.put_file`."""
        check_type(key, content_type)
        with path.open("rb") as file:
            await self._put(key, file, os.fstat(file.fileno()).st_size)

    async def get(self, key: str) -> bytes:
        """See `Storage.get`."""
        async with self._calls.call("get"):
            found = await self._client.get_object(models.GetObjectRequest(self._bucket, self._name(key)))
            return bytes(found.body.content)

    @asynccontextmanager
    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[ObjectReader]:
        """See `Storage.open`."""
        async with AsyncExitStack() as stack:
            yield await self._opened(stack, key, start, end)

    async def head(self, key: str) -> ObjectFacts:
        """See `Storage.head`."""
        async with self._calls.call("head"):
            found = await self._client.head_object(models.HeadObjectRequest(self._bucket, self._name(key)))
            return _facts(found, int(found.content_length))

    async def remove(self, key: str) -> bool:
        """See `Storage.remove`. OSS does not say whether there was one, so it is asked before."""
        try:
            await self.head(key)
        except ObjectMissing:
            return False
        async with self._calls.call("remove"):
            await self._client.delete_object(models.DeleteObjectRequest(self._bucket, self._name(key)))
        return True

    async def list(self, prefix: str, after: str | None = None, limit: int = 1000) -> Sequence[str]:
        """See `Storage.list`."""
        found: list[str] = []
        start = None if after is None else self._prefix + after
        while len(found) < limit:
            async with self._calls.call("list"):
                page = await self._client.list_objects_v2(
                    models.ListObjectsV2Request(
                        self._bucket,
                        prefix=self._prefix + prefix,
                        start_after=start,
                        max_keys=min(1000, limit - len(found)),
                    )
                )
            found += [item.key.removeprefix(self._prefix) for item in page.contents or ()]
            if not page.is_truncated or not page.contents:
                break
            start = page.contents[-1].key
        return tuple(found)

    def link(self, key: str, *, seconds: int, filename: str | None = None) -> str:
        """See `Storage.link`; a presigned GET."""
        return self._signer.link(key, self._clock.now(), seconds, filename)

    def key_of(self, url: str) -> OwnLink | None:
        """See `Storage.key_of`; links that another access key signed are not recognised."""
        stated = self._signer.read(url)
        return None if stated is None else OwnLink(stated.key, expired=stated.expires_at <= self._clock.now())

    def upload_form(self, key: str, *, content_types: Sequence[str], max_bytes: int, seconds: int) -> UploadForm:
        """See `Storage.upload_form`; a POST policy. The object's type is that of the key, whatever the client declares."""
        allowed = check_upload_types(key, content_types)
        # The type that a browser writes beside the file outranks the field Content-Type, this one outranks both.
        fields = {"x-oss-content-type": content_type_of(key), "success_action_status": "204"}
        if self._settings.encryption:
            fields[SSE] = self._settings.encryption
        declared = {"Content-Type": allowed[0]} if len(allowed) == 1 else {}
        rules = FormRules({**declared, **fields}, [["in", "$content-type", list(allowed)]], max_bytes)
        return self._signer.form(key, self._clock.now(), seconds, rules)

    async def ping(self) -> None:
        """One cheap call that needs the bucket, the key and the clock to be right.

        Raises:
            StorageFailed.
        """
        async with self._calls.call("ping"):
            await self._client.list_objects_v2(models.ListObjectsV2Request(self._bucket, prefix="ping/", max_keys=1))

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.close()

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    async def _put(self, key: str, body: bytes | BufferedReader, size: int) -> None:
        request = models.PutObjectRequest(
            self._bucket,
            self._name(key),
            body=body,
            content_length=size,
            content_type=content_type_of(key),
            server_side_encryption=self._settings.encryption or None,
        )
        async with self._calls.call("put"):
            await self._client.put_object(request)

    async def _opened(self, stack: AsyncExitStack, key: str, start: int, end: int | None) -> ObjectReader:
        name = self._name(key)
        if start < 0 or (end is not None and end <= start):
            return await self._nothing(key, start)
        span = None if start == 0 and end is None else f"bytes={start}-{'' if end is None else end - 1}"
        # Without `standard`, OSS answers an impossible range with the whole object.
        behaviour = None if span is None else "standard"
        request = models.GetObjectRequest(self._bucket, name, range_header=span, range_behavior=behaviour)
        try:
            async with self._calls.call("open"):
                found = await self._client.get_object_as_stream(request)
        except RangeUnsatisfiable:
            return await self._nothing(key, start)
        length = int(found.content_length)
        size = length if span is None else int(str(found.content_range).rpartition("/")[2])
        stack.push_async_callback(found.body.close)
        chunks = await stack.enter_async_context(aclosing(self._chunks(found.body)))
        return ObjectReader(_facts(found, size), start, start + length, chunks)

    async def _nothing(self, key: str, start: int) -> ObjectReader:
        """No byte lies in the range; only an empty object may be read so, from its beginning."""
        facts = await self.head(key)
        if start != 0 or facts.size != 0:
            raise RangeUnsatisfiable(details={"size": facts.size})
        return ObjectReader(facts, 0, 0, _no_chunks())

    async def _chunks(self, body: Any) -> AsyncGenerator[bytes]:
        """The bytes as they come; a broken connection is resumed by the vendor's client, for a while."""
        async with self._calls.call("read", limited=False):
            chunks = await body.iter_bytes(block_size=CHUNK)
            while True:
                async with asyncio.timeout(self._settings.timeout):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                yield bytes(chunk)


def bucket_root(endpoint: str, bucket: str, *, cname: bool, path_style: bool) -> str:
    """The URL in front of object names: the bucket's own host, or, on an address, a folder of the endpoint's."""
    parts = urlsplit(endpoint)
    if cname:
        return f"{parts.scheme}://{parts.netloc}/"
    if path_style or is_ip(parts.netloc):
        return f"{parts.scheme}://{parts.netloc}/{bucket}/"
    return f"{parts.scheme}://{bucket}.{parts.netloc}/"


def translate(error: Exception) -> HutongError | None:
    """The port's error for one of the vendor's library; None when it is not the vendor's."""
    while isinstance(error, exceptions.OperationError):
        error = error.unwrap()
    if isinstance(error, exceptions.ServiceError):
        return failure_of(int(error.status_code), str(error.code or ""))
    if isinstance(error, exceptions.BaseError | OSError | aiohttp.ClientError):
        return StorageFailed(f"OSS cannot be reached ({type(error).__name__}).", retry_after=5)
    return None


def _client(settings: OssSettings, endpoint: str) -> AsyncClient:
    token = settings.security_token.get_secret_value() if settings.security_token else None
    secret = settings.access_key_secret.get_secret_value()
    return AsyncClient(
        Config(
            region=settings.region,
            endpoint=endpoint,
            signature_version="v4",
            credentials_provider=StaticCredentialsProvider(settings.access_key_id, secret, token),
            connect_timeout=settings.connect_seconds,
            readwrite_timeout=settings.timeout,
            retryer=StandardRetryer(settings.attempts, max_backoff=LONGEST_PAUSE),
            use_path_style=settings.sandboxed or None,
        )
    )


def _facts(found: Any, size: int) -> ObjectFacts:
    modified = found.last_modified
    return ObjectFacts(
        size=size,
        content_type=str(found.content_type or BYTES),
        modified_at=modified.astimezone(UTC) if modified else datetime.fromtimestamp(0, UTC),
        etag=str(found.etag or "").strip('"'),
    )


async def _no_chunks() -> AsyncGenerator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for chunk in nothing:
        yield chunk
