"""The vision process: started when somebody needs it, one for all processes that share a data folder."""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import sys
import tempfile
from pathlib import Path

import aiohttp

from hutong.providers.dashscope.sandbox.ports import VisionUnavailable

MODULE = "hutong.providers.dashscope.vision.service"
START_SECONDS = 60.0
STOP_SECONDS = 5.0
PING_SECONDS = 2.0
LONGEST_SOCKET_PATH = 100
"""Systems allow 104 to 108 bytes."""


class VisionProcess:
    """Keeps the vision process of one data folder alive.

    Whoever holds the lock on `<folder>/vision.lock` is its parent; the others use its socket. The child dies with its
    parent, which frees the lock, so that the next caller in any process starts a new one.
    """

    def __init__(self, folder: Path, *, start_seconds: float = START_SECONDS) -> None:
        self.socket = _socket_path(folder)
        self._folder = folder
        self._start_seconds = start_seconds
        self._starting = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._lock: int | None = None

    async def ensure(self) -> Path:
        """Path of a socket that answers, after starting or restarting the process where necessary.

        Raises:
            VisionUnavailable: nobody answers after `start_seconds`, or the process ends as soon as it is started.
        """
        async with self._starting:
            try:
                async with asyncio.timeout(self._start_seconds):
                    await self._until_it_answers()
            except TimeoutError:
                await self._stop()
                raise VisionUnavailable(f"the vision process did not answer within {self._start_seconds} s") from None
        return self.socket

    async def close(self) -> None:
        """End the process if it is ours."""
        async with self._starting:
            await self._stop()

    async def _until_it_answers(self) -> None:
        starts = 0
        while not await self._answers():
            if self._child is None and self._take_lock():
                if starts == 2:
                    self._free_lock()
                    raise VisionUnavailable("the vision process ends at once; is the extra installed: hutong[vision]?")
                starts += 1
                await self._spawn()
            await asyncio.sleep(0.05)

    async def _answers(self) -> bool:
        if not self.socket.exists():
            return False
        timeout = aiohttp.ClientTimeout(total=PING_SECONDS)
        connector = aiohttp.UnixConnector(str(self.socket))
        # A child process on a private socket: neither the pool nor the address guard of kernel.http applies.
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:  # noqa: TID251
            try:
                async with session.get("http://vision/livez") as response:
                    return response.status == 200
            except (aiohttp.ClientError, OSError, TimeoutError):
                return False

    async def _spawn(self) -> None:
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            MODULE,
            "--socket",
            str(self.socket),
            "--parent",
            str(os.getpid()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )
        self._watch = asyncio.create_task(self._until_it_ends(self._child), name="vision-process")

    async def _until_it_ends(self, child: asyncio.subprocess.Process) -> None:
        await child.wait()
        self._child = None
        self._free_lock()

    async def _stop(self) -> None:
        child, watch = self._child, self._watch
        if child is not None and watch is not None:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await asyncio.shield(watch)
            except TimeoutError:
                child.kill()
                await watch
        self._free_lock()

    def _take_lock(self) -> bool:
        if self._lock is not None:
            return True
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._folder / "vision.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _free_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _socket_path(folder: Path) -> Path:
    """A socket in the folder, or in a private temporary one where the path would be too long for the system."""
    path = folder / "vision.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    private = Path(tempfile.gettempdir()) / f"hutong-{os.getuid()}-{name}"
    private.mkdir(mode=0o700, exist_ok=True)
    if private.stat().st_uid != os.getuid() or private.is_symlink():
        raise VisionUnavailable(f"{private} belongs to somebody else; choose a shorter data folder")
    return private / "vision.sock"
