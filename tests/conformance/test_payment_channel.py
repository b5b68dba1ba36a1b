"""What every implementation of `PaymentChannel` does, seen through the port, with its vendor's sandbox over real HTTP.

A new channel joins by adding its bench to `CHANNELS` in tests/support/payments.py.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest

from hutong.kernel.orders.errors import ChannelRefused, ChannelUnavailable, NoticeRefused
from hutong.kernel.orders.ports import Closing, Money, PaymentState, RefundState
from support.payments import CHANNELS, PRICE, PayBench
from support.stand import until


@pytest.fixture(params=CHANNELS)
async def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PayBench]:
    async with CHANNELS[request.param](tmp_path_factory.mktemp(request.param)) as made:
        yield made


# Open, query


async def test_an_order_waits_until_it_is_paid(bench: PayBench) -> None:
    charge = bench.charge()
    assert (await bench.channel.query(charge.order_no)).state is PaymentState.UNKNOWN

    parameters = await bench.channel.open(charge)

    assert parameters.values and all(parameters.values.values())
    await bench.visit(parameters)
    found = await bench.channel.query(charge.order_no)
    assert (found.state, found.payment) == (PaymentState.WAITING, None)


async def test_a_payment_is_what_was_asked_for(bench: PayBench) -> None:
    charge = await bench.opened()
    await bench.press("pay", order_no=charge.order_no)

    found = await bench.channel.query(charge.order_no)

    assert found.state is PaymentState.PAID
    assert found.payment is not None
    assert (found.payment.order_no, found.payment.money) == (charge.order_no, PRICE)
    assert abs((found.payment.paid_at - bench.clock.now()).total_seconds()) < 2
    assert found.payment.transaction_id
    assert found.payment.payer


async def test_another_sum_than_asked_for_is_told_as_it_is(bench: PayBench) -> None:
    charge = await bench.opened()
    await bench.press("pay", order_no=charge.order_no, amount=1)

    found = await bench.channel.query(charge.order_no)

    assert found.payment is not None
    assert found.payment.money == Money(1, "CNY")


async def test_opening_twice_is_one_payment(bench: PayBench) -> None:
    charge = await bench.opened()
    again = await bench.channel.open(charge)

    assert again.values
    assert len((await bench.state())["trades"]) == 1


async def test_an_order_number_stands_for_one_price(bench: PayBench) -> None:
    charge = await bench.opened()

    with pytest.raises(ChannelRefused):
        await bench.channel.open(dataclasses.replace(charge, money=Money(1, "CNY")))
    assert (await bench.state())["trades"][0]["amount"] == PRICE.amount


async def test_a_paid_order_is_not_opened_again(bench: PayBench) -> None:
    charge = await bench.opened()
    await bench.press("pay", order_no=charge.order_no)

    with pytest.raises(ChannelRefused):
        await bench.channel.open(charge)


async def test_a_foreign_currency_is_refused(bench: PayBench) -> None:
    assert "USD" not in bench.channel.currencies

    with pytest.raises(ChannelRefused):
        await bench.channel.open(bench.charge(money=Money(100, "USD")))
    assert (await bench.state())["trades"] == []


@pytest.mark.parametrize("amount", [0, -1, 10**18])
async def test_an_impossible_sum_is_refused(bench: PayBench, amount: int) -> None:
    with pytest.raises(ChannelRefused):
        await bench.channel.open(bench.charge(money=Money(amount, "CNY")))


async def test_an_order_that_expired_cannot_be_paid(bench: PayBench) -> None:
    charge = await bench.opened(minutes=5)
    bench.clock.advance(5 * 60 + 1)

    assert (await bench.channel.query(charge.order_no)).state is PaymentState.CLOSED
    await bench.press("pay", order_no=charge.order_no, expected=409)


async def test_the_vendor_answers(bench: PayBench) -> None:
    await bench.channel.ping()
    await bench.press("down")

    with pytest.raises(ChannelUnavailable):
        await bench.channel.ping()


# Close


async def test_a_closed_order_cannot_be_paid(bench: PayBench) -> None:
    charge = await bench.opened()

    assert await bench.channel.close(charge.order_no) is Closing.CLOSED

    assert (await bench.channel.query(charge.order_no)).state is PaymentState.CLOSED
    await bench.press("pay", order_no=charge.order_no, expected=409)


async def test_closing_again_and_closing_nothing_come_to_the_same(bench: PayBench) -> None:
    charge = await bench.opened()
    await bench.channel.close(charge.order_no)

    assert await bench.channel.close(charge.order_no) is Closing.CLOSED
    assert await bench.channel.close("NEVEROPENED1") is Closing.CLOSED


async def test_closing_a_paid_order_says_that_it_is_paid(bench: PayBench) -> None:
    payment = await bench.paid()

    assert await bench.channel.close(payment.order_no) is Closing.PAID
    assert (await bench.channel.query(payment.order_no)).payment == payment


async def test_pay_and_close_have_one_winner(bench: PayBench) -> None:
    """Whoever loses is told so, and the query afterwards agrees with the winner."""
    charges = [await bench.opened() for _ in range(8)]

    async def pay(order_no: str) -> bool:
        url = f"{bench.url}/control/pay"
        async with bench.client.post(
            url, json={"order_no": order_no}, headers={"Accept": "application/json"}
        ) as answer:
            return answer.status == 200

    for charge in charges:
        paid, closing = await asyncio.gather(pay(charge.order_no), bench.channel.close(charge.order_no))
        state = (await bench.channel.query(charge.order_no)).state
        expected = (Closing.PAID, PaymentState.PAID) if paid else (Closing.CLOSED, PaymentState.CLOSED)
        assert (closing, state) == expected


# Refund


async def test_a_refund_arrives(bench: PayBench) -> None:
    refund = bench.back(await bench.paid(), PRICE.amount)
    assert (await bench.channel.query_refund(refund)).state is RefundState.UNKNOWN

    first = await bench.channel.refund(refund)
    assert first.state in {RefundState.PROCESSING, RefundState.DONE}

    async def done() -> bool:
        return (await bench.channel.query_refund(refund)).state is RefundState.DONE

    await until(done)
    found = await bench.channel.query_refund(refund)
    assert (found.refund_no, found.money) == (refund.refund_no, PRICE)
    assert (await bench.channel.query(refund.order_no)).state is PaymentState.PAID


async def test_one_refund_number_refunds_once(bench: PayBench) -> None:
    refund = bench.back(await bench.paid(), 500)

    first, *others = [await bench.channel.refund(refund) for _ in range(3)]

    assert {found.channel_refund_id for found in others} == {first.channel_refund_id}
    trade = (await bench.state())["trades"][0]
    assert [each["amount"] for each in trade["refunds"]] == [500]


async def test_twenty_askings_at_once_refund_once(bench: PayBench) -> None:
    refund = bench.back(await bench.paid(), PRICE.amount)

    await asyncio.gather(*(bench.channel.refund(refund) for _ in range(20)))

    assert len((await bench.state())["trades"][0]["refunds"]) == 1


async def test_a_payment_is_given_back_in_parts_and_never_more(bench: PayBench) -> None:
    payment = await bench.paid()
    await bench.channel.refund(bench.back(payment, 1000, "REFUNDPART1"))
    await bench.channel.refund(bench.back(payment, 234, "REFUNDPART2"))

    with pytest.raises(ChannelRefused):
        await bench.channel.refund(bench.back(payment, 1, "REFUNDPART3"))
    trade = (await bench.state())["trades"][0]
    assert sorted(each["amount"] for each in trade["refunds"]) == [234, 1000]


async def test_a_refund_number_stands_for_one_sum(bench: PayBench) -> None:
    payment = await bench.paid()
    await bench.channel.refund(bench.back(payment, 100))

    with pytest.raises(ChannelRefused):
        await bench.channel.refund(bench.back(payment, 200))


async def test_what_was_not_paid_is_not_given_back(bench: PayBench) -> None:
    payment = await bench.paid()
    await bench.opened()

    with pytest.raises(ChannelRefused):
        await bench.channel.refund(
            dataclasses.replace(bench.back(payment, 1), transaction_id="4200000000000000000000000000")
        )


async def test_a_refund_that_fails_later_says_so(bench: PayBench) -> None:
    await bench.press("refund-fails")
    refund = bench.back(await bench.paid(), 100)
    await bench.channel.refund(refund)

    told = RefundState.FAILED if bench.habits.tells_failures else RefundState.UNKNOWN

    async def failed() -> bool:
        return (await bench.channel.query_refund(refund)).state is told

    await until(failed)


# Trouble on the way


@pytest.mark.parametrize("button", ["down", "hang", "lose-answer"])
async def test_nothing_is_known_when_the_vendor_does_not_answer(bench: PayBench, button: str) -> None:
    """Whatever was asked, it is no refusal; asked again, all is as if nothing had happened."""
    refund = bench.back(await bench.paid(), 100)
    charge, closed = bench.charge(), await bench.opened()
    calls = (bench.channel.open(charge), bench.channel.close(closed.order_no), bench.channel.refund(refund))
    await bench.press(button, **({"times": 3} if button != "down" else {}))

    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [ChannelUnavailable] * 3
    await bench.press("reset")
    await bench.channel.open(charge)
    assert await bench.channel.close(closed.order_no) is Closing.CLOSED
    assert (await bench.channel.refund(refund)).state in {RefundState.PROCESSING, RefundState.DONE}
    assert len([each for trade in (await bench.state())["trades"] for each in trade["refunds"]]) == 1


# Notices


async def test_a_payment_is_reported(bench: PayBench) -> None:
    payment = await bench.paid()

    (notice,) = await bench.notices(1)

    assert notice.payment == payment
    assert notice.refund is None
    assert notice.notice_id and notice.event


async def test_a_refund_is_reported(bench: PayBench) -> None:
    refund = bench.back(await bench.paid(), 234)
    await bench.channel.refund(refund)

    notices = await bench.notices(2)

    (reported,) = [notice.refund for notice in notices if notice.refund is not None]
    money = Money(234, "CNY") if bench.habits.tells_refunded else None
    assert (reported.state, reported.refund_no, reported.money) == (RefundState.DONE, refund.refund_no, money)


async def test_the_same_report_has_the_same_id(bench: PayBench) -> None:
    payment = await bench.paid()
    await bench.notices(1)
    await bench.press("notify", order_no=payment.order_no, copies=5)

    notices = await bench.notices(6)

    assert {notice.payment for notice in notices} == {payment}
    assert len({notice.notice_id for notice in notices}) == 1


async def test_what_is_not_acknowledged_comes_again(bench: PayBench) -> None:
    bench.merchant.busy = True
    await bench.paid()
    await bench.letters(3)
    bench.merchant.busy = False

    (notice, *_) = await bench.hurried(1)

    assert notice.payment is not None


async def test_a_report_is_answered_as_the_vendor_understands(bench: PayBench) -> None:
    """Once it is taken it does not come again; refused, it does."""
    await bench.press("corrupt")
    await bench.paid()
    await bench.notices(1)

    async def settled() -> bool:
        return {row["state"] for row in (await bench.state())["notices"]} == {"delivered"}

    await until(settled)
    assert len(bench.merchant.letters) == 2
    assert (await bench.state())["totals"]["delivered"] == 1


@pytest.mark.parametrize("twist", ["corrupt", "wrong-key", "foreign"])
async def test_a_report_that_is_not_genuine_is_refused(bench: PayBench, twist: str) -> None:
    await bench.press(twist)
    payment = await bench.paid()

    (notice,) = await bench.notices(1)

    assert len(bench.merchant.refused) == 1
    assert notice.payment == payment  # the genuine one came after it
    assert "swallowed" not in (await bench.state())["totals"]


async def test_a_genuine_report_of_another_sum_says_what_it_says(bench: PayBench) -> None:
    """Whether it is enough is not for the channel to judge."""
    await bench.press("wrong-amount")
    await bench.paid()

    (notice,) = await bench.notices(1)

    assert notice.payment is not None
    assert notice.payment.money == Money(PRICE.amount + 1, "CNY")


async def test_a_refund_may_be_reported_before_its_payment(bench: PayBench) -> None:
    await bench.press("reorder")
    payment = await bench.paid()
    await bench.channel.refund(bench.back(payment, 100))

    first, second = await bench.notices(2)

    assert first.refund is not None
    assert second.payment == payment


@pytest.mark.parametrize("body", [b"", b"{}", b"<xml></xml>", b"null", b"\xff\xfe", b"a=b&c=d", b"x" * 70_000])
async def test_rubbish_is_refused(bench: PayBench, body: bytes) -> None:
    with pytest.raises(NoticeRefused):
        bench.channel.read_notice({}, body)


async def test_a_changed_byte_anywhere_is_refused(bench: PayBench) -> None:
    await bench.paid()
    (headers, body), *_ = await bench.letters(1)
    bench.channel.read_notice(headers, body)

    for place in range(0, len(body), 7):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises(NoticeRefused):
            bench.channel.read_notice(headers, changed)


async def test_refusals_say_so_to_the_vendor(bench: PayBench) -> None:
    refused, taken = bench.channel.acknowledge("not stored"), bench.channel.acknowledge(None)

    assert refused.status >= 400 or refused.body != taken.body
    assert taken.status in {200, 204}
