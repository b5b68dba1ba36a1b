"""A browser that a test drives: clicks, types, reads what is on the page. For pictures of pages, see `support.browser`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from support.binaries import CHROMIUM, find

MILLISECONDS = 15_000
"""How long a step may take before it has failed."""


@asynccontextmanager
async def clicking() -> AsyncIterator[Browser]:
    """A Chromium without a window, which finds no host but this machine."""
    async with async_playwright() as playwright:
        flags = ["--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        browser = await playwright.chromium.launch(executable_path=str(find(CHROMIUM)), args=flags)
        try:
            yield browser
        finally:
            await browser.close()


class Reader:
    """Somebody at a browser: a profile of their own, and what the browser had to complain of.

    Args:
        context: the profile.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.complaints: list[str] = []

    async def open(self, url: str) -> Page:
        """A new tab."""
        page = await self.context.new_page()
        page.set_default_timeout(MILLISECONDS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._note(message.type, message.text))
        await page.goto(url)
        return page

    def _note(self, kind: str, text: str) -> None:
        """Answers that are no success are what a test may want; everything else that the console says is a defect."""
        if kind in {"error", "warning"} and "Failed to load resource" not in text:
            self.complaints.append(text)


@asynccontextmanager
async def reading(browser: Browser, **options: Any) -> AsyncIterator[Reader]:
    """Somebody with a fresh profile; the options are Playwright's (locale, viewport, color_scheme)."""
    context = await browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1280, "height": 860}, **options})
    try:
        yield Reader(context)
    finally:
        await context.close()
