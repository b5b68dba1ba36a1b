"""`Storage` in a bucket of S3 or of what speaks its protocol, through obstore.

obstore signs and sends every call; links and upload forms are signed here, for it knows no POST policy and no name for a
download. Sources: Amazon S3 "Authenticating Requests (SigV4)", "POST Policy"; obstore's reference.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from obstore.store import S3Store

from hutong.kernel.files.errors import ObjectMissing, RangeUnsatisfiable
from hutong.kernel.files.keys import BYTES, check_key, check_type, check_upload_types
from hutong.kernel.files.ports import ObjectFacts, ObjectReader, OwnLink, UploadForm
from hutong.kernel.files.remote import RemoteCalls
from hutong.kernel.files.v4 import Account, BucketSigner, FormRules, Place, Spelling
from hutong.kit.clock import Clock
from hutong.providers.s3.errors import translate
from hutong.providers.s3.settings import S3Settings

CHUNK = 256 * 1024
PAGE = 1000
SSE = "x-amz-server-side-encryption"
SPELLING = Spelling(
    algorithm="AWS4-HMAC-SHA256",
    secret_prefix="AWS4",  # noqa: S106 - part of the scheme
    service="s3",
    terminator="aws4_request",
    query="X-Amz-",
    algorithm_name="Algorithm",
    signs_host=True,
    signs_bucket=False,
)


class S3Storage:
    """`Storage` over one bucket.

    Args:
        settings: account and bucket.
        clock: for the end of links and forms.
    """

    def __init__(self, settings: S3Settings, clock: Clock) -> None:
        self._settings = settings
        self._prefix = settings.prefix
        self._clock = clock
        self._store = _store(settings)
        self._calls = RemoteCalls("s3", settings.timeout, translate)
        token = settings.session_token.get_secret_value() if settings.session_token else ""
        account = Account(settings.access_key_id, settings.secret_access_key.get_secret_value(), token)
        place = Place(settings.region, settings.bucket, bucket_root(settings), settings.prefix)
        self._signer = BucketSigner(SPELLING, account, place)

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """See `Storage.put`."""
        check_type(key, content_type)
        async with self._calls.call("put"):
            await self._store.put_async(self._name(key), data, attributes={"Content-Type": content_type})

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """See `Storage.put_file`; large files go in parts, of which nothing shows until the last one is there."""
        check_type(key, content_type)
        async with self._calls.call("put"):
            await self._store.put_async(self._name(key), path, attributes={"Content-Type": content_type})

    async def get(self, key: str) -> bytes:
        """See `Storage.get`."""
        async with self._calls.call("get"):
            found = await self._store.get_async(self._name(key))
            return bytes(await found.bytes_async())

    @asynccontextmanager
    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[ObjectReader]:
        """See `Storage.open`. A range is checked before: what a service says to an impossible one differs."""
        facts = await self.head(key)
        stop = facts.size if end is None else min(end, facts.size)
        if not 0 <= start < stop and not (start == facts.size == 0):
            raise RangeUnsatisfiable(details={"size": facts.size})
        async with aclosing(self._chunks(self._name(key), start, stop)) as chunks:
            yield ObjectReader(facts, start, stop, chunks)

    async def head(self, key: str) -> ObjectFacts:
        """See `Storage.head`."""
        async with self._calls.call("head"):
            # A GET of nothing: obstore's own HEAD does not tell the type.
            found = await self._store.get_async(self._name(key), options={"head": True})
            return _facts(found)

    async def remove(self, key: str) -> bool:
        """See `Storage.remove`. S3 does not say whether there was one, so it is asked before."""
        try:
            await self.head(key)
        except ObjectMissing:
            return False
        async with self._calls.call("remove"):
            await self._store.delete_async(self._name(key))
        return True

    async def list(self, prefix: str, after: str | None = None, limit: int = 1000) -> Sequence[str]:
        """See `Storage.list`. obstore lists whole folders; what stands beside the prefix in its folder is left out here."""
        wanted = self._prefix + prefix
        folder = wanted.rpartition("/")[0] or None
        offset = None if after is None else self._prefix + after
        found: list[str] = []
        async with self._calls.call("list"):
            pages = self._store.list(folder, offset=offset, chunk_size=min(PAGE, max(limit, 50)))
            async for page in pages:
                names = [str(item["path"]) for item in page]
                found += [name.removeprefix(self._prefix) for name in names if name.startswith(wanted)]
                if len(found) >= limit or (names and names[-1] > wanted and not names[-1].startswith(wanted)):
                    break
        return tuple(found[:limit])

    def link(self, key: str, *, seconds: int, filename: str | None = None) -> str:
        """See `Storage.link`; a presigned GET."""
        return self._signer.link(key, self._clock.now(), seconds, filename)

    def key_of(self, url: str) -> OwnLink | None:
        """See `Storage.key_of`; links that another access key signed are not recognised."""
        stated = self._signer.read(url)
        return None if stated is None else OwnLink(stated.key, expired=stated.expires_at <= self._clock.now())

    def upload_form(self, key: str, *, content_types: Sequence[str], max_bytes: int, seconds: int) -> UploadForm:
        """See `Storage.upload_form`; a POST policy. It knows no list of types: several are only held to what they begin with."""
        allowed = check_upload_types(key, content_types)
        fields = {"success_action_status": "204"}
        if self._settings.encryption:
            fields[SSE] = self._settings.encryption
        if len(allowed) == 1:
            rules = FormRules({"Content-Type": allowed[0], **fields}, [], max_bytes)
        else:
            rules = FormRules(fields, [["starts-with", "$Content-Type", _common(allowed)]], max_bytes)
        return self._signer.form(key, self._clock.now(), seconds, rules)

    async def ping(self) -> None:
        """One cheap call that needs the bucket, the key and the clock to be right.

        Raises:
            StorageFailed.
        """
        async with self._calls.call("ping"):
            async for _ in self._store.list("ping", chunk_size=1):
                break

    async def close(self) -> None:
        """Nothing: obstore's connections end with the process."""

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    async def _chunks(self, name: str, start: int, stop: int) -> AsyncGenerator[bytes]:
        if start == stop:
            return
        async with self._calls.call("read", limited=False):
            found = await self._store.get_async(name, options={"range": (start, stop)})
            async for chunk in found.stream(min_chunk_size=CHUNK):
                yield bytes(chunk)


def bucket_root(settings: S3Settings) -> str:
    """The URL in front of object names, as clients reach it."""
    parts = urlsplit(settings.public_endpoint or settings.url)
    base = parts.path.rstrip("/")
    if settings.path_style:
        return f"{parts.scheme}://{parts.netloc}{base}/{settings.bucket}/"
    return f"{parts.scheme}://{settings.bucket}.{parts.netloc}{base}/"


def _common(allowed: Sequence[str]) -> str:
    """What all types begin with."""
    first, last = min(allowed), max(allowed)
    return next((first[:at] for at in range(len(first), 0, -1) if last.startswith(first[:at])), "")


def _store(settings: S3Settings) -> S3Store:
    parts = urlsplit(settings.url)
    endpoint = settings.url if settings.path_style else f"{parts.scheme}://{settings.bucket}.{parts.netloc}"
    options: Any = {
        "access_key_id": settings.access_key_id,
        "secret_access_key": settings.secret_access_key.get_secret_value(),
        "region": settings.region,
        "endpoint": endpoint,
        "virtual_hosted_style_request": not settings.path_style,
    }
    if settings.session_token:
        options["session_token"] = settings.session_token.get_secret_value()
    if settings.encryption:
        options["server_side_encryption"] = settings.encryption
    return S3Store(
        settings.bucket,
        config=options,
        client_options={
            "allow_http": parts.scheme == "http",
            "connect_timeout": timedelta(seconds=settings.connect_seconds),
            "timeout": timedelta(seconds=settings.timeout),
        },
        retry_config={
            "max_retries": settings.attempts - 1,
            "retry_timeout": timedelta(seconds=settings.timeout),
            "backoff": {
                "init_backoff": timedelta(seconds=0.2),
                "max_backoff": timedelta(seconds=2),
                "base": 2,
            },
        },
    )


def _facts(found: Any) -> ObjectFacts:
    meta = found.meta
    return ObjectFacts(
        size=int(meta["size"]),
        content_type=str(found.attributes.get("Content-Type", BYTES)),
        modified_at=meta["last_modified"].astimezone(UTC),
        etag=str(meta["e_tag"] or "").strip('"'),
    )
