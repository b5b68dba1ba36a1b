"""What the tests' servers have in common: start, stop, crash, restart, clean up."""

import contextlib
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from support.deadlines import wait_until
from support.processes import Process, User, free_port, private_folder

START_SECONDS = 30.0
PORT_ATTEMPTS = 3
HOST = "127.0.0.1"


class StartFailed(RuntimeError):
    """A server ended or stayed silent instead of accepting connections; the message ends with its log."""


class Server(ABC):
    """A server that can be killed and restarted; it keeps its port and its data."""

    name: str
    stopping = signal.SIGTERM
    dying = signal.SIGKILL

    def __init__(self, folder: Path, user: User) -> None:
        """Prepare the server's folder; `start` starts it."""
        self.folder = folder
        self.user = user
        self.port = free_port()
        self._process: Process | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """The address for clients."""

    @abstractmethod
    def _command(self) -> Sequence[str | Path]: ...

    @abstractmethod
    def _is_ready(self) -> bool: ...

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    def start(self) -> None:
        """Start the server and return once it answers."""
        log = self.folder / "log"
        process = Process(self._command(), log=log, user=self.user, dying=self.dying)
        self._process = process
        wait_until(lambda: self._is_ready() or not process.is_running(), START_SECONDS, what=f"{self.name} answers")
        if not process.is_running():
            raise StartFailed(f"{self.name} did not start:\n{process.complaint()}")

    def start_on_free_port(self) -> None:
        """Start for the first time; another process may take the port in between, so try a few."""
        for _ in range(PORT_ATTEMPTS - 1):
            with contextlib.suppress(StartFailed):
                return self.start()
            self.port = free_port()
        return self.start()

    def stop(self) -> None:
        """Stop the server in order."""
        if self._process is not None:
            self._process.stop(self.stopping)

    def kill(self) -> None:
        """Crash the server (SIGKILL)."""
        if self._process is not None:
            self._process.kill()

    def discard(self) -> None:
        """End the server in the quickest way that leaves nothing behind; its data are not wanted any more."""
        if self._process is not None:
            self._process.stop(self.dying)

    def restart(self) -> None:
        """Stop the server if it runs, and start it with the same port and data."""
        self.stop()
        self.start()


AnyServer = TypeVar("AnyServer", bound=Server)


@contextlib.contextmanager
def running(kind: str, user: User, make: Callable[[Path], AnyServer]) -> Iterator[AnyServer]:
    """Start the server that `make` builds in a private folder; stop it and remove the folder afterwards."""
    with private_folder(kind, user) as folder:
        server = make(folder)
        try:
            server.start_on_free_port()
            yield server
        finally:
            server.discard()
