"""The channel against the sandbox, over real HTTP."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hutong.kernel.http.outbound import Outbound
from hutong.kernel.orders.errors import ChannelRefused, ChannelUnavailable
from hutong.kernel.orders.ports import Closing, Money, PaymentState, RefundState
from hutong.kit.clock import SystemClock
from hutong.providers.alipay.client import AlipayChannel
from hutong.providers.alipay.settings import AlipaySettings
from providers.alipay.bench import AlipayBench, alipay_bench
from providers.alipay.peers import account
from support.rsa_keys import rsa_key

ORDER = "202611030000000001"


async def test_a_page_is_paid_and_the_merchant_hears_of_it(bench: AlipayBench) -> None:
    parameters = await bench.channel.open(bench.charge(ORDER, 29))
    assert parameters.way == "page"
    assert (await bench.channel.query(ORDER)).state is PaymentState.UNKNOWN
    await bench.look(parameters.values["pay_url"])
    assert (await bench.channel.query(ORDER)).state is PaymentState.WAITING
    await bench.pay_at(parameters.values["pay_url"])
    found = await bench.channel.query(ORDER)
    assert found.state is PaymentState.PAID
    await bench.pay.notices(1)
    notice = bench.pay.merchant.taken[0]
    assert notice.payment == found.payment
    assert notice.payment is not None
    assert notice.payment.money == Money(29, "CNY")
    assert abs(notice.payment.paid_at - bench.pay.clock.now()) < timedelta(minutes=1)


async def test_a_code_is_paid(tmp_path: Path) -> None:
    """Nobody scanned it: there is no trade yet. Scanned, it is paid as a page is."""
    async with alipay_bench(tmp_path, way="native") as bench:
        parameters = await bench.channel.open(bench.charge(ORDER))
        assert parameters.way == "native"
        assert (await bench.channel.query(ORDER)).state is PaymentState.UNKNOWN
        await bench.pay_at(parameters.values["code_url"])
        await bench.pay.notices(1)
        assert (await bench.channel.query(ORDER)).state is PaymentState.PAID


async def test_a_page_for_phones_is_another_method(tmp_path: Path) -> None:
    async with alipay_bench(tmp_path, way="wap", return_url="https://shop.example/back?a=1") as bench:
        url = await bench.page(ORDER)
        assert parse_qs(urlsplit(url).query)["method"] == ["alipay.trade.wap.pay"]
        assert "https://shop.example/back?a=1" in await bench.look(url)
        await bench.pay_at(url)


async def test_opening_again_is_the_same_payment(bench: AlipayBench) -> None:
    first = await bench.channel.open(bench.charge(ORDER))
    await bench.pay_at(first.values["pay_url"])
    again = await bench.channel.open(bench.charge(ORDER))
    assert 'id="pay"' not in await bench.look(again.values["pay_url"])


async def test_a_page_that_was_altered_is_not_taken(bench: AlipayBench) -> None:
    url = await bench.page(ORDER)
    assert "isv.invalid-signature" in await bench.look(url.replace("12.30", "00.01"))
    assert (await bench.channel.query(ORDER)).state is PaymentState.UNKNOWN


async def test_after_its_end_a_page_opens_nothing_and_cannot_be_paid(tmp_path: Path) -> None:
    """Which is what makes it safe to call an order closed that Alipay has never heard of."""
    async with alipay_bench(tmp_path) as bench:
        seen = await bench.page("seen0001")
        unseen = await bench.page("unseen01")
        await bench.look(seen)
        bench.pay.clock.advance(30 * 60)
        assert 'id="pay"' not in await bench.look(seen)
        assert "ACQ.INVALID_PARAMETER" in await bench.look(unseen)
        assert (await bench.channel.query("seen0001")).state is PaymentState.CLOSED
        assert (await bench.channel.query("unseen01")).state is PaymentState.UNKNOWN
        assert await bench.channel.close("seen0001") is Closing.CLOSED
        assert await bench.channel.close("unseen01") is Closing.CLOSED


async def test_the_end_that_is_signed_is_never_later_than_the_charge_s(bench: AlipayBench) -> None:
    """Alipay knows whole seconds only."""
    end = bench.pay.clock.now().replace(microsecond=999_999) + timedelta(minutes=5)
    url = await bench.page(ORDER, expires_at=end)
    await bench.look(url)
    trade = (await bench.pay.state())["trades"][0]
    assert trade["expires_ms"] == int(end.replace(microsecond=0).timestamp()) * 1000


async def test_closing(bench: AlipayBench) -> None:
    await bench.look(await bench.page("open0001"))
    assert await bench.channel.close("open0001") is Closing.CLOSED
    assert await bench.channel.close("open0001") is Closing.CLOSED
    assert (await bench.channel.query("open0001")).state is PaymentState.CLOSED
    assert await bench.channel.close("never001") is Closing.CLOSED
    await bench.paid("paid0001")
    assert await bench.channel.close("paid0001") is Closing.PAID


async def test_closing_while_the_state_is_not_clear_is_asked_later(bench: AlipayBench) -> None:
    await bench.look(await bench.page(ORDER))
    await bench.pay.press("refuse", code="ACQ.TRADE_STATUS_ERROR", on="close")
    assert await bench.channel.close(ORDER) is Closing.LATER
    await bench.pay.press("refuse", code="ACQ.TRADE_HAS_SUCCESS", on="close")
    assert await bench.channel.close(ORDER) is Closing.PAID
    await bench.pay.press("refuse", code="ACQ.TRADE_HAS_CLOSE", on="close")
    assert await bench.channel.close(ORDER) is Closing.CLOSED


async def test_refunds_in_parts_and_in_full(bench: AlipayBench) -> None:
    """Given back in full the trade is closed at Alipay; that money did arrive stays true."""
    paid = await bench.paid(ORDER, 1230)
    part, rest = bench.pay.back(paid, 230, "R1"), bench.pay.back(paid, 1000, "R2")
    assert (await bench.channel.query_refund(part)).state is RefundState.UNKNOWN
    done = await bench.channel.refund(part)
    assert (done.state, done.refund_no, done.money) == (RefundState.DONE, "R1", Money(230, "CNY"))
    assert (await bench.channel.query_refund(part)).money == Money(230, "CNY")
    assert (await bench.channel.query(ORDER)).state is PaymentState.PAID
    assert (await bench.channel.refund(rest)).state is RefundState.DONE
    found = await bench.channel.query(ORDER)
    assert (found.state, found.payment) == (PaymentState.PAID, paid)
    await bench.pay.notices(3)
    told = {each.refund.refund_no for each in bench.pay.merchant.taken if each.refund is not None}
    assert told == {"R1", "R2"}
    assert bench.pay.merchant.refused == []


async def test_a_refund_asked_twice_gives_back_once(bench: AlipayBench) -> None:
    refund = bench.pay.back(await bench.paid(ORDER), 1230, "R1")
    await bench.pay.press("lose-answer", on="refund")
    with pytest.raises(ChannelUnavailable):
        await bench.channel.refund(refund)
    assert (await bench.channel.refund(refund)).state is RefundState.DONE
    assert sum(each["amount"] for each in (await bench.pay.state())["trades"][0]["refunds"]) == 1230


async def test_one_number_is_one_refund(bench: AlipayBench) -> None:
    paid = await bench.paid(ORDER)
    await bench.channel.refund(bench.pay.back(paid, 100, "R1"))
    with pytest.raises(ChannelRefused, match="DISCORDANT"):
        await bench.channel.refund(bench.pay.back(paid, 200, "R1"))


async def test_more_than_was_paid_is_refused(bench: AlipayBench) -> None:
    paid = await bench.paid(ORDER)
    with pytest.raises(ChannelRefused, match="REFUND_FEE_ERR"):
        await bench.channel.refund(bench.pay.back(paid, 1231, "R1"))


async def test_a_refund_that_comes_to_nothing_is_unknown(bench: AlipayBench) -> None:
    """Alipay has no word for it: without the money's move it is under way, and a query knows nothing of it."""
    refund = bench.pay.back(await bench.paid(ORDER), 100, "R1")
    await bench.pay.press("refund-fails")
    assert (await bench.channel.refund(refund)).state is RefundState.PROCESSING
    assert (await bench.channel.query_refund(refund)).state is RefundState.UNKNOWN


async def test_a_refund_whose_time_is_over_failed(bench: AlipayBench) -> None:
    refund = bench.pay.back(await bench.paid(ORDER), 100, "R1")
    await bench.pay.press("refuse", code="ACQ.TRADE_HAS_FINISHED", on="refund")
    found = await bench.channel.refund(refund)
    assert (found.state, found.reason) == (RefundState.FAILED, "ACQ.TRADE_HAS_FINISHED")


@pytest.mark.parametrize(
    "code", ["ACQ.SYSTEM_ERROR", "isv.app-call-limited", "ACQ.SELLER_BALANCE_NOT_ENOUGH", "isv.invalid-signature"]
)
async def test_what_may_be_better_later_is_unavailable(bench: AlipayBench, code: str) -> None:
    paid = await bench.paid(ORDER)
    await bench.pay.press("refuse", code=code, times=4)
    for call in (bench.channel.query(ORDER), bench.channel.close(ORDER), bench.channel.ping()):
        with pytest.raises(ChannelUnavailable) as caught:
            await call
        assert caught.value.retry_after
    with pytest.raises(ChannelUnavailable):
        await bench.channel.refund(bench.pay.back(paid, 1, "R1"))


async def test_what_is_refused_for_good_is_refused(bench: AlipayBench) -> None:
    await bench.pay.press("refuse", code="ACQ.INVALID_PARAMETER", on="query")
    with pytest.raises(ChannelRefused, match="INVALID_PARAMETER") as caught:
        await bench.channel.query(ORDER)
    assert caught.value.details == {"channel_code": "ACQ.INVALID_PARAMETER"}


async def test_a_vendor_that_is_down_says_nothing(bench: AlipayBench) -> None:
    await bench.pay.press("down")
    with pytest.raises(ChannelUnavailable):
        await bench.channel.close(ORDER)
    await bench.pay.press("reset")
    await bench.channel.ping()


async def test_an_unsigned_answer_says_nothing(bench: AlipayBench) -> None:
    """Not even that there is no such application: whoever stands in between could say so."""
    await bench.pay.press("refuse", code="isv.invalid-app-id", on="close")
    with pytest.raises(ChannelUnavailable, match=r"isv\.invalid-app-id"):
        await bench.channel.close(ORDER)


async def test_an_answer_of_another_key_says_nothing(bench: AlipayBench) -> None:
    own = bench.keys.account()
    channel = bench.channel_of(lambda: replace(own, alipay_keys=(rsa_key("alipay next year").public_key(),)))
    with pytest.raises(ChannelUnavailable, match="signature"):
        await channel.ping()


async def test_while_alipay_s_key_changes_both_are_believed(bench: AlipayBench) -> None:
    own = bench.keys.account()
    both = (rsa_key("alipay next year").public_key(), *own.alipay_keys)
    await bench.channel_of(lambda: replace(own, alipay_keys=both)).ping()


async def test_requests_that_we_did_not_sign_are_refused_by_the_sandbox(bench: AlipayBench) -> None:
    own = bench.keys.account()
    stranger = replace(own, private_key=rsa_key("a stranger"))
    with pytest.raises(ChannelUnavailable, match=r"isv\.invalid-signature"):
        await bench.channel_of(lambda: stranger).ping()


async def test_nobody_answers(bench: AlipayBench) -> None:
    own = bench.keys.account()
    channel = AlipayChannel(
        AlipaySettings(), "http://127.0.0.1:9/gateway.do", lambda: own, bench.outbound, bench.pay.clock
    )
    with pytest.raises(ChannelUnavailable):
        await channel.query(ORDER)


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"order_no": "2026-0001"}, "order numbers"),
        ({"money": Money(100, "USD")}, "CNY"),
        ({"money": Money(0, "CNY")}, "CNY"),
        ({"money": Money(-1, "CNY")}, "CNY"),
        ({"money": Money(10_000_000_001, "CNY")}, "CNY"),
        ({"expires_at": SystemClock().now() - timedelta(seconds=1)}, "time to pay"),
    ],
)
async def test_what_alipay_would_not_take_is_not_signed(
    bench: AlipayBench, changes: dict[str, Any], because: str
) -> None:
    with pytest.raises(ChannelRefused, match=because):
        await bench.channel.open(bench.charge(**{"order_no": ORDER, **changes}))


@pytest.mark.parametrize("description", ["50 % off & <b>more</b> = 2/3", '"quoted"\\', "\x00\n\t", "长" * 200])
async def test_any_description_becomes_a_subject(bench: AlipayBench, description: str) -> None:
    """Some characters are refused by Alipay, and an empty subject is."""
    url = await bench.page(ORDER, description=description)
    assert 'id="pay"' in await bench.look(url)


async def test_notices_that_go_wrong_are_refused_and_come_again(bench: AlipayBench) -> None:
    """Each of the page's lies is refused, nothing is believed twice over, and the true notice arrives at last."""
    for twist in ("corrupt", "wrong-key", "foreign", "stale"):
        await bench.pay.press(twist)
    await bench.paid(ORDER)
    await bench.pay.hurried(1)
    assert bench.pay.merchant.refused == ["forged", "forged", "foreign", "stale"]
    assert (await bench.pay.state())["totals"].get("swallowed", 0) == 0
    assert [each.payment.money for each in bench.pay.merchant.taken if each.payment] == [Money(1230, "CNY")]


async def test_a_wrong_amount_is_told_as_it_is(bench: AlipayBench) -> None:
    await bench.pay.press("wrong-amount")
    await bench.paid(ORDER)
    await bench.pay.notices(1)
    payment = bench.pay.merchant.taken[0].payment
    assert payment is not None
    assert payment.money == Money(1231, "CNY")


async def test_a_notice_that_is_not_acknowledged_comes_again_under_its_id(bench: AlipayBench) -> None:
    bench.pay.merchant.busy = True
    await bench.paid(ORDER)
    await bench.pay.letters(2)
    bench.pay.merchant.busy = False
    await bench.pay.hurried(1)
    state = await bench.pay.state()
    assert bench.pay.merchant.taken[0].notice_id == state["notices"][0]["id"]
    assert state["totals"]["unacknowledged"] >= 1


async def test_many_copies_are_one_notice(bench: AlipayBench) -> None:
    await bench.paid(ORDER)
    await bench.pay.notices(1)
    await bench.pay.press("notify", order_no=ORDER, copies=50)
    await bench.pay.notices(51)
    assert len({notice.notice_id for notice in bench.pay.merchant.taken}) == 1
    assert len({notice.payment for notice in bench.pay.merchant.taken}) == 1


async def test_a_second_payment_has_a_number_of_its_own(bench: AlipayBench) -> None:
    await bench.paid(ORDER)
    await bench.pay.press("pay-again", order_no=ORDER)
    await bench.pay.notices(2)
    numbers = {each.payment.transaction_id for each in bench.pay.merchant.taken if each.payment}
    assert len(numbers) == 2


@pytest.mark.parametrize("refusal", ["the database is away", "", "This payment notice is not well formed."])
def test_anything_but_success_is_a_failure(refusal: str) -> None:
    channel = AlipayChannel(AlipaySettings(), "", account, Outbound(allow_private=True), SystemClock())
    assert (channel.acknowledge(None).status, channel.acknowledge(None).body) == (200, b"success")
    said = channel.acknowledge(refusal)
    assert said.body == b"failure"
    assert said.status in {400, 500}
