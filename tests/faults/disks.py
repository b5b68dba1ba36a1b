"""A disk that can be filled: a small file system of its own for root, else a limit on the size of files."""

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from faults.fleet import Fleet

SIZE_MB = 48
SMALLEST = 4096


@dataclass(frozen=True)
class Disk:
    """A folder whose disk can be filled. `kind` is `tmpfs` or `file size limit`."""

    folder: Path
    kind: str

    @contextmanager
    def full(self, fleet: Fleet) -> Iterator[None]:
        """Let there be no room in the block."""
        if self.kind == "tmpfs":
            with _ballast(self.folder / "ballast"):
                yield
        else:
            with _limited(fleet):
                yield


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """A disk at `folder`."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "hutong-test", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield Disk(folder, "tmpfs" if mounted else "file size limit")
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def _ballast(path: Path) -> Iterator[None]:
    """Fill the disk to the last byte, again and again: processes free some."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            _fill(file.fileno(), size)
    try:
        yield
    finally:
        path.unlink()


def _fill(descriptor: int, size: int) -> None:
    try:
        while os.write(descriptor, bytes(size)):
            pass
    except OSError as full:
        if full.errno != errno.ENOSPC:
            raise


@contextmanager
def _limited(fleet: Fleet) -> Iterator[None]:
    """No file of the API or a worker can grow beyond a few bytes; what a limited process writes beyond them fails."""
    processes = [*fleet.running("api"), *fleet.running("worker")]
    _limit(processes, SMALLEST)
    try:
        yield
    finally:
        _limit([*fleet.running("api"), *fleet.running("worker")], resource.RLIM_INFINITY)


def _limit(processes: list[psutil.Process], size: int) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.rlimit(psutil.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
