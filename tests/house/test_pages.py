"""The pages that people open in a browser: they say what they should, in two languages, and load nothing from outside."""

from pathlib import Path

import pytest

from support.browser import PHONE, WIDE, look
from support.mails import mails_to
from support.stand import Stand, until

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

FRONT, SANDBOX, MAIL, API = "/", "/sandbox/dashscope/", "/sandbox/mail/", "/emoji/docs"
WECHAT_PAY, OPENAI = "/sandbox/wechatpay/", "/sandbox/openai/"
WORDS = {
    (FRONT, "en"): [
        "Hutong is up",
        "storefront",
        "API description and try-out",
        "DashScope sandbox",
        "Mail sandbox",
        "/readyz",
    ],
    (FRONT, "zh-CN"): ["Hutong 已启动", "接口文档与调试", "DashScope 沙箱：", "健康检查"],
    (SANDBOX, "en"): ["DashScope sandbox", "No mishap is armed", "Refuse account", "Save"],
    (SANDBOX, "zh-CN"): ["DashScope 沙箱", "没有布置故障", "拒绝账号", "保存"],
    (WECHAT_PAY, "en"): ["WeChat Pay sandbox", "No order yet", "No mishap is armed", "Probe signature", "Vendor down"],
    (WECHAT_PAY, "zh-CN"): ["微信支付沙箱", "还没有订单", "没有布置故障", "签名探测", "服务中断"],
    (OPENAI, "en"): [
        "OpenAI sandbox",
        "No call yet",
        "No mishap is armed",
        "End early",
        "Tokens a minute",
        "gpt-4o-mini",
    ],
    (OPENAI, "zh-CN"): ["OpenAI 沙箱", "还没有调用", "没有布置故障", "提前结束", "每分钟 token 数"],
    (MAIL, "en"): ["Mail sandbox", "No mail yet", "No mishap is armed", "Lose the answer", "messages.json"],
    (MAIL, "zh-CN"): ["邮件沙箱", "还没有邮件", "没有布置故障", "丢失应答", "messages.json"],
    (API, "en"): [
        "API of Hutong emoji",
        "Authorize",
        "/api/v1/auth/login",
        "Sign in by device",
        "/api/v1/emoji/create",
    ],
    (API, "zh-CN"): ["Hutong emoji 接口文档", "Authorize", "/api/v1/auth/login", "OpenAPI 文档"],
}
BLANK = 300  # a line of smoothed black text on white has about a hundred colours
SIZES = {"wide": WIDE, "phone": PHONE}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("path", "language"), WORDS, ids=str)
async def test_a_page_is_complete_without_the_internet(
    stand: Stand, tmp_path: Path, path: str, language: str, size: str
) -> None:
    """The browser finds no host but this one, and the page's own policy refuses nothing that the page needs."""
    shot = await look(stand.base + path, tmp_path / "page.png", language=language, size=SIZES[size])

    assert [word for word in WORDS[path, language] if word not in shot.words] == [], shot.words[:500]
    assert f'lang="{language}"' in shot.document
    assert shot.foreign_addresses() == []
    assert shot.complaints == []
    assert shot.colours > BLANK


async def test_the_sandbox_shows_what_was_done_and_what_will_go_wrong(stand: Stand, tmp_path: Path) -> None:
    phone = await stand.phone()
    created = (await phone.create(await phone.uploaded())).data
    await phone.ended(created["task_id"])
    await stand.press("fail", code="InternalError.Upload")

    shot = await look(stand.base + SANDBOX, tmp_path / "page.png")

    assert "Armed mishaps" in shot.words
    assert "InternalError.Upload" in shot.words
    assert "SUCCEEDED" in shot.words
    assert "<video" in shot.document
    assert shot.foreign_addresses() == []
    assert shot.complaints == []


@pytest.mark.parametrize("size", SIZES)
async def test_a_mail_can_be_read_in_the_browser(stand: Stand, tmp_path: Path, size: str) -> None:
    """In the list with its code, and opened, its HTML in a frame that loads nothing."""
    mail, values = stand.host.kernel.mail, {"purpose": "login", "code": "482913", "minutes": "10"}
    await stand.host.kernel.db.write(mail.enqueue, "account.code", "li@example.com", "zh-CN", values)
    (sent,) = await until(lambda: mails_to(stand.client, stand.base, "li@example.com"))

    inbox = await look(stand.base + MAIL, tmp_path / "inbox.png", size=SIZES[size])
    opened = await look(f"{stand.base}{MAIL}messages/{sent['id']}", tmp_path / "mail.png", size=SIZES[size])

    for word in ("li@example.com", "Hutong 登录验证码", "482913", "250 2.0.0 taken"):
        assert word in inbox.words, inbox.words[:800]
    for word in ("Message-ID", sent["message_id"], "验证码 10 分钟内有效", "as it came"):
        assert word in opened.words, opened.words[:800]
    for shot in (inbox, opened):
        assert (shot.foreign_addresses(), shot.complaints) == ([], [])
        assert shot.colours > BLANK


async def test_a_call_can_be_opened_in_the_api_page(stand: Stand, tmp_path: Path) -> None:
    url = f"{stand.base}{API}#/auth/login"

    shot = await look(url, tmp_path / "page.png")

    for word in ("No token needed", "device_id", "Execute", "Request body"):
        assert word in shot.words, shot.words[:800]
    assert [line for line in shot.complaints if "Content Security Policy" in line] == []


async def test_the_picture_of_a_page_that_is_missing_is_no_page(stand: Stand, tmp_path: Path) -> None:
    """The measure of these tests: a blank page fails it."""
    shot = await look(f"{stand.base}/nothing-here", tmp_path / "page.png")

    assert shot.words.strip() == "Not found"
    assert shot.colours < BLANK


async def test_the_api_page_keeps_a_strict_policy(stand: Stand) -> None:
    async with stand.client.get(stand.base + API) as answer:
        policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    assert "script-src 'self';" in policy
    for path in ("swagger-ui.css", "swagger-ui-bundle.js"):
        async with stand.client.get(f"{stand.base}{API}/assets/{path}") as answer:
            assert answer.status == 200
