"""The sandbox of WeChat Pay: its post office, its buttons, its page, and what it refuses."""

import string
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hutong.kernel.http.outbound import Outbound
from hutong.kernel.orders.errors import ChannelRefused
from hutong.kernel.orders.ports import Charge, Money
from hutong.kit.clock import ManualClock, epoch_ms
from hutong.providers.wechat.pay import v2_xml
from hutong.providers.wechat.pay.sandbox import page_texts as vendor_texts
from hutong.providers.wechat.pay.sandbox.app import RETRY_SECONDS, VENDOR, create_sandbox
from hutong.providers.wechat.pay.sandbox.credentials import SandboxKeys
from hutong.providers.wechat.pay.signatures import authorization
from hutong.sandbox.payments import PaymentSandboxSettings
from hutong.sandbox.payments import page_texts as frame_texts
from hutong.sandbox.payments.buttons import BUTTONS
from support.http import http_client, serving
from support.payments import PRICE, PayBench, wechat, wechat_v2
from support.stand import until

# The post office


def test_the_schedule_is_the_vendors() -> None:
    assert len(RETRY_SECONDS) == 15
    assert sum(RETRY_SECONDS) == timedelta(hours=24, minutes=4).total_seconds()


async def test_a_notice_that_nobody_takes_comes_sixteen_times_within_a_day(bench: PayBench) -> None:
    """Each time with the same id and a fresh signature."""
    bench.merchant.busy = True
    await bench.paid()

    async def given_up() -> bool:
        bench.clock.advance(1)
        return {row["state"] for row in (await bench.state())["notices"]} == {"given up"}

    await until(given_up)
    letters = bench.merchant.letters
    assert len(letters) == 1 + len(RETRY_SECONDS)
    assert len({headers["wechatpay-nonce"] for headers, _ in letters}) == len(letters)
    bench.merchant.busy = False
    assert len({bench.channel.read_notice(*letter).notice_id for letter in letters[-1:]}) == 1


async def test_duplicates_come_at_the_same_time(bench: PayBench) -> None:
    await bench.press("duplicate", copies=30)
    payment = await bench.paid()

    notices = await bench.notices(30)

    assert {notice.payment for notice in notices} == {payment}


async def test_a_delayed_notice_comes_later(bench: PayBench) -> None:
    await bench.press("delay", seconds=60)
    late = await bench.paid()
    prompt = await bench.paid()

    assert [notice.payment for notice in await bench.notices(1)] == [prompt]
    bench.clock.advance(61)
    assert (await bench.notices(2))[1].payment == late


async def test_another_process_delivers_what_a_dead_one_had_in_hand(bench: PayBench) -> None:
    """A delivery that was begun is not lost with its process."""
    sandbox = create_sandbox(
        PaymentSandboxSettings(folder=bench.folder, public_url=bench.url, retry_factor=1), clock=bench.clock
    ).state.sandbox
    await bench.press("delay", seconds=5)
    await bench.paid()
    await sandbox.state.write(
        lambda conn: conn.execute(
            "UPDATE notices SET state = 'sending', due_ms = ?", (sandbox.state.now_ms() + 30_000,)
        )
    )
    await sandbox.start()
    bench.clock.advance(31)

    assert (await bench.notices(1))[0].payment is not None
    await sandbox.close()


@asynccontextmanager
async def credulous() -> AsyncIterator[str]:
    """A merchant that takes whatever comes."""

    async def take(_: Request) -> Response:
        return Response(status_code=204)

    async with serving(Starlette(routes=[Route("/notify", take, methods=["POST"])])) as url:
        yield f"{url}/notify"


async def test_a_receiver_that_swallows_forgeries_is_shown_up(bench: PayBench) -> None:
    outbound = Outbound(allow_private=True)
    async with credulous() as address:
        channel = wechat(bench.folder, bench.url, outbound, bench.clock, notify_url=address)
        charge = bench.charge()
        await channel.open(charge)
        await bench.press("corrupt")
        await bench.press("pay", order_no=charge.order_no)

        async def swallowed() -> bool:
            return bool((await bench.state())["totals"].get("swallowed") == 1)

        await until(swallowed)
    async with bench.client.get(f"{bench.url}/") as answer:
        assert "The receiver acknowledged deliveries that were forged" in await answer.text()
    await outbound.close()


# Buttons


async def test_a_closed_order_can_be_paid_late_on_purpose(bench: PayBench) -> None:
    """Which no vendor should do, and every merchant must survive."""
    charge = await bench.opened()
    await bench.channel.close(charge.order_no)
    await bench.press("pay", order_no=charge.order_no, late=True)

    (notice,) = await bench.notices(1)

    assert notice.payment is not None
    assert notice.payment.order_no == charge.order_no


async def test_a_second_payment_has_a_number_of_its_own(bench: PayBench) -> None:
    payment = await bench.paid()
    await bench.press("pay-again", order_no=payment.order_no)

    await bench.notices(2)

    first, second = bench.merchant.payments
    assert first.order_no == second.order_no
    assert first.transaction_id != second.transaction_id


async def test_a_refund_from_the_back_office_is_reported(bench: PayBench) -> None:
    payment = await bench.paid()
    await bench.press("refund", order_no=payment.order_no, amount=34)

    refund = (await bench.notices(2))[1].refund

    assert refund is not None
    assert refund.refund_no.startswith("BACK-OFFICE-")
    assert refund.money == Money(34, "CNY")


async def test_what_cannot_be_done_is_told(bench: PayBench) -> None:
    charge = await bench.opened()
    await bench.press("pay", order_no="NEVEROPENED1", expected=404)
    await bench.press("nothing", expected=404)
    await bench.press("notify", order_no=charge.order_no, expected=409)
    await bench.press("refund", order_no=charge.order_no, amount=1, expected=409)
    await bench.press("pay", order_no=charge.order_no, amount="x", expected=400)
    await bench.press("slow", seconds=-1, expected=400)
    await bench.press("refuse", code="NO_SUCH_CODE", expected=400)
    await bench.press("twist", kind="magic", expected=400)
    await bench.press("hang", on="nothing", expected=400)
    await bench.press("pay", order_no=charge.order_no)
    await bench.press("pay", order_no=charge.order_no, expected=409)
    await bench.press("close", order_no=charge.order_no, expected=409)
    assert (await bench.state())["faults"] == []


async def test_other_sites_press_nothing(bench: PayBench) -> None:
    async with bench.client.post(f"{bench.url}/control/clear", headers={"Origin": "http://evil.example"}) as answer:
        assert answer.status == 403


async def test_everything_is_forgotten(bench: PayBench) -> None:
    await bench.paid()
    await until(lambda: settled(bench))
    state = await bench.press("clear")

    assert (state["trades"], state["notices"], state["totals"]) == ([], [], {})


async def settled(bench: PayBench) -> bool:
    """Whether every notice was taken, and the vendor knows it."""
    return {row["state"] for row in (await bench.state())["notices"]} == {"delivered"}


async def test_a_slow_vendor_answers_late(bench: PayBench) -> None:
    await bench.press("slow", seconds=0.3)
    begun = time.monotonic()
    await bench.opened()

    assert time.monotonic() - begun >= 0.3


# What the wire refuses


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"[]", 400), (b"{", 400), (b'{"amount":{"total":1.5}}', 400), (b"x" * 70_000, 401)],
    ids=["empty", "list", "broken", "fraction", "large"],
)
async def test_a_body_that_is_no_order_is_refused(bench: PayBench, body: bytes, status: int) -> None:
    """Rightly signed, with nothing usable in it."""
    assert await signed_post(bench, "/v3/pay/transactions/native", body) == status


async def signed_post(bench: PayBench, path: str, body: bytes) -> int:
    own = SandboxKeys(bench.folder).account
    header = authorization(own, "POST", path, body, epoch_ms(bench.clock.now()) // 1000)
    async with bench.client.post(f"{bench.url}{path}", data=body, headers={"Authorization": header}) as answer:
        return answer.status


async def test_the_older_api_refuses_at_the_door(v2_bench: PayBench) -> None:
    """Without a right signature, and without XML, there is an answer, but no signed one."""
    for body in (b"", v2_xml.render({"appid": "x", "sign": "y"}), b"<xml><a>1</a><a>2</a></xml>"):
        async with v2_bench.client.post(f"{v2_bench.url}/pay/unifiedorder", data=body) as answer:
            assert answer.status == 200
            found = v2_xml.parse(await answer.read())
        assert "FAIL" in {found["return_code"], found.get("result_code")}
    assert (await v2_bench.state())["trades"] == []


async def test_both_apis_share_one_book(bench: PayBench) -> None:
    """An order number is taken once."""
    outbound = Outbound(allow_private=True)
    charge = await bench.opened()
    other = wechat_v2(bench.folder, bench.url, outbound, bench.clock)
    with pytest.raises(ChannelRefused, match="OUT_TRADE_NO_USED"):
        await other.open(charge)
    await outbound.close()


# The page


@pytest.mark.parametrize("texts", [vendor_texts, frame_texts], ids=["vendor", "frame"])
def test_every_word_is_there_in_both_languages(texts: object) -> None:
    english, chinese = texts.ENGLISH, texts.CHINESE  # type: ignore[attr-defined]

    assert english.keys() == chinese.keys()
    assert [name for name, text in english.items() if not text.strip(string.whitespace)] == []


@pytest.mark.parametrize(("lang", "words"), [("en", "WeChat Pay sandbox"), ("zh", "微信支付沙箱")])
async def test_the_page_shows_the_book(bench: PayBench, lang: str, words: str) -> None:
    payment = await bench.paid()
    await bench.press("delay", seconds=60)
    await bench.press("refund", order_no=payment.order_no, amount=34)
    await bench.notices(1)
    closed = await bench.opened()
    await bench.channel.close(closed.order_no)
    await bench.opened()
    await bench.press("down")
    async with bench.client.get(f"{bench.url}/?lang={lang}") as answer:
        html, policy = await answer.text(), answer.headers["Content-Security-Policy"]

    assert words in html
    assert payment.order_no in html
    assert f"{PRICE.amount // 100}.{PRICE.amount % 100:02d} CNY" in html
    assert "default-src 'none'" in policy
    assert "built-in method" not in html  # a word named like a method of dict
    for name in {*BUTTONS, *VENDOR.twists} - {"twist"}:
        assert f'action="control/{name}"' in html, name


async def test_a_button_leads_back_to_the_page(bench: PayBench) -> None:
    charge = await bench.opened()
    form = {"order_no": charge.order_no, "lang": "zh"}
    async with bench.client.post(f"{bench.url}/control/pay", data=form, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "../?done=pay&lang=zh")


async def test_a_book_outlives_its_process(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))
    for expected in (0, 1):
        app = create_sandbox(PaymentSandboxSettings(folder=tmp_path, public_url="http://x"), clock=clock)
        outbound = Outbound(allow_private=True)
        async with serving(app, lifespan="on") as url, http_client() as client:
            async with client.get(f"{url}/control/state") as answer:
                assert len((await answer.json())["trades"]) == expected
            if not expected:
                channel = wechat(tmp_path, url, outbound, clock)
                soon = clock.now() + timedelta(minutes=30)
                price = Money(1230, "CNY")
                await channel.open(Charge("ORDER00000001", price, "An hour", soon, f"{url}/notify", "203.0.113.7"))
        await outbound.close()
