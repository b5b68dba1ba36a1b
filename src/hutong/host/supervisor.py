"""`hutong up`: one parent that starts, watches and restarts the embedded store, the API and a worker.

Each child is tethered: it ends with this process even after kill -9. Source: DESIGN §3; docs/runbooks/child-restarts.md.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from hutong.host import tether
from hutong.kernel.observability.logs import logger
from hutong.kernel.settings import SettingsRefused
from hutong.kit.tasks import end

STABLE_SECONDS = 10.0
LONGEST_PAUSE = 5.0
STOP_SECONDS = 30.0
_log = logger("host.supervisor")


@dataclass(slots=True)
class Child:
    """One supervised process.

    Args:
        name: for messages.
        command: absolute path of the program, and its arguments.
        ready: returns once the child does its job.
        folder: its working directory.
        log: file that takes its output; this process's own output when left out.
        longest_pause: seconds waited at most before it is started again when it keeps ending.
        patience: seconds that it may take to end in order before it is ended by force.
    """

    name: str
    command: Sequence[str]
    ready: Callable[[], Awaitable[None]]
    folder: Path | None = None
    log: Path | None = None
    longest_pause: float = LONGEST_PAUSE
    patience: float = STOP_SECONDS
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    _watch: "asyncio.Task[None] | None" = None
    _stopping: bool = False
    _failures: int = 0
    _worked: bool = False
    started: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Start the child and wait until it is ready.

        Raises:
            SettingsRefused: it ends again and again; its own messages say why.
        """
        self._watch = asyncio.create_task(self._keep(), name=f"child-{self.name}")
        ready = asyncio.create_task(self._until_ready())
        await asyncio.wait({self._watch, ready}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await end(ready)
            raise SettingsRefused(f"the {self.name} process cannot be started; see its messages above")
        await ready
        self._worked = True

    async def _until_ready(self) -> None:
        await self.started.wait()
        await self.ready()

    async def stop(self) -> None:
        """End the child in order, and by force if it does not end."""
        self._stopping = True
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), self.patience)
            except TimeoutError:
                self.process.kill()
        if self._watch is not None:
            await asyncio.gather(self._watch, return_exceptions=True)

    async def _keep(self) -> None:
        """Start the child again whenever it ends; gives up only if it never worked."""
        while not self._stopping:
            begun = time.monotonic()
            await self._spawn()
            assert self.process is not None
            code = await self.process.wait()
            if self._ending():
                return
            stable = time.monotonic() - begun > STABLE_SECONDS
            self._failures = 1 if stable else self._failures + 1
            if self._failures > 3 and not self._worked:
                _log.error("child ends again and again", child=self.name, code=code)
                return
            self.restarts += 1
            _log.warning("child ended; it is started again", child=self.name, code=code, restarts=self.restarts)
            await asyncio.sleep(min(self.longest_pause, 0.2 * 2 ** (self._failures - 1)))

    def _ending(self) -> bool:
        return self._stopping

    async def _spawn(self) -> None:
        """A session of its own, so that Ctrl-C reaches only the parent, which then stops its children in order."""
        tied = [
            sys.executable,
            "-S",
            "-E",
            str(Path(tether.__file__)),
            str(os.getpid()),
            "-1",
            "-1",
            str(int(signal.SIGTERM)),
        ]
        with self._output() as output:
            self.process = await asyncio.create_subprocess_exec(
                *tied,
                *self.command,
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.started.set()

    @contextlib.contextmanager
    def _output(self) -> Iterator[IO[bytes] | None]:
        if self.log is None:
            yield None
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as file:
            yield file


async def supervise(children: Sequence[Child], on_ready: Callable[[], Awaitable[None]]) -> None:
    """Start children in order, call `on_ready`, then keep them until SIGTERM or SIGINT; stop them in reverse order.

    `on_ready` may return: the children go on. Raise `asyncio.CancelledError` from it to stop everything.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    begun: list[Child] = []
    stopping = asyncio.create_task(stop.wait())
    main = asyncio.create_task(_start_all(children, begun, on_ready))
    try:
        await asyncio.wait({main, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if main.done():
            await main
            await stopping
    finally:
        await end(main, stopping)
        for child in reversed(begun):
            await child.stop()


async def _start_all(children: Sequence[Child], begun: list[Child], on_ready: Callable[[], Awaitable[None]]) -> None:
    for child in children:
        begun.append(child)
        await child.start()
    await on_ready()


@contextlib.contextmanager
def data_lock(folder: Path) -> Iterator[None]:
    """Only one `hutong up` for a data folder.

    Raises:
        SettingsRefused: another one runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsRefused(f"another `hutong up` runs on {folder}; stop it, or choose another --data") from error
        yield
    finally:
        os.close(descriptor)
