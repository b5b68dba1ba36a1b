"""Orders that are not paid: expired and cancelled only after the vendor has closed them, paid when it says otherwise."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from hutong.kernel.db import utc_now
from hutong.kernel.jobs.tables import jobs
from hutong.kernel.orders import Money, OrderStatus, Review
from hutong.kernel.orders.errors import (
    ChannelRefused,
    ChannelUnavailable,
    OrderAlreadyPaid,
    OrderExpired,
    OrderNotCancellable,
)
from hutong.kit.paging import PageRequest
from support.shop import CALLER, PRICE, Counter

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_an_order_whose_time_is_up_is_closed_at_the_vendor_and_expires(counter: Counter) -> None:
    made, later = await counter.order(), None
    counter.clock.advance(900)
    later = await counter.order()
    counter.clock.advance(900)
    shown = await counter.look(made)
    await counter.sweep()

    assert (shown.status, shown.pay) == (OrderStatus.EXPIRED, None)
    assert await counter.moves(made) == ["pending", "expired"]
    assert counter.vendor.state(made.order_no) == "closed"
    assert (await counter.look(later)).status is OrderStatus.PENDING


async def test_a_payment_whose_report_was_lost_is_found_before_the_order_expires(counter: Counter) -> None:
    made = await counter.order()
    counter.vendor.pay(made.order_no)
    counter.clock.advance(3600)
    await counter.sweep()
    await counter.work_off()

    assert await counter.moves(made) == ["pending", "paid"]
    assert counter.handed == [made.order_no]


@ONE_DATABASE
async def test_a_payment_between_the_question_and_the_closing_is_found_too(counter: Counter) -> None:
    made = await counter.order()

    async def pay(call: str) -> None:
        if call == "close":
            counter.vendor.pay_anyway(made.order_no, at=made.expires_at - timedelta(seconds=1))

    counter.clock.advance(3600)
    counter.vendor.on_call = pay
    await counter.sweep()

    assert await counter.moves(made) == ["pending", "paid"]


@ONE_DATABASE
@pytest.mark.parametrize("trouble", ["query", "close", "answer:close", "later", "refuses"])
async def test_while_the_vendor_cannot_say_an_order_does_not_expire(counter: Counter, trouble: str) -> None:
    """It shows as expired all the same, and a lost answer is asked for again."""
    made = await counter.order()
    counter.clock.advance(3600)
    counter.vendor.away = {trouble} - {"later", "refuses"}
    counter.vendor.closes_later = trouble == "later"
    counter.vendor.refuses = {"close"} if trouble == "refuses" else set()
    await counter.sweep()
    before = await counter.moves(made)
    counter.vendor.away, counter.vendor.refuses, counter.vendor.closes_later = set(), set(), False
    shown = (await counter.look(made)).status
    await counter.run("reconcile")

    assert (before, shown) == (["pending"], OrderStatus.EXPIRED)
    assert await counter.moves(made) == ["pending", "expired"]


@ONE_DATABASE
async def test_a_vendor_that_is_away_is_not_asked_about_every_order(counter: Counter) -> None:
    for _ in range(30):
        await counter.order()
    counter.clock.advance(3600)
    counter.vendor.away, counter.vendor.calls = {"query"}, []
    await counter.sweep()

    assert len(counter.vendor.calls) <= 8


@ONE_DATABASE
async def test_an_order_with_a_wrong_payment_expires(counter: Counter) -> None:
    """The vendor says that it is paid, for ever; it cannot be paid right any more."""
    made = await counter.order()
    await counter.post(counter.vendor.pay(made.order_no, money=Money(PRICE + 1, "CNY")))
    counter.clock.advance(3600)
    await counter.sweep()
    found = await counter.look(made)

    assert await counter.moves(made) == ["pending", "expired"]
    assert found.review is Review.AMOUNT_DIFFERS


async def test_a_cancelled_order_is_closed_at_the_vendor_first_and_cancelling_again_changes_nothing(
    counter: Counter,
) -> None:
    made = await counter.order()
    found = [await counter.orders.cancel(7, made.order_no) for _ in range(2)]

    assert [order.status for order in found] == [OrderStatus.CANCELLED] * 2
    assert counter.vendor.state(made.order_no) == "closed"
    assert counter.vendor.calls == ["open", "close"]
    assert await counter.moves(made) == ["pending", "cancelled"]


@ONE_DATABASE
async def test_an_order_that_turns_out_to_be_paid_is_not_cancelled(counter: Counter) -> None:
    made = await counter.order()
    counter.vendor.pay(made.order_no)
    with pytest.raises(OrderAlreadyPaid):
        await counter.orders.cancel(7, made.order_no)
    with pytest.raises(OrderAlreadyPaid):
        await counter.orders.cancel(7, made.order_no)

    assert await counter.moves(made) == ["pending", "paid"]


@ONE_DATABASE
@pytest.mark.parametrize("swept", [False, True])
async def test_an_order_whose_time_is_up_is_not_cancelled(counter: Counter, swept: bool) -> None:
    made = await counter.order()
    counter.clock.advance(1800)
    if swept:
        await counter.sweep()
    with pytest.raises(OrderExpired):
        await counter.orders.cancel(7, made.order_no)


@ONE_DATABASE
async def test_an_order_whose_time_runs_out_while_it_is_cancelled_expires(counter: Counter) -> None:
    made = await counter.order()

    async def dawdle(call: str) -> None:
        counter.clock.advance(1800)

    counter.vendor.on_call = dawdle
    with pytest.raises(OrderExpired):
        await counter.orders.cancel(7, made.order_no)

    assert await counter.moves(made) == ["pending", "expired"]


@ONE_DATABASE
@pytest.mark.parametrize("trouble", ["close", "later", "refuses"])
async def test_an_order_that_cannot_be_closed_stays(counter: Counter, trouble: str) -> None:
    made = await counter.order()
    counter.vendor.away = {trouble} - {"later", "refuses"}
    counter.vendor.closes_later = trouble == "later"
    counter.vendor.refuses = {"close"} if trouble == "refuses" else set()
    with pytest.raises((ChannelUnavailable, ChannelRefused)):
        await counter.orders.cancel(7, made.order_no)

    assert await counter.moves(made) == ["pending"]


@ONE_DATABASE
async def test_a_failed_order_is_not_cancelled(counter: Counter) -> None:
    counter.vendor.refuses = {"open"}
    with pytest.raises(ChannelRefused):
        await counter.orders.create(7, "points-100", "till", CALLER)
    (failed,) = (await counter.orders.list(7, PageRequest())).items
    with pytest.raises(OrderNotCancellable):
        await counter.orders.cancel(7, failed.order_no)


async def test_a_lost_report_is_asked_for_at_growing_intervals(counter: Counter) -> None:
    """15 s after the order, then twice as late each time, up to five minutes; and at the end of its time."""
    made = await counter.order()
    waits = []
    while (await counter.moves(made)) == ["pending"]:
        waits.append(await _next_wait(counter))
        counter.clock.advance(waits[-1])
        if len(waits) == 8:
            counter.vendor.pay(made.order_no)
        await counter.run("reconcile")

    assert waits == [15, 15, 30, 60, 120, 240, 300, 300]
    assert await counter.moves(made) == ["pending", "paid"]


async def _next_wait(counter: Counter) -> int:
    """Seconds, by the database's clock, from the last look until the next one."""
    waiting = select(jobs.c.run_at, utc_now()).where(jobs.c.task == "shop.orders.reconcile")
    due, now = await counter.db.read(lambda conn: conn.execute(waiting).one())
    return int(round((due - now).total_seconds() / 5) * 5)


@ONE_DATABASE
async def test_at_the_end_of_its_time_a_pending_order_is_settled_by_its_own_job_too(counter: Counter) -> None:
    made = await counter.order()
    counter.clock.advance(1800)
    await counter.run("reconcile")

    assert await counter.moves(made) == ["pending", "expired"]


@ONE_DATABASE
@pytest.mark.parametrize(("state", "status"), [("closed", "cancelled"), ("failed", "failed")])
async def test_what_ended_at_the_vendor_ends_here(counter: Counter, state: str, status: str) -> None:
    made = await counter.order()
    counter.vendor.put(made.order_no, state)
    await counter.run("reconcile")

    assert await counter.moves(made) == ["pending", status]
    assert counter.vendor.state(made.order_no) == "closed"


@ONE_DATABASE
async def test_after_an_order_ended_the_vendor_is_asked_once_more(counter: Counter) -> None:
    """A payment that slipped in, and whose report was lost, is found."""
    made = await counter.order()
    await counter.orders.cancel(7, made.order_no)
    await counter.run("reconcile")
    counter.vendor.pay_anyway(made.order_no)
    counter.clock.advance(2100)
    await counter.run("reconcile")

    assert await counter.moves(made) == ["pending", "cancelled", "paid"]
    assert await counter.run("reconcile") == 0


@ONE_DATABASE
async def test_the_last_look_comes_after_the_time_in_which_it_could_be_paid(counter: Counter) -> None:
    """What was called off in its first minute may stay payable until its own end, where its vendor had nothing to close."""
    made = await counter.order()
    counter.clock.advance(60)
    await counter.orders.cancel(7, made.order_no)
    for _ in range(17):  # 29 minutes later: more than ten since it was called off, and a minute before its end
        counter.clock.advance(100)
        await counter.run("reconcile")
    counter.vendor.put(made.order_no, "waiting")
    counter.vendor.pay(made.order_no)
    counter.clock.advance(400)
    await counter.run("reconcile")

    assert await counter.moves(made) == ["pending", "cancelled", "paid"]


@ONE_DATABASE
@pytest.mark.parametrize("trouble", ["paid meanwhile", "closes later"])
async def test_the_last_look_believes_no_closing_that_was_none(counter: Counter, trouble: str) -> None:
    """Between the last question and the closing somebody pays, or the vendor cannot close yet: it is asked once more."""
    made = await counter.order()
    await counter.orders.cancel(7, made.order_no)
    counter.vendor.put(made.order_no, "waiting")

    async def meanwhile(call: str) -> None:
        if call == "close" and trouble == "paid meanwhile":
            counter.vendor.pay_anyway(made.order_no)

    counter.vendor.on_call, counter.vendor.closes_later = meanwhile, trouble == "closes later"
    counter.clock.advance(2101)
    await counter.run("reconcile")
    if trouble == "closes later":
        counter.vendor.pay_anyway(made.order_no)
        await counter.run("reconcile")

    assert await counter.moves(made) == ["pending", "cancelled", "paid"]


@ONE_DATABASE
async def test_an_answer_about_another_order_pays_neither(counter: Counter) -> None:
    made, other = await counter.order(), await counter.order()
    counter.vendor.pay(other.order_no)
    counter.vendor.mixes_up = (made.order_no, other.order_no)
    await counter.run("reconcile")

    assert await counter.moves(made) == ["pending"]
    assert await counter.number("SELECT COUNT(*) FROM order_payments WHERE order_no = :no", no=made.order_no) == 0
