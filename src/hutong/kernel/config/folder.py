"""The default source of live documents: a folder of files, looked at every second."""

import asyncio
import os
from pathlib import Path
from typing import Protocol


class Source(Protocol):
    """Where documents come from."""

    async def read(self, name: str) -> bytes | None:
        """The document's text, or None where there is none."""
        ...

    async def publish_default(self, name: str, content: bytes) -> None:
        """Put a bundled default where operators find it, unless they have one already."""
        ...


class FolderSource:
    """Documents as files of a folder.

    Args:
        folder: made if missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, name: str) -> bytes | None:
        return await asyncio.to_thread(self._read, name)

    def _read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    async def publish_default(self, name: str, content: bytes) -> None:
        await asyncio.to_thread(self._publish, name, content)

    def _publish(self, name: str, content: bytes) -> None:
        """Write beside and link, so that nobody ever reads half a document and no edit is overwritten."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path, draft = self._folder / name, self._folder / f".{name}.{os.getpid()}"
        if path.exists():
            return
        draft.write_bytes(content)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
