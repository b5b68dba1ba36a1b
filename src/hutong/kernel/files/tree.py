"""The blocking half of the disk storage: files under one folder, reached without ever following a symbolic link.

Every step of a key opens one folder relative to the one before (`openat` with O_NOFOLLOW), so that a link planted
anywhere in the tree, even between two calls, leads nowhere. Folders are 0700 and files 0600.
"""

import errno
import os
import secrets
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Self

from hutong.kernel.files.errors import ObjectMissing, StorageFailed, StorageFull
from hutong.kernel.files.keys import check_key, content_type_of
from hutong.kernel.files.ports import ObjectFacts
from hutong.kernel.observability.failpoints import failpoint

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# EFBIG is what a process meets at its own file size limit: full, as far as it can tell.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


@contextmanager
def storage_errors(*, reading: bool = False) -> Iterator[None]:
    """Raise what the operating system reports as `StorageFull`, `StorageFailed` or, when reading, `ObjectMissing`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(
                retry_after=5
            ) from error  # jobs that wait for room come back later each time by themselves
        if reading and error.errno in _MISSING:
            raise ObjectMissing from error
        name = errno.errorcode.get(error.errno or 0, "unknown")
        raise StorageFailed(f"The storage does not work at present ({name}).", retry_after=5) from error


class Tree:
    """A storage's folder, one file system: finished objects under `objects`, those on their way under `incoming`."""

    def __init__(self, folder: Path) -> None:
        self.objects = folder / "objects"
        self.incoming = folder / "incoming"
        for each in (folder, self.objects, self.incoming):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)

    def check(self) -> None:
        """That both folders may be written to; OSError if not."""
        for folder in (self.objects, self.incoming):
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise OSError(errno.EACCES, "not writable", str(folder))

    def open(self, key: str) -> FileIO:
        """An object, open for reading.

        Raises:
            ObjectMissing: no regular file stands there, or a link stands in the way.
        """
        with storage_errors(reading=True), self.folder_of(key) as (folder, name):
            file = os.open(name, _READ, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise ObjectMissing
        return FileIO(file, "rb")

    def remove(self, key: str) -> bool:
        """Take an object away for good, power loss included; False if there was none."""
        try:
            with storage_errors(reading=True), self.folder_of(key) as (folder, name):
                os.unlink(name, dir_fd=folder)
                os.fsync(folder)
        except ObjectMissing:
            return False
        return True

    def keys(self, prefix: str, after: str) -> Iterator[str]:
        """Keys in order, those with `prefix` that come behind `after`; opens no folder that cannot hold one."""
        with storage_errors():
            yield from _walk(self.objects, "", prefix, after)

    def sweep(self, older_than: float) -> int:
        """Delete what killed processes left half received, last written before `older_than` (unix seconds)."""
        count = 0
        with storage_errors(), os.scandir(self.incoming) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process sweeps too
                    if entry.stat(follow_symlinks=False).st_mtime < older_than:
                        Path(entry).unlink()
                        count += 1
        return count

    @contextmanager
    def folder_of(self, key: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The open folder of a key and the name in it; with `make`, missing folders are made, durably."""
        *folders, name = check_key(key).split("/")
        current = os.open(self.objects, _FOLDER)
        try:
            for folder in folders:
                if make:
                    _make_folder(current, folder)
                below = os.open(folder, _FOLDER, dir_fd=current)
                os.close(current)
                current = below
            yield current, name
        finally:
            os.close(current)


class Incoming:
    """A file that is being written: an object once committed, gone otherwise. Leave the `with` to give it up."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._path = tree.incoming / secrets.token_hex(16)
        # A cancelled task gives the file up while a thread may still write: without the lock, that thread could write
        # to whatever file got the same descriptor next.
        self._lock = threading.Lock()
        with storage_errors():
            self._file: int | None = os.open(self._path, _CREATE, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
                self._path.unlink(missing_ok=True)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add `data`.

        Raises:
            StorageFull, StorageFailed: it did not all fit.
        """
        with self._lock, storage_errors():
            left = memoryview(data)
            while left:
                left = left[os.write(self._open_file(), left) :]

    def commit(self, key: str) -> None:
        """Make the file the object `key`, whole and durable: content, then name, then the folder of the name."""
        with self._lock, storage_errors(), self._tree.folder_of(key, make=True) as (folder, name):
            file = self._open_file()
            os.fsync(file)
            failpoint("files.put.written")
            os.replace(self._path, name, dst_dir_fd=folder)
            self._file = None
            os.close(file)
            os.fsync(folder)

    def _open_file(self) -> int:
        if self._file is None:
            raise OSError(errno.EBADF, "given up")
        return self._file


def facts_of(key: str, file: FileIO) -> ObjectFacts:
    """The facts of an open object. Each write makes a new file, so number, time and size tell contents apart."""
    found = os.fstat(file.fileno())
    return ObjectFacts(
        size=found.st_size,
        content_type=content_type_of(key),
        modified_at=datetime.fromtimestamp(found.st_mtime, UTC),
        etag=f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}",
    )


def _make_folder(parent: int, name: str) -> None:
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return
    os.fsync(parent)


def _walk(folder: Path, path: str, prefix: str, after: str) -> Iterator[str]:
    for name, is_folder in _entries(folder):
        key = path + name
        if is_folder:
            reachable = key.startswith(prefix) or prefix.startswith(key)
            if reachable and (after < key or after.startswith(key)):
                yield from _walk(folder / name, key, prefix, after)
        elif key.startswith(prefix) and key > after:
            yield key


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """Files, and folders with their `/`, so that sorting names is sorting keys; no links."""
    try:
        with os.scandir(folder) as entries:
            found = [
                (entry.name + "/" * entry.is_dir(follow_symlinks=False), entry.is_dir(follow_symlinks=False))
                for entry in entries
                if not entry.is_symlink()
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []  # removed since its parent was read
    return sorted(found)
