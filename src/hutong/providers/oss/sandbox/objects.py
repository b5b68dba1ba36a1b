"""The calls on objects and the listing, once they were let in."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from io import FileIO
from typing import Literal
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hutong.kit.clock import epoch_ms, iso_z
from hutong.providers.oss.sandbox import bucket
from hutong.providers.oss.sandbox.answers import OssRefusal, document, elements
from hutong.providers.oss.sandbox.bucket import Arriving, Stored
from hutong.providers.oss.sandbox.ranges import Part, part_of
from hutong.providers.oss.sandbox.settings import OssSandboxSettings
from hutong.providers.oss.sandbox.signatures import Wire
from hutong.sandbox.state import State

CHUNK = 256 * 1024
SSE, SSE_KEY = "x-oss-server-side-encryption", "x-oss-server-side-encryption-key-id"
KEPT = "cache-control", "content-disposition", "content-encoding", "expires", SSE, SSE_KEY
SHOWN_INSTEAD = {
    f"response-{name}": name
    for name in (
        "content-type",
        "content-disposition",
        "content-encoding",
        "content-language",
        "cache-control",
        "expires",
    )
}


class Objects:
    """The bucket behind PutObject, GetObject, HeadObject, DeleteObject and ListObjects."""

    def __init__(self, settings: OssSandboxSettings, state: State) -> None:
        self._settings = settings
        self._state = state

    async def put(self, request: Request, wire: Wire) -> Response:
        """PutObject: whole or not at all."""
        check_name(wire.key)
        headers = kept_headers(dict(reversed(wire.headers)))
        wanted = _digest(wire.header("content-md5"))
        with Arriving(self._settings.contents) as arriving:
            await self.receive(request, arriving)
            if wanted is not None and wanted != arriving.md5:
                raise OssRefusal("BadDigest")
            stored = arriving.stored(
                wire.key, wire.header("content-type") or "application/octet-stream", headers, self._now()
            )
            await self.keep(arriving, stored, new_only=wire.header("x-oss-forbid-overwrite") == "true")
        return Response(headers=written_headers(stored))

    async def receive(self, request: Request, arriving: Arriving) -> None:
        """Write a body down.

        Raises:
            OssRefusal: EntityTooLarge.
        """
        async for chunk in request.stream():
            if arriving.size + len(chunk) > self._settings.largest:
                raise OssRefusal("EntityTooLarge")
            if chunk:
                await asyncio.to_thread(arriving.write, chunk)

    async def keep(self, arriving: Arriving, stored: Stored, *, new_only: bool = False) -> None:
        """Make an object appear.

        Raises:
            OssRefusal: FileAlreadyExists, if there is one and `new_only`.
        """
        if new_only and await self._state.read(bucket.find, stored.key) is not None:
            raise OssRefusal("FileAlreadyExists")
        old = await self._state.write(bucket.keep, stored)
        arriving.kept = True
        if old is not None:
            await asyncio.to_thread(bucket.erase, self._settings.contents, [old])

    async def get(self, wire: Wire, *, linked: bool) -> Response:
        """GetObject; `linked` if the request was signed in its query."""
        stored = await self._find(wire.key)
        if linked and stored.link_dead:
            raise OssRefusal("AccessDenied", "Request has expired.")
        if (unchanged := _conditions(wire, stored)) is not None:
            return unchanged
        headers = facts_of(stored) | _overrides(wire)
        part = part_of(wire.header("range"), stored.size, standard=wire.header("x-oss-range-behavior") == "standard")
        headers["Content-Length"] = str(part.end - part.start)
        if part.partial:
            headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{stored.size}"
        try:
            file = FileIO(self._settings.contents / stored.file, "rb")
        except FileNotFoundError:  # replaced or removed a moment ago
            raise OssRefusal("NoSuchKey", facts={"Key": wire.key}) from None
        end = BackgroundTask(file.close)
        return StreamingResponse(_pieces(file, part), 206 if part.partial else 200, headers, background=end)

    async def head(self, wire: Wire) -> Response:
        """HeadObject and GetObjectMeta."""
        stored = await self._find(wire.key)
        unchanged = _conditions(wire, stored)
        return unchanged or Response(headers={**facts_of(stored), "Content-Length": str(stored.size)})

    async def remove(self, wire: Wire) -> Response:
        """DeleteObject: 204, whether there was one or not."""
        check_name(wire.key)
        file = await self._state.write(bucket.drop, wire.key)
        if file is not None:
            await asyncio.to_thread(bucket.erase, self._settings.contents, [file])
        return Response(status_code=204)

    async def listing(self, wire: Wire) -> Response:
        """ListObjects and ListObjectsV2, with prefix, delimiter and pages."""
        given = dict(wire.parameters())
        prefix, delimiter = given.get("prefix", ""), given.get("delimiter", "")
        most = _count(given.get("max-keys", "100"))
        found, folders, more = await self._page(prefix, delimiter, _after(given), most)
        spelled = quote if given.get("encoding-type") == "url" else str
        facts: dict[str, str | int] = {
            "Name": wire.bucket,
            "Prefix": spelled(prefix),
            "StartAfter" if _second(given) else "Marker": spelled(given.get("start-after", given.get("marker", ""))),
            "MaxKeys": most,
            "Delimiter": spelled(delimiter),
            **({"EncodingType": "url"} if spelled is quote else {}),
            "IsTruncated": str(more).lower(),
            **({"KeyCount": len(found) + len(folders)} if _second(given) else {}),
        }
        if more:
            last = max([*(item.key for item in found[-1:]), *folders[-1:]])
            token = base64.b64encode(last.encode()).decode()
            facts |= {"NextContinuationToken": token} if _second(given) else {"NextMarker": spelled(last)}
        inside = elements(facts) + "".join(_listed(item, spelled(item.key)) for item in found)
        inside += "".join(_folder(spelled(name)) for name in folders)
        return document("ListBucketResult", inside)

    async def _page(self, prefix: str, delimiter: str, after: str, most: int) -> tuple[list[Stored], list[str], bool]:
        """Keys and folders behind `after`, `most` together, and whether there are more."""
        found: list[Stored] = []
        folders: list[str] = []
        begun = after  # a folder, if the page before ended with one
        while True:
            page = await self._state.read(bucket.behind, prefix, after, most + 1)
            for item in page:
                rest = item.key.removeprefix(prefix)
                folder = (
                    prefix + rest[: rest.index(delimiter) + len(delimiter)] if delimiter and delimiter in rest else ""
                )
                after = item.key
                if folder and (folder in folders[-1:] or folder == begun):
                    continue
                if len(found) + len(folders) == most:
                    return found, folders, True
                if folder:
                    folders.append(folder)
                else:
                    found.append(item)
            if len(page) <= most:
                return found, folders, False

    async def _find(self, key: str) -> Stored:
        check_name(key)
        stored = await self._state.read(bucket.find, key)
        if stored is None:
            raise OssRefusal("NoSuchKey", ec="0026-00000001", facts={"Key": key})
        return stored

    def _now(self) -> int:
        return epoch_ms(self._state.clock.now())


def check_name(key: str) -> None:
    """That a key may be one.

    Raises:
        OssRefusal: InvalidObjectName.
    """
    if not 1 <= len(key.encode()) <= 1023 or key[0] in "/\\" or any(ord(char) < 32 for char in key):
        raise OssRefusal("InvalidObjectName")


def kept_headers(given: Mapping[str, str]) -> dict[str, str]:
    """What an object keeps of the headers, or of a form's fields, it came with; names in lower case.

    Raises:
        OssRefusal: InvalidEncryptionAlgorithmError.
    """
    sse = given.get(SSE)
    if sse not in {None, "AES256", "KMS", "SM4"} or (SSE_KEY in given and sse != "KMS"):
        raise OssRefusal("InvalidEncryptionAlgorithmError")
    return {name: value for name, value in given.items() if name in KEPT or name.startswith("x-oss-meta-")}


def written_headers(stored: Stored) -> dict[str, str]:
    """The headers of the answer to a write."""
    own = {name: value for name, value in stored.headers.items() if name in {SSE, SSE_KEY}}
    return {
        "ETag": f'"{stored.etag}"',
        "Content-MD5": base64.b64encode(bytes.fromhex(stored.etag)).decode(),
        "x-oss-hash-crc64ecma": stored.crc64,
        **own,
    }


def facts_of(stored: Stored) -> dict[str, str]:
    """The headers that describe an object."""
    return {
        **written_headers(stored),
        **stored.headers,
        "Content-Type": stored.content_type,
        "Last-Modified": format_datetime(_moment(stored), usegmt=True),
        "Accept-Ranges": "bytes",
        "x-oss-object-type": "Normal",
        "x-oss-storage-class": "Standard",
    }


def _moment(stored: Stored) -> datetime:
    return datetime.fromtimestamp(stored.modified_ms // 1000, UTC)


def _overrides(wire: Wire) -> dict[str, str]:
    given = dict(wire.parameters())
    return {name.title(): given[asked] for asked, name in SHOWN_INSTEAD.items() if given.get(asked)}


def _conditions(wire: Wire, stored: Stored) -> Response | None:
    match, none = wire.header("if-match"), wire.header("if-none-match")
    if match is not None and match.strip('"') != stored.etag:
        raise OssRefusal("PreconditionFailed")
    if none is not None and none.strip('"') == stored.etag:
        return Response(status_code=304, headers=written_headers(stored))
    return None


def _digest(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        digest = base64.b64decode(text, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 16:
        raise OssRefusal("InvalidDigest")
    return digest


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise OssRefusal("InvalidArgument", facts={"ArgumentName": "max-keys", "ArgumentValue": text})
    return int(text)


def _token(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        raise OssRefusal("InvalidArgument", facts={"ArgumentName": "continuation-token"}) from None


def _second(given: Mapping[str, str]) -> bool:
    return given.get("list-type") == "2"


def _after(given: Mapping[str, str]) -> str:
    if not _second(given):
        return given.get("marker", "")
    return _token(given["continuation-token"]) if "continuation-token" in given else given.get("start-after", "")


def _folder(name: str) -> str:
    return f"  <CommonPrefixes>\n{elements({'Prefix': name})}  </CommonPrefixes>\n"


def _listed(stored: Stored, name: str) -> str:
    facts: dict[str, str | int] = {
        "Key": name,
        "LastModified": iso_z(_moment(stored)),
        "ETag": f'"{stored.etag}"',
        "Type": "Normal",
        "Size": stored.size,
        "StorageClass": "Standard",
    }
    return f"  <Contents>\n{elements(facts)}  </Contents>\n"


async def _pieces(file: FileIO, part: Part) -> AsyncIterator[bytes]:
    start = part.start
    while start < part.end:
        data = await asyncio.to_thread(bucket.read_at, file, start, min(CHUNK, part.end - start))
        if not data:
            return
        start += len(data)
        yield data


Call = Literal["put", "get", "head", "remove", "list", "post"]
CALLS: tuple[Call, ...] = ("put", "get", "head", "remove", "list", "post")
"""The calls that mishaps can be ordered for."""
