"""What only the disk storage has: half-written files, links in its tree, a full disk."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hutong.kernel.files import DiskStorage
from hutong.kernel.files.errors import ObjectMissing, StorageFailed, StorageFull
from hutong.kernel.files.tree import storage_errors
from hutong.kit.clock import ManualClock, SystemClock

SECRET = bytes(range(32))
PUT = """
import asyncio, sys
from pathlib import Path
from hutong.kernel.files.disk import DiskStorage
from hutong.kit.clock import SystemClock
storage = DiskStorage(Path(sys.argv[1]), bytes(32), "http://host", SystemClock())
asyncio.run(storage.put("a/b.txt", b"new" * 100_000, "text/plain"))
"""


@pytest.fixture
def storage(tmp_path: Path) -> DiskStorage:
    return opened(tmp_path)


def opened(folder: Path, hours: float = 0) -> DiskStorage:
    clock = ManualClock(SystemClock().now())
    clock.advance(hours * 3600)
    return DiskStorage(folder, SECRET, "http://host", clock)


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
async def test_killed_between_writing_and_renaming(storage: DiskStorage, tmp_path: Path) -> None:
    await storage.put("a/b.txt", b"old", "text/plain")
    orders = tmp_path.parent / f"{tmp_path.name}-orders"
    orders.mkdir()
    (orders / "files.put.written").touch()
    env = {**os.environ, "HUTONG_FAILPOINTS": str(orders)}
    killed = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", PUT, str(tmp_path)], env=env, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert await storage.get("a/b.txt") == b"old"
    assert list(await storage.list("")) == ["a/b.txt"]

    assert len(files_below(tmp_path / "incoming")) == 1
    opened(tmp_path, hours=0.9)
    assert len(files_below(tmp_path / "incoming")) == 1, "an upload that is still running"
    opened(tmp_path, hours=1.1)
    assert files_below(tmp_path) == ["objects/a/b.txt"]


async def test_symbolic_links_lead_nowhere(storage: DiskStorage, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    objects = tmp_path / "objects"
    (objects / "folder").symlink_to(outside)
    (objects / "file.txt").symlink_to(outside / "secret.txt")
    for key in ("folder/secret.txt", "file.txt"):
        with pytest.raises(ObjectMissing):
            await storage.get(key)
        with pytest.raises(ObjectMissing):
            await storage.head(key)
    assert list(await storage.list("")) == []
    with pytest.raises(StorageFailed):
        await storage.put("folder/new.txt", b"x", "text/plain")
    assert await storage.remove("folder/secret.txt") is False
    await storage.put("file.txt", b"mine", "text/plain")
    assert await storage.get("file.txt") == b"mine"
    assert files_below(outside) == ["secret.txt"]
    assert (outside / "secret.txt").read_text() == "secret"


async def test_what_is_no_regular_file_is_missing(storage: DiskStorage, tmp_path: Path) -> None:
    (tmp_path / "objects" / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "objects" / "pipe.jpg")
    for key in ("folder.jpg", "pipe.jpg"):
        with pytest.raises(ObjectMissing):
            await storage.get(key)


async def test_a_write_that_does_not_fit_leaves_nothing(storage: DiskStorage, tmp_path: Path) -> None:
    await storage.put("a/b.bin", b"old", "application/octet-stream")
    with files_up_to(1_000_000), pytest.raises(StorageFull):
        await storage.put("a/b.bin", bytes(1_500_000), "application/octet-stream")
    assert files_below(tmp_path) == ["objects/a/b.bin"]
    assert await storage.get("a/b.bin") == b"old"


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size`: a full disk, as near as one gets to it without being root."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_a_full_device_is_storage_full() -> None:
    with pytest.raises(StorageFull) as caught, storage_errors(), Path("/dev/full").open("wb", buffering=0) as device:
        device.write(b"x")
    assert (caught.value.status, caught.value.code) == (503, "files.storage_full")


async def test_a_cancelled_writer_leaves_nothing(storage: DiskStorage, tmp_path: Path) -> None:
    with storage.incoming() as file:
        file.write(b"half")
        assert len(files_below(tmp_path)) == 1
    assert files_below(tmp_path) == []
    with pytest.raises(StorageFailed):
        file.write(b"more")
    with pytest.raises(StorageFailed):
        file.commit("a.txt")


async def test_files_belong_to_their_owner_alone(storage: DiskStorage, tmp_path: Path) -> None:
    await storage.put("a/b.txt", b"x", "text/plain")
    assert (tmp_path / "objects/a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "objects/a/b.txt").stat().st_mode & 0o777 == 0o600


async def test_many_writers_of_one_key_leave_one_of_them(storage: DiskStorage, tmp_path: Path) -> None:
    values = [bytes([number]) * 10_000 for number in range(12)]
    await asyncio.gather(*(storage.put("a/deep/path/b.bin", value, "application/octet-stream") for value in values))
    assert await storage.get("a/deep/path/b.bin") in values
    assert files_below(tmp_path) == ["objects/a/deep/path/b.bin"]


async def test_a_reader_keeps_what_it_opened(storage: DiskStorage) -> None:
    await storage.put("a.bin", b"1" * 600_000, "application/octet-stream")
    async with storage.open("a.bin") as reader:
        await storage.put("a.bin", b"2", "application/octet-stream")
        await storage.remove("a.bin")
        assert b"".join([chunk async for chunk in reader.chunks]) == b"1" * 600_000


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="32"):
        DiskStorage(tmp_path, b"short", "http://host", ManualClock(datetime(2026, 1, 1, tzinfo=UTC)))
