"""A real browser without a window: opens one page, gives its document and a picture of it."""

import asyncio
import os
import re
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from PIL import Image

from support.binaries import CHROMIUM, find

WIDE, PHONE = (1280, 900), (390, 844)
SECONDS = 60.0
FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root, and load nothing but our own pages
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # there is no internet for this browser
    "--enable-logging=stderr",
    "--virtual-time-budget=4000",
)


@dataclass(frozen=True)
class Shot:
    """A page as the browser has it after its scripts ran."""

    url: str
    document: str
    complaints: Sequence[str]
    picture: Path

    @property
    def words(self) -> str:
        """What a reader reads: the text of the body."""
        body = re.sub(r"(?s)<(script|style|head|noscript)\b.*?</\1>|<wbr>", "", self.document)
        return re.sub(r"\s+", " ", re.sub(r"(?s)<[^>]+>", " ", body))

    @property
    def colours(self) -> int:
        """How many colours the picture has; a blank page has one."""
        with Image.open(self.picture) as image:
            return len(image.convert("RGB").getcolors(maxcolors=2**24) or ())

    def foreign_addresses(self) -> list[str]:
        """Addresses on other hosts that the document loads something from."""
        parser = _Loads()
        parser.feed(self.document)
        host = urlsplit(self.url).netloc
        absolute = (urljoin(self.url, address) for address in parser.addresses)
        return [address for address in absolute if urlsplit(address).netloc not in {"", host}]


class _Loads(HTMLParser):
    """Collects what a document loads by itself; links that somebody may follow are not among it."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {"src", "srcset", "poster", "data"} | ({"href"} if tag in {"link", "use", "image"} else set())
        self.addresses += [value for name, value in attrs if name in names and value]
        style = dict(attrs).get("style") or ""
        self.addresses += re.findall(r"url\([\"']?([^)\"']+)", style)

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "style":
            self.addresses += re.findall(r"(?:url\(|@import\s+)[\"']?([^)\"'\s;]+)", data)


async def look(url: str, picture: Path, *, language: str = "en", size: tuple[int, int] = WIDE) -> Shot:
    """Open `url` in a fresh profile, in a window of this size and for a reader of this language."""
    with tempfile.TemporaryDirectory(prefix="hutong-browser-", ignore_cleanup_errors=True) as profile:
        command = [
            *(find(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", f"--lang={language}", f"--accept-lang={language}"),
            *(f"--window-size={size[0]},{size[1]}", f"--screenshot={picture}", "--dump-dom", url),
        ]
        document, messages = await _run([str(word) for word in command])
    complaints = [line for line in messages.splitlines() if "CONSOLE" in line]
    return Shot(url, document, complaints, picture)


async def _run(command: Sequence[str]) -> tuple[str, str]:
    """The browser's output; the whole group of processes is gone afterwards."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, start_new_session=True)
    try:
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
    finally:
        _end(process.pid)
    if process.returncode != 0:
        raise RuntimeError(f"the browser ended with {process.returncode}:\n{err.decode()[-2000:]}")
    return out.decode(), err.decode()


def _end(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
