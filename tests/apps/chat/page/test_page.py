"""The chat page in a browser, against a whole Hutong: what somebody at it does and sees."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Request, Route, expect

from support.clicking import Reader, reading
from support.scripted_vendor import Cut, Script, ScriptedVendor, Step, failing, told
from support.stand import Stand
from support.talk_room import settings_for

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]
PASSWORD = "a long sentence of mine"
REPLY, QUESTION = ".said.assistant", ".said.user"


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


async def answered(page: Page, text: str) -> None:
    """Wait until the newest reply is complete and says this."""
    await expect(page.locator(REPLY).last).to_have_attribute("aria-busy", "false")
    await expect(page.locator(REPLY).last.locator(".words")).to_have_text(text)


def halting(go_on: asyncio.Event, before: Sequence[str], after: Sequence[str]) -> Script:
    """A stream that waits for the event in its middle."""
    steps: list[Step] = told(*before, *after)
    cut = 1 + len(before)
    return Script([*steps[:cut], go_on, *steps[cut:]])


# -- asking -------------------------------------------------------------------------------------------------------------------


async def test_from_the_door_to_an_answer(talking: Stand, vendor: ScriptedVendor, reader: Reader) -> None:
    """An account, a question, an answer as it is written; the conversation stands in the list under its first words."""
    page = await join(reader, talking)
    go_on = asyncio.Event()
    vendor.will(halting(go_on, ["# Lanes\n\nThey are **old"], ["** and `narrow`."]))

    await ask(page, "Tell me of the hutongs")

    reply = page.locator(REPLY)
    await expect(reply.locator("h3")).to_have_text("Lanes")
    await expect(reply).to_have_attribute("aria-busy", "true")
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    go_on.set()
    await expect(reply.locator("strong")).to_have_text("old")
    await expect(reply).to_have_attribute("aria-busy", "false")
    await expect(page.get_by_role("link", name="Tell me of the hutongs")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Tell me of the hutongs")
    assert "#/c/" in page.url


async def test_enter_sends_shift_enter_makes_a_line_and_a_word_being_composed_is_left_alone(
    talking: Stand, vendor: ScriptedVendor, reader: Reader
) -> None:
    page = await join(reader, talking)
    box = page.get_by_label("Ask something")
    await box.fill("one")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("two")
    composing = (
        'box => box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true }))'
    )
    await box.evaluate(composing)
    await expect(box).to_have_value("one\ntwo")
    vendor.will(Script(told("Both")))

    await page.keyboard.press("Enter")

    await answered(page, "Both")
    await expect(page.locator(QUESTION).locator(".words")).to_have_text("one\ntwo")
    await expect(box).to_have_value("")


async def test_escape_stops_and_what_came_is_kept(talking: Stand, vendor: ScriptedVendor, reader: Reader) -> None:
    page = await join(reader, talking)
    vendor.will(halting(asyncio.Event(), ["So far"], [" and further"]))
    await ask(page, "Count")
    await expect(page.locator(REPLY).locator(".words")).to_have_text("So far")

    await page.keyboard.press("Escape")

    await answered(page, "So far")
    await expect(page.locator(REPLY)).to_contain_text("Stopped here.")
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    await page.reload()
    await answered(page, "So far")


async def test_a_reply_is_written_again_and_both_can_be_read(
    talking: Stand, vendor: ScriptedVendor, reader: Reader
) -> None:
    page = await join(reader, talking)
    vendor.will(Script(told("First")), Script(told("Second")))
    await ask(page, "A name?")
    await answered(page, "First")

    await page.get_by_role("button", name="Answer again").click()

    await answered(page, "Second")
    await expect(page.get_by_label("Version 2 of 2")).to_be_visible()
    await page.get_by_role("button", name="Version before").click()
    await answered(page, "First")
    assert await page.locator(REPLY).count() == 1


async def test_an_edited_question_is_a_branch_of_its_own(
    talking: Stand, vendor: ScriptedVendor, reader: Reader
) -> None:
    page = await join(reader, talking)
    vendor.will(Script(told("Of red")), Script(told("More red")), Script(told("Of blue")))
    await ask(page, "Tell me of red")
    await answered(page, "Of red")
    await ask(page, "More")
    await answered(page, "More red")

    first = page.locator(QUESTION).first
    await first.hover()
    await first.get_by_role("button", name="Edit").click()
    await page.get_by_role("textbox", name="Edit").fill("Tell me of blue")
    await page.keyboard.press("Enter")

    await answered(page, "Of blue")
    assert await page.locator(QUESTION).count() == 1
    await page.get_by_role("button", name="Version before").click()
    await answered(page, "More red")
    await expect(page.locator(QUESTION).first.locator(".words")).to_have_text("Tell me of red")


async def test_a_failure_says_so_and_can_be_tried_again(talking: Stand, vendor: ScriptedVendor, reader: Reader) -> None:
    page = await join(reader, talking)
    vendor.will(failing(500), Script(told("Better")))
    await ask(page, "Anything")
    await expect(page.locator(REPLY)).to_contain_text("There is no reply")

    await page.get_by_role("button", name="Try again").click()

    await answered(page, "Better")


async def test_a_reply_that_breaks_off_is_never_shown_as_whole(
    talking: Stand, vendor: ScriptedVendor, reader: Reader
) -> None:
    page = await join(reader, talking)
    vendor.will(Script([*told("Half")[:2], Cut()]))

    await ask(page, "Anything")

    await answered(page, "Half")
    await expect(page.locator(REPLY)).to_contain_text("The reply was cut off here")


# -- reloading, several tabs --------------------------------------------------------------------------------------------------


async def test_a_reload_in_the_middle_loses_nothing(talking: Stand, vendor: ScriptedVendor, reader: Reader) -> None:
    page = await join(reader, talking)
    go_on = asyncio.Event()
    vendor.will(halting(go_on, ["One", " two"], [" three"]))
    await ask(page, "Count")
    await expect(page.locator(REPLY).locator(".words")).to_have_text("One two")

    await page.reload()

    await expect(page.locator(REPLY).locator(".words")).to_have_text("One two")
    await expect(page.locator(REPLY)).to_have_attribute("aria-busy", "true")
    go_on.set()
    await answered(page, "One two three")
    assert len(vendor.asked) == 1


async def test_a_second_tab_sees_the_same_while_it_is_written(
    talking: Stand, vendor: ScriptedVendor, reader: Reader
) -> None:
    """The tab opened before is told over its socket; it may stop the reply, too."""
    page = await join(reader, talking)
    vendor.will(Script(told("Yes")))
    await ask(page, "Are you there?")
    await answered(page, "Yes")
    other = await reader.open(page.url)
    await answered(other, "Yes")
    vendor.will(halting(asyncio.Event(), ["One", " two"], [" three"]))

    await ask(page, "Count")

    await expect(other.locator(REPLY).last.locator(".words")).to_have_text("One two")
    await expect(other.locator(QUESTION).last.locator(".words")).to_have_text("Count")
    await other.keyboard.press("Escape")
    await answered(page, "One two")
    await answered(other, "One two")


async def test_a_socket_that_opens_late_takes_over_where_the_stream_was(
    talking: Stand, vendor: ScriptedVendor, reader: Reader
) -> None:
    """Nothing is said twice, and nothing left out."""
    page = await join(reader, talking)
    opening, go_on = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        await opening.wait()
        await route.continue_()

    vendor.will(halting(go_on, ["One", " two"], [" three"]))
    await ask(page, "Count")
    await expect(page.locator(REPLY).locator(".words")).to_have_text("One two")
    await page.route("**/ws/ticket", late)
    await page.reload()
    await expect(page.locator(REPLY).locator(".words")).to_have_text("One two")

    async with page.expect_websocket() as coming:
        opening.set()
    socket = await coming.value
    await socket.wait_for_event("framereceived", lambda frame: "attached" in str(frame))
    go_on.set()

    await answered(page, "One two three")


async def test_without_a_socket_the_stream_alone_will_do(
    talking: Stand, vendor: ScriptedVendor, reader: Reader
) -> None:
    page = await join(reader, talking)
    await page.route("**/ws/ticket", lambda route: route.abort())
    go_on = asyncio.Event()
    vendor.will(halting(go_on, ["One"], [" two"]))
    await ask(page, "Count")
    await expect(page.locator(REPLY).locator(".words")).to_have_text("One")

    await page.reload()

    await expect(page.locator(REPLY).locator(".words")).to_have_text("One")
    go_on.set()
    await answered(page, "One two")


# -- the session --------------------------------------------------------------------------------------------------------------


TOKEN = """async () => (await import(new URL("page/js/session.js", document.baseURI))).accessToken()"""
LISTED = """async () => {
  const api = await import(new URL("page/js/api.js", document.baseURI));
  return (await api.conversations({})).items.length;
}"""


async def test_tabs_whose_token_is_over_renew_it_once(talking: Stand, vendor: ScriptedVendor, reader: Reader) -> None:
    """Two tabs are refused at the same moment: one asks for new tokens, the other takes the access token from it."""
    page = await join(reader, talking)
    other = await reader.open(page.url)
    await expect(other.get_by_role("heading", name="What is on your mind?")).to_be_visible()
    renewals: list[str] = []

    def note(request: Request) -> None:
        if "auth/refresh" in request.url:
            renewals.append(request.url)

    reader.context.on("request", note)
    used: set[str] = set()

    async def over(route: Route) -> None:
        if route.request.headers.get("authorization") in used:
            body = '{"error": {"code": "auth.token_expired", "message": "x"}}'
            await route.fulfill(status=401, body=body, content_type="application/json")
        else:
            await route.continue_()

    for tab in (page, other):
        token = await tab.evaluate(
            'async () => (await import(new URL("page/js/session.js", document.baseURI))).accessToken()'
        )
        used.add(f"Bearer {token}")
    await reader.context.route("**/conversations?*", over)

    listed = (
        'async () => (await (await import(new URL("page/js/api.js", document.baseURI))).conversations({})).items.length'
    )
    found = await asyncio.gather(page.evaluate(listed), other.evaluate(listed))

    assert list(found) == [0, 0]
    assert len(renewals) == 1


async def test_signing_out_in_one_tab_closes_the_others(talking: Stand, reader: Reader) -> None:
    page = await join(reader, talking)
    other = await reader.open(page.url)
    await expect(other.get_by_role("heading", name="What is on your mind?")).to_be_visible()

    await page.locator(".who").click()
    await page.get_by_role("menuitem", name="Sign out").click()

    for tab in (page, other):
        await expect(tab.get_by_role("heading", name="Good to see you again")).to_be_visible()
        await expect(tab.get_by_text("Your session is over.")).to_be_hidden()
    await page.get_by_label("Username or mail address").fill("lin")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="What is on your mind?")).to_be_visible()


async def test_a_session_that_was_ended_elsewhere_ends_here_with_a_word(talking: Stand, reader: Reader) -> None:
    page = await join(reader, talking)
    token = await page.evaluate(TOKEN)
    url, headers = f"{talking.base}/chat/api/v1/auth/logout", {"Authorization": f"Bearer {token}"}
    async with talking.client.post(url, headers=headers, json={"all": True}) as answer:
        assert answer.status == 204

    await page.reload()

    await expect(page.get_by_role("alert")).to_have_text("Your session is over. Sign in again.")


async def test_a_wrong_password_is_told_in_place(talking: Stand, reader: Reader) -> None:
    await join(reader, talking)
    page = await reader.open(f"{talking.base}/chat/")
    await page.locator(".who").click()
    await page.get_by_role("menuitem", name="Sign out").click()
    await page.get_by_label("Username or mail address").fill("lin")
    await page.get_by_label("Password").fill("not the right one")

    await page.get_by_role("button", name="Sign in").click()

    await expect(page.get_by_role("alert")).not_to_be_empty()
    await expect(page.get_by_role("button", name="Sign in")).to_be_enabled()


# -- the list -----------------------------------------------------------------------------------------------------------------


async def test_conversations_are_found_renamed_archived_and_deleted(
    talking: Stand, vendor: ScriptedVendor, reader: Reader
) -> None:
    page = await join(reader, talking)
    for question in ("Of courtyards", "Of gates"):
        vendor.will(Script(told("Fine")))
        await page.get_by_role("button", name="New conversation").first.click()
        await ask(page, question)
        await answered(page, "Fine")
    row = page.locator(".row").filter(has_text="Of courtyards")

    await page.keyboard.press("Control+k")
    await page.keyboard.type("courtyards")
    await expect(page.locator(".row")).to_have_count(1)
    await page.keyboard.press("Escape")
    await expect(page.locator(".row")).to_have_count(2)

    await row.hover()
    await row.get_by_role("button", name="Options of").click()
    await page.get_by_role("menuitem", name="Rename").click()
    await page.get_by_label("Rename").fill("Courtyards and gates")
    await page.keyboard.press("Enter")
    row = page.locator(".row").filter(has_text="Courtyards and gates")
    await expect(row).to_be_visible()

    await row.get_by_role("button", name="Options of").click()
    await page.get_by_role("menuitem", name="Archive").click()
    await expect(page.locator(".row")).to_have_count(1)
    await page.locator(".who").click()
    await page.get_by_role("menuitem", name="Archived conversations").click()
    await expect(page.locator(".row")).to_have_text(["Courtyards and gates"])
    await row.hover()
    await row.get_by_role("button", name="Options of").click()
    await page.get_by_role("menuitem", name="Delete").click()
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("Nothing is archived.")).to_be_visible()


async def test_what_is_exported_can_be_imported_again(talking: Stand, vendor: ScriptedVendor, reader: Reader) -> None:
    page = await join(reader, talking)
    vendor.will(Script(told("Fine")))
    await ask(page, "Of courtyards")
    await answered(page, "Fine")
    await page.get_by_role("button", name="Options", exact=True).click()
    async with page.expect_download() as coming:
        await page.get_by_role("menuitem", name="Export as JSON").click()
    file = await (await coming.value).path()
    await page.get_by_role("button", name="Options", exact=True).click()
    await page.get_by_role("menuitem", name="Delete").click()
    await page.get_by_role("button", name="Delete").click()
    await expect(page.locator(".row")).to_have_count(0)

    await page.locator(".who").click()
    async with page.expect_file_chooser() as choosing:
        await page.get_by_role("menuitem", name="Import conversations").click()
    await (await choosing.value).set_files(file)

    await page.get_by_role("link", name="Of courtyards").click()
    await answered(page, "Fine")


async def test_a_system_prompt_stands_before_everything(talking: Stand, vendor: ScriptedVendor, reader: Reader) -> None:
    page = await join(reader, talking)
    await page.get_by_role("button", name="Options", exact=True).click()
    await page.get_by_role("menuitem", name="System prompt").click()
    await page.get_by_label("System prompt").last.fill("Answer in one word.")
    await page.get_by_role("button", name="Save").click()
    vendor.will(Script(told("Red")))

    await ask(page, "A colour?")

    await answered(page, "Red")
    asked = vendor.asked[0].body["messages"]
    assert asked == [
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "A colour?"},
    ]
    await expect(page.locator(".said")).to_have_count(2)


# -- the look -----------------------------------------------------------------------------------------------------------------


async def test_in_chinese(talking: Stand, vendor: ScriptedVendor, browser: Browser) -> None:
    async with reading(browser, locale="zh-CN") as reader:
        page = await reader.open(f"{talking.base}/chat/")
        await expect(page.get_by_role("heading", name="欢迎回来")).to_be_visible()
        assert await page.locator("html").get_attribute("lang") == "zh-CN"
        await page.get_by_role("button", name="注册").click()
        await page.get_by_label("用户名").fill("小林同学")
        await page.get_by_label("邮箱").fill("lin@example.com")
        await page.get_by_label("密码").fill(PASSWORD)
        await page.get_by_role("button", name="注册").click()
        vendor.will(Script(told("胡同**很老。**")))
        await page.get_by_label("输入您的问题").fill("胡同有多老？")
        await page.keyboard.press("Enter")

        await answered(page, "胡同很老。")

        await page.locator(".who").click()
        await page.get_by_role("menuitem", name="English").click()
        await expect(page.get_by_label("Ask something")).to_be_visible()
        await answered(page, "胡同很老。")
        assert reader.complaints == []


BACKGROUND = "() => getComputedStyle(document.body).backgroundColor"


async def test_dark_as_the_system_has_it_and_by_choice(talking: Stand, browser: Browser) -> None:
    async with reading(browser, color_scheme="dark") as reader:
        page = await reader.open(f"{talking.base}/chat/")
        dark = await page.evaluate(BACKGROUND)
        assert dark == "rgb(25, 24, 22)"

        await page.get_by_role("button", name="Light look").click()

        assert await page.evaluate(BACKGROUND) == "rgb(251, 249, 245)"
        await page.reload()
        assert await page.evaluate(BACKGROUND) == "rgb(251, 249, 245)"
        await page.get_by_role("button", name="Dark look").click()
        await page.emulate_media(color_scheme="light")
        assert await page.evaluate(BACKGROUND) == "rgb(251, 249, 245)", (
            "the choice was the system's own, so it follows it"
        )


WIDER = "() => document.documentElement.scrollWidth > innerWidth || document.querySelector('.thread').scrollWidth > innerWidth"


async def test_on_a_phone_nothing_is_wider_than_the_screen(
    talking: Stand, vendor: ScriptedVendor, browser: Browser
) -> None:
    """Not even long words, tables and code; the list is a drawer that goes away when something is chosen."""
    async with reading(browser, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True) as reader:
        page = await join(reader, talking)
        vendor.will(
            Script(
                told(
                    "x" * 400,
                    "\n\n|a|b|c|d|e|f|g|\n|-|-|-|-|-|-|-|\n|",
                    "wide cell|" * 7,
                    "\n\n```\n",
                    "y" * 300,
                    "\n```\n",
                )
            )
        )
        await ask(page, "w" * 300)
        await expect(page.locator(REPLY)).to_have_attribute("aria-busy", "false")

        assert not await page.evaluate(WIDER)

        await expect(page.locator(".side")).not_to_be_in_viewport()
        await page.get_by_role("button", name="Open the list").click()
        await expect(page.locator(".side")).to_be_in_viewport()
        await page.locator(".row a").click()
        await expect(page.locator(".side")).not_to_be_in_viewport()
        assert reader.complaints == []


# -- quotas and keys ----------------------------------------------------------------------------------------------------------


async def test_a_used_up_quota_says_until_when_and_keeps_the_words(
    stand_up: Callable[..., Any], vendor: ScriptedVendor, reader: Reader
) -> None:
    settings = settings_for(vendor)
    settings["chat"]["quota"] = {"daily_requests": 1}
    page = await join(reader, await stand_up(**settings))
    await expect(page.get_by_role("button", name="Quota")).to_contain_text("0 / 1")
    vendor.will(Script(told("Once")))
    await ask(page, "First")
    await answered(page, "Once")
    await expect(page.get_by_role("button", name="Quota")).to_contain_text("1 / 1")

    await ask(page, "Second")

    told_ = page.get_by_role("status").filter(has_text="Your quota is used up (requests of today). It resets")
    await expect(told_).to_be_visible()
    await expect(page.get_by_label("Ask something")).to_have_value("Second")
    assert len(vendor.asked) == 1
    await page.get_by_role("button", name="Quota").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Requests this month")


async def test_an_api_key_is_shown_once_and_can_be_revoked(talking: Stand, reader: Reader) -> None:
    page = await join(reader, talking)
    await page.locator(".who").click()
    await page.get_by_role("menuitem", name="API keys").click()
    await page.get_by_label("Name of the key").fill("laptop")
    await page.get_by_role("button", name="Make a key").click()
    secret = await page.locator(".secret code").text_content()
    assert secret and secret.startswith("hk-")
    headers = {"Authorization": f"Bearer {secret}"}
    async with talking.client.get(f"{talking.base}/chat/v1/models", headers=headers) as answer:
        assert answer.status == 200
    await expect(page.locator(".keys li")).to_contain_text("laptop")

    await page.get_by_role("button", name="Revoke").click()
    await page.get_by_role("button", name="Delete").click()

    await expect(page.get_by_text("No keys yet.")).to_be_visible()


async def test_without_a_network_the_page_says_so(talking: Stand, reader: Reader) -> None:
    page = await join(reader, talking)

    await reader.context.set_offline(True)

    await expect(page.get_by_text("You are offline.")).to_be_visible()
    await ask(page, "Anybody?")
    await expect(page.get_by_text("The server cannot be reached.")).to_be_visible()
    await expect(page.get_by_label("Ask something")).to_have_value("Anybody?")
    await reader.context.set_offline(False)
    await expect(page.get_by_text("You are offline.")).to_be_hidden()
    reader.complaints.clear()
