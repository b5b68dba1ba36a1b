"""Server processes of the tests: started by an ordinary user, stopped by their own process id, gone with the tests."""

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

PREFIX = "hutong-test-"
LOCK = ".owner"
ORPHAN_AGE = 60.0
STOP_SECONDS = 20.0
LOG_TAIL = 2000
TETHER = Path(__file__).with_name("tether.py")

# Linux ends a tethered process with the *thread* that started it. Fixtures may start servers from short-lived
# threads, so every start happens on this one, which lives as long as the interpreter.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="server-starter")


@dataclass(frozen=True)
class User:
    """Whom a process runs as; -1 leaves it as it is."""

    uid: int = -1
    gid: int = -1


def ordinary_user() -> User:
    """Return `nobody` if the tests run as root, for servers that refuse root."""
    if os.geteuid() != 0:
        return User()
    nobody = pwd.getpwnam("nobody")
    return User(nobody.pw_uid, nobody.pw_gid)


class Process:
    """One tethered process; its output goes to a log file."""

    def __init__(self, command: Sequence[str | Path], *, log: Path, user: User, dying: signal.Signals) -> None:
        """Start the command. `dying` is what it gets if the tests are killed."""
        self.log = log
        tether = [sys.executable, "-I", "-S", TETHER, os.getpid(), user.uid, user.gid, int(dying)]
        words = [str(word) for word in (*tether, *command)]
        self._popen = _starter.submit(_start, words, log).result()

    @property
    def pid(self) -> int:
        """The process id, which is the server's own."""
        return self._popen.pid

    def is_running(self) -> bool:
        """Tell whether the process has not ended yet."""
        return self._popen.poll() is None

    def wait(self, seconds: float) -> int:
        """Wait for the process to end by itself and return its exit status."""
        return self._popen.wait(seconds)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask the process to end; insist if it does not."""
        if self.is_running():
            self._popen.send_signal(how)
        try:
            self._popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process as a crash would (SIGKILL)."""
        self._popen.kill()
        self._popen.wait()

    def kill_group(self) -> None:
        """End the process and what it started, of which a preparing script leaves some behind if it fails."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()

    def complaint(self) -> str:
        """Return the end of what the process wrote, for error messages."""
        return self.log.read_text(errors="replace")[-LOG_TAIL:] if self.log.exists() else ""


def _start(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            start_new_session=True,  # Ctrl-C is for the tests; they stop their servers in order
        )


def run(command: Sequence[str | Path], *, log: Path, user: User, seconds: float = 120.0) -> None:
    """Run a preparing command to its end; raise with its output if it fails."""
    process = Process(command, log=log, user=user, dying=signal.SIGKILL)
    try:
        status = process.wait(seconds)
    finally:
        process.kill_group()
    if status != 0:
        raise RuntimeError(f"{Path(command[0]).name} ended with {status}:\n{process.complaint()}")


def free_port() -> int:
    """Return a TCP port that is free on loopback now; whoever takes it should be ready to try another."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def private_folder(kind: str, user: User) -> Iterator[Path]:
    """Make a temporary folder that `user` may write to and remove it afterwards.

    A killed test run cannot remove its folders, so the next run does: a folder whose lock nobody holds is nobody's.
    """
    sweep_orphans()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{kind}-"))
    try:
        with (folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if user.uid >= 0:
                os.chown(folder, user.uid, user.gid)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_orphans() -> None:
    """Remove the folders of test runs that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > ORPHAN_AGE and _is_unlocked(folder):  # noqa: TID251
                shutil.rmtree(folder, ignore_errors=True)


def _is_unlocked(folder: Path) -> bool:
    with (folder / LOCK).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
