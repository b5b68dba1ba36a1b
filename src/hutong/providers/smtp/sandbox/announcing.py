"""On which ports sandboxes of a data folder listen: one empty file each, named by the port.

The worker is another process than the one whose sandbox takes its mails, and the port is a free one. A process that was
killed leaves its file behind: whoever looks tries the newest first and the others after it, and the next start removes it.
"""

import asyncio
import contextlib
from pathlib import Path

GREETING = b"220 hutong-sandbox"
ANSWER_SECONDS = 1.0


def announced(folder: Path) -> list[int]:
    """Ports on which sandboxes of this data folder listen, the newest first."""
    found = []
    for path in _folder(folder).glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):  # withdrawn at this moment
            found.append((path.stat().st_mtime_ns, int(path.name)))
    return [port for _, port in sorted(found, reverse=True)]


def announce(folder: Path, port: int) -> None:
    """Say that a sandbox listens on `port`."""
    _folder(folder).mkdir(parents=True, exist_ok=True)
    (_folder(folder) / str(port)).touch()


def withdraw(folder: Path, port: int) -> None:
    """Say that none does any more."""
    (_folder(folder) / str(port)).unlink(missing_ok=True)


async def forget_dead(folder: Path) -> None:
    """Withdraw the ports on which no sandbox answers."""
    for port in announced(folder):
        if not await _answers(port):
            withdraw(folder, port)


async def _answers(port: int) -> bool:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                return (await reader.readline()).startswith(GREETING)
            finally:
                writer.close()
    return False


def _folder(folder: Path) -> Path:
    return folder / "sandbox" / "mail-ports"
