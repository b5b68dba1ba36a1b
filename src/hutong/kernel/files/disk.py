"""Objects in a local folder: the storage of one machine, or of several that share a file system."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from itertools import islice
from pathlib import Path

from hutong.kernel.files.errors import RangeUnsatisfiable
from hutong.kernel.files.keys import check_key, check_type, check_upload_types
from hutong.kernel.files.links import Policy, SignedLink, Signer, safe_filename
from hutong.kernel.files.ports import MAX_LINK_SECONDS, ObjectFacts, ObjectReader, OwnLink, UploadForm
from hutong.kernel.files.tree import Incoming, Tree, facts_of, storage_errors
from hutong.kernel.observability.logs import logger
from hutong.kit.clock import Clock

CHUNK = 256 * 1024
STALE_SECONDS = 3600
_COPY = 1024 * 1024
_log = logger("files.disk")


@dataclass(frozen=True, slots=True)
class DiskObject:
    """An open object; its content stays what it was when it was opened, whatever happens to the key."""

    facts: ObjectFacts
    file: FileIO

    async def chunks(self, start: int, end: int) -> AsyncGenerator[bytes]:
        """The bytes from `start` to `end` (excluded), 256 KiB at a time."""
        while start < end:
            with storage_errors():
                data = await asyncio.to_thread(os.pread, self.file.fileno(), min(CHUNK, end - start), start)
            if not data:
                return
            start += len(data)
            yield data


class DiskStorage:
    """`Storage` in a local folder. The constructor makes the folder and sweeps it.

    Args:
        folder: where objects live; one file system, nothing else in it.
        secret: at least 32 random bytes that sign links and forms; the same in every process.
        public_url: where clients reach `files_app`, without its `/files`.
        clock: for the end of links and forms.
    """

    def __init__(self, folder: Path, secret: bytes, public_url: str, clock: Clock) -> None:
        self.signer = Signer(secret, public_url)
        self.clock = clock
        self._tree = Tree(folder)
        self.sweep()

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """See `Storage.put`."""
        check_type(key, content_type)
        await asyncio.to_thread(self._put, key, data)

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """See `Storage.put_file`."""
        check_type(key, content_type)
        await asyncio.to_thread(self._put_file, key, path)

    async def get(self, key: str) -> bytes:
        """See `Storage.get`."""
        return await asyncio.to_thread(self._get, key)

    @asynccontextmanager
    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[ObjectReader]:
        """See `Storage.open`."""
        async with self.reading(key) as found:
            size = found.facts.size
            stop = size if end is None else min(end, size)
            if not 0 <= start < stop and not (start == size == 0):
                raise RangeUnsatisfiable(details={"size": size})
            async with aclosing(found.chunks(start, stop)) as chunks:
                yield ObjectReader(found.facts, start, stop, chunks)

    @asynccontextmanager
    async def reading(self, key: str) -> AsyncIterator[DiskObject]:
        """The object, open, for whoever picks the range once its size is known.

        Raises:
            ObjectMissing: there is none.
        """
        file = await asyncio.to_thread(self._tree.open, key)
        with file:
            yield DiskObject(facts_of(key, file), file)

    async def head(self, key: str) -> ObjectFacts:
        """See `Storage.head`."""
        return await asyncio.to_thread(self._head, key)

    async def remove(self, key: str) -> bool:
        """See `Storage.remove`."""
        return await asyncio.to_thread(self._tree.remove, key)

    async def list(self, prefix: str, after: str | None = None, limit: int = 1000) -> Sequence[str]:
        """See `Storage.list`."""
        return await asyncio.to_thread(lambda: tuple(islice(self._tree.keys(prefix, after or ""), limit)))

    def link(self, key: str, *, seconds: int, filename: str | None = None) -> str:
        """See `Storage.link`."""
        name = None if filename is None else safe_filename(filename)
        return self.signer.link(SignedLink(check_key(key), self._end(seconds), name))

    def key_of(self, url: str) -> OwnLink | None:
        """See `Storage.key_of`."""
        link = self.signer.read(url)
        return None if link is None else OwnLink(link.key, expired=link.expires <= self.seconds())

    def upload_form(self, key: str, *, content_types: Sequence[str], max_bytes: int, seconds: int) -> UploadForm:
        """See `Storage.upload_form`; the file's first bytes must show the type, whatever the client declares."""
        if max_bytes < 1:
            raise ValueError("an upload form allows at least one byte")
        policy = Policy(key, check_upload_types(key, content_types), max_bytes, self._end(seconds))
        return UploadForm(
            url=self.signer.root + "upload",
            method="POST",
            fields=self.signer.fields(policy),
            file_field="file",
            expires_at=datetime.fromtimestamp(policy.expires, UTC),
        )

    async def ping(self) -> None:
        """See `Storage.ping`: the folder is there and may be written to."""
        with storage_errors():
            await asyncio.to_thread(self._tree.check)

    async def close(self) -> None:
        """See `Storage.close`; there is nothing to let go of."""

    def incoming(self) -> Incoming:
        """A file to be written piece by piece; blocking, as are its methods."""
        return Incoming(self._tree)

    def sweep(self) -> int:
        """Delete files half received an hour ago or earlier, and count them; uploads still running are newer."""
        count = self._tree.sweep(self.seconds() - STALE_SECONDS)
        if count:
            _log.info("swept", files=count)
        return count

    def seconds(self) -> float:
        """The present moment in unix seconds."""
        return self.clock.now().timestamp()

    def _end(self, seconds: int) -> int:
        if not 1 <= seconds <= MAX_LINK_SECONDS:
            raise ValueError(f"links and forms live 1 to {MAX_LINK_SECONDS} seconds, not {seconds}")
        return int(self.seconds()) + seconds

    def _put(self, key: str, data: bytes) -> None:
        with self.incoming() as file:
            file.write(data)
            file.commit(key)

    def _put_file(self, key: str, path: Path) -> None:
        with path.open("rb", buffering=0) as source, self.incoming() as file:
            while data := source.read(_COPY):
                file.write(data)
            file.commit(key)

    def _get(self, key: str) -> bytes:
        with self._tree.open(key) as file, storage_errors():
            return file.readall()

    def _head(self, key: str) -> ObjectFacts:
        with self._tree.open(key) as file:
            return facts_of(key, file)
