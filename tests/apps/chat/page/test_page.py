"""The chat page in a browser, against a whole Hutong: what somebody at it does and sees."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from playwright.async_api import Browser, Page, expect

from support.clicking import Reader, reading
from support.scripted_vendor import Script, ScriptedVendor, Step, told
from support.stand import Stand

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]
PASSWORD = "a long sentence of mine"


@pytest.fixture
async def reader(browser: Browser) -> AsyncIterator[Reader]:
    async with reading(browser) as reader:
        yield reader
        assert reader.complaints == []


async def join(reader: Reader, stand: Stand, name: str = "lin") -> Page:
    """Somebody with a new account, inside."""
    page = await reader.open(f"{stand.base}/chat/")
    await page.get_by_role("button", name="Create account").click()
    await page.get_by_label("Username").fill(name)
    await page.get_by_label("Mail address").fill(f"{name}@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await expect(page.get_by_role("heading", name="What is on your mind?")).to_be_visible()
    return page


async def ask(page: Page, question: str) -> None:
    await page.get_by_label("Ask something").fill(question)
    await page.keyboard.press("Enter")


def halting(go_on: asyncio.Event, before: Sequence[str], after: Sequence[str]) -> Script:
    """A stream that waits for the event in its middle."""
    steps: list[Step] = told(*before, *after)
    cut = 1 + len(before)
    return Script([*steps[:cut], go_on, *steps[cut:]])


def replies(page: Page) -> object:
    return page.locator(".said.assistant")


async def test_from_the_door_to_an_answer(talking: Stand, vendor: ScriptedVendor, reader: Reader) -> None:
    """An account, a question, an answer as it is written; the conversation stands in the list under its first words."""
    page = await join(reader, talking)
    go_on = asyncio.Event()
    vendor.will(halting(go_on, ["# Lanes\n\nThey are **old"], ["** and `narrow`."]))

    await ask(page, "Tell me of the hutongs")

    reply = page.locator(".said.assistant")
    await expect(reply.locator("h3")).to_have_text("Lanes")
    await expect(reply).to_have_attribute("aria-busy", "true")
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    go_on.set()
    await expect(reply.locator("strong")).to_have_text("old")
    await expect(reply).to_have_attribute("aria-busy", "false")
    await expect(page.get_by_role("link", name="Tell me of the hutongs")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Tell me of the hutongs")
    assert "#/c/" in page.url
