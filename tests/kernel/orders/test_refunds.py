"""Refunds: full, partial, never more than was paid, once a key, whatever the vendor does. Source: reference O13."""

import asyncio

import pytest

from hutong.kernel.credits import EntryKind, balance_of, spend
from hutong.kernel.credits.ledger import Move
from hutong.kernel.entitlements import find_active, grant_membership
from hutong.kernel.orders import Money, OrderStatus, RefundStage, Review
from hutong.kernel.orders.errors import (
    OrderNotPaid,
    OrderUnknown,
    RefundKeyReused,
    RefundRefused,
    RefundTooLarge,
)
from support.shop import PRICE, Counter, ids

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def yuan(amount: int) -> Money:
    return Money(amount, "CNY")


async def test_a_full_refund_gives_everything_back_once(counter: Counter) -> None:
    made = await counter.paid()
    asked = [await counter.orders.refund(made.order_no, None, "changed their mind", "k") for _ in range(2)]
    between = await counter.look(made)
    await counter.work_off()
    found = await counter.look(made)
    again = await counter.orders.refund(made.order_no, None, "changed their mind", "k")

    assert {view.refund_no for view in asked} == {again.refund_no}
    assert (asked[0].money, asked[0].stage, again.stage) == (yuan(PRICE), RefundStage.REQUESTED, RefundStage.DONE)
    assert (between.status, found.status, found.refunded) == (OrderStatus.REFUND_PENDING, OrderStatus.REFUNDED, PRICE)
    assert counter.vendor.given_back(made.order_no) == PRICE
    assert await counter.moves(made) == ["pending", "paid", "refund_pending", "refunded"]


async def test_partial_refunds_add_up_to_what_was_paid_and_no_more(counter: Counter) -> None:
    made = await counter.paid()
    await counter.orders.refund(made.order_no, yuan(990), "one", "k1")
    await counter.work_off()
    partly = await counter.look(made)
    with pytest.raises(RefundTooLarge) as refusal:
        await counter.orders.refund(made.order_no, yuan(1001), "too much", "k2")
    await counter.orders.refund(made.order_no, None, "the rest", "k3")
    await counter.work_off()
    with pytest.raises(RefundTooLarge):
        await counter.orders.refund(made.order_no, None, "nothing is left", "k4")
    views = await counter.orders.list_refunds(7, made.order_no)

    assert (partly.status, partly.refunded) == (OrderStatus.PARTIALLY_REFUNDED, 990)
    assert refusal.value.details == {"left": 1000}
    assert [(view.money.amount, view.reason) for view in views] == [(990, "one"), (1000, "the rest")]
    assert (await counter.look(made)).status is OrderStatus.REFUNDED


async def test_of_twenty_refunds_at_once_no_more_go_through_than_were_paid_for(counter: Counter) -> None:
    made = await counter.paid()
    calls = [counter.orders.refund(made.order_no, yuan(300), "at once", f"k{number}") for number in range(20)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.gather(*(counter.run("refund") for _ in range(4)))

    assert sum(isinstance(outcome, RefundTooLarge) for outcome in outcomes) == 14
    assert counter.vendor.given_back(made.order_no) == 1800
    assert (await counter.look(made)).refunded == 1800


async def test_one_key_at_once_is_one_refund(counter: Counter) -> None:
    made = await counter.paid()
    calls = [counter.orders.refund(made.order_no, yuan(300), "at once", "k") for _ in range(20)]
    views = await asyncio.gather(*calls)
    await counter.work_off()

    assert len({view.refund_no for view in views}) == 1
    assert counter.vendor.given_back(made.order_no) == 300


@ONE_DATABASE
@pytest.mark.parametrize(
    ("money", "key", "error"),
    [
        (Money(0, "CNY"), "k", RefundRefused),
        (Money(-1, "CNY"), "k", RefundRefused),
        (Money(1.5, "CNY"), "k", RefundRefused),  # type: ignore[arg-type]
        (Money(True, "CNY"), "k", RefundRefused),
        (Money(1, "USD"), "k", RefundRefused),
        (Money(PRICE + 1, "CNY"), "k", RefundTooLarge),
        (Money(1, "CNY"), "", RefundRefused),
        (Money(1, "CNY"), "k" * 129, RefundRefused),
        (Money(1, "CNY"), "used", RefundKeyReused),
    ],
)
async def test_a_refund_that_makes_no_sense_changes_nothing(
    counter: Counter, money: Money, key: str, error: type[Exception]
) -> None:
    made = await counter.paid()
    await counter.orders.refund(made.order_no, yuan(2), "first", "used")
    with pytest.raises(error):
        await counter.orders.refund(made.order_no, money, "no", key)

    assert await counter.number("SELECT COUNT(*) FROM order_refunds") == 1
    assert await counter.number("SELECT reserved FROM order_payments") == 2


@ONE_DATABASE
async def test_only_what_was_paid_is_given_back(counter: Counter) -> None:
    made = await counter.order()
    with pytest.raises(OrderNotPaid):
        await counter.orders.refund(made.order_no, None, "no", "k")
    with pytest.raises(OrderUnknown):
        await counter.orders.refund("no-such-order", None, "no", "k")


async def test_a_refund_that_takes_long_is_asked_about_until_it_is_done(counter: Counter) -> None:
    made = await counter.paid()
    counter.vendor.refunds_at_once = False
    view = await counter.orders.refund(made.order_no, None, "slow", "k")
    await counter.run("refund")
    await counter.run("refund")
    before = await counter.look(made)
    counter.vendor.decide(view.refund_no)
    await counter.run("refund")

    assert before.status is OrderStatus.REFUND_PENDING
    assert (await counter.look(made)).status is OrderStatus.REFUNDED
    assert counter.vendor.calls.count("refund") == 1
    assert await counter.run("refund") == 0


@ONE_DATABASE
async def test_the_vendors_report_settles_a_refund_and_again_changes_nothing(counter: Counter) -> None:
    made = await counter.paid()
    counter.vendor.refunds_at_once = False
    view = await counter.orders.refund(made.order_no, yuan(500), "slow", "k")
    await counter.run("refund")
    letter = counter.vendor.decide(view.refund_no)
    answers = await asyncio.gather(*(counter.post(letter) for _ in range(10)))
    await counter.run("refund")
    found = await counter.look(made)

    assert answers == [200] * 10
    assert (found.status, found.refunded) == (OrderStatus.PARTIALLY_REFUNDED, 500)


@ONE_DATABASE
@pytest.mark.parametrize("lost", ["refund", "answer:refund", "query_refund"])
async def test_a_refund_whose_answer_is_lost_is_given_once(counter: Counter, lost: str) -> None:
    made = await counter.paid()
    counter.vendor.away = {lost, "refund"} if lost == "query_refund" else {lost}
    await counter.orders.refund(made.order_no, None, "lost", "k")
    await counter.run("refund")
    await counter.run("refund")
    between = await counter.look(made)
    counter.vendor.away = set()
    await counter.run("refund")

    assert between.status is (OrderStatus.REFUNDED if lost == "answer:refund" else OrderStatus.REFUND_PENDING)
    assert (await counter.look(made)).status is OrderStatus.REFUNDED
    assert counter.vendor.given_back(made.order_no) == PRICE


@ONE_DATABASE
@pytest.mark.parametrize("how", ["refused", "report"])
async def test_a_refund_that_fails_leaves_the_order_paid_and_flagged(counter: Counter, how: str) -> None:
    """The money is there still, and another refund can have it."""
    made = await counter.paid()
    counter.vendor.refunds_at_once, counter.vendor.refuses = False, {"refund"} if how == "refused" else set()
    view = await counter.orders.refund(made.order_no, None, "no luck", "k")
    await counter.run("refund")
    if how == "report":
        await counter.post(counter.vendor.decide(view.refund_no, "failed"))
    found, (failed,) = await counter.look(made), await counter.orders.list_refunds(7, made.order_no)
    counter.vendor.refunds_at_once, counter.vendor.refuses = True, set()
    await counter.orders.refund(made.order_no, None, "once more", "k2")
    await counter.work_off()

    assert (found.status, found.review) == (OrderStatus.PAID, Review.REFUND_FAILED)
    assert (failed.stage, bool(failed.failure)) == (RefundStage.FAILED, True)
    assert (await counter.look(made)).status is OrderStatus.REFUNDED
    assert counter.vendor.given_back(made.order_no) == PRICE


@ONE_DATABASE
async def test_a_refund_that_failed_and_was_done_after_all_counts(counter: Counter) -> None:
    """An operator mended it at the vendor's: the report comes later."""
    made = await counter.paid()
    counter.vendor.refunds_at_once = False
    view = await counter.orders.refund(made.order_no, None, "no luck", "k")
    await counter.run("refund")
    await counter.post(counter.vendor.decide(view.refund_no, "failed"))
    await counter.post(counter.vendor.decide(view.refund_no, "done"))
    found = await counter.look(made)

    assert (found.status, found.refunded) == (OrderStatus.REFUNDED, PRICE)


@ONE_DATABASE
async def test_a_refund_told_done_for_money_that_is_gone_is_flagged(counter: Counter) -> None:
    made = await counter.paid()
    counter.vendor.refunds_at_once = False
    view = await counter.orders.refund(made.order_no, None, "no luck", "k")
    await counter.run("refund")
    await counter.post(counter.vendor.decide(view.refund_no, "failed"))
    counter.vendor.refunds_at_once = True
    await counter.orders.refund(made.order_no, None, "once more", "k2")
    await counter.work_off()
    await counter.post(counter.vendor.decide(view.refund_no, "done"))
    found = await counter.look(made)

    assert (found.status, found.refunded, found.review) == (OrderStatus.REFUNDED, PRICE, Review.REFUND_DIFFERS)


@ONE_DATABASE
async def test_a_refund_of_another_amount_than_was_asked_is_flagged(counter: Counter) -> None:
    made = await counter.paid()
    counter.vendor.refunds_at_once = False
    view = await counter.orders.refund(made.order_no, yuan(500), "slow", "k")
    await counter.run("refund")
    await counter.post(counter.vendor.decide(view.refund_no, "done", amount=499))

    assert (await counter.look(made)).review is Review.REFUND_DIFFERS


@ONE_DATABASE
async def test_a_refund_that_takes_a_week_is_put_up_for_review(counter: Counter) -> None:
    made = await counter.paid()
    counter.vendor.refunds_at_once = False
    await counter.orders.refund(made.order_no, None, "slow", "k")
    await counter.run("refund")
    counter.clock.advance(8 * 86_400)
    await counter.run("refund")
    await counter.run("refund")

    assert (await counter.look(made)).review is Review.REFUND_SLOW
    assert [cause for _, _, cause in await counter.chain(made)].count("refund is slow") == 1


@ONE_DATABASE
async def test_a_report_of_a_refund_that_nobody_asked_for_waits(counter: Counter) -> None:
    """Made by hand at the vendor's: it has no number of ours, and somebody should hear of it."""
    told = {"refund_no": "by-hand", "amount": 5, "currency": "CNY", "state": "done"}
    answer = await counter.post(counter.vendor.sign({"id": "R1", "event": "REFUND", "refund": told}))

    assert answer == 500
    assert await counter.rows("SELECT state FROM payment_notices") == [("waiting",)]


# What was granted


@ONE_DATABASE
async def test_a_refund_takes_nothing_back_that_the_product_does_not_say(counter: Counter) -> None:
    made = await counter.paid()
    await counter.orders.refund(made.order_no, None, "gift", "k")
    await counter.work_off()

    assert await counter.db.read(balance_of, 7) == 100


async def test_where_the_product_says_so_a_full_refund_takes_the_grants_back_once(counter: Counter) -> None:
    made = await counter.paid(product_id="member-month")
    held = await counter.db.read(find_active, 7, counter.clock.now())
    await counter.orders.refund(made.order_no, yuan(1), "partly", "k1")
    await counter.work_off()
    partly = await counter.db.read(balance_of, 7)
    await counter.orders.refund(made.order_no, None, "all", "k2")
    await counter.work_off()
    await counter.run("revoke")

    assert held is not None and held.plan == "pro"
    assert (partly, await counter.db.read(balance_of, 7)) == (10, 0)
    assert await counter.db.read(find_active, 7, counter.clock.now()) is None
    assert (await counter.stored(made)).revoked_at is not None


@ONE_DATABASE
async def test_points_that_were_spent_cannot_be_taken_back_and_the_order_is_flagged(counter: Counter) -> None:
    made = await counter.paid(product_id="member-month")
    await counter.db.write(spend, Move(ids(), 7, EntryKind.CONSUME, -4, "fun", counter.clock.now()))
    await counter.orders.refund(made.order_no, None, "all", "k")
    await counter.work_off()

    assert await counter.db.read(balance_of, 7) == 0
    assert (await counter.look(made)).review is Review.REVOKED_IN_PART


@ONE_DATABASE
async def test_an_order_that_goes_back_before_it_was_handed_over_is_not_handed_over(counter: Counter) -> None:
    """Unless the refund fails: then it is."""
    made, other = await counter.order(), await counter.order()
    for order in (made, other):
        await counter.post(counter.vendor.pay(order.order_no))
    counter.vendor.refunds_at_once = False
    await counter.orders.refund(made.order_no, None, "at once", "k")
    view = await counter.orders.refund(other.order_no, None, "at once", "k")
    await counter.run("fulfil", "refund")
    early = list(counter.handed)
    (one, _) = await counter.rows("SELECT refund_no FROM order_refunds ORDER BY id")
    await counter.post(counter.vendor.decide(one.refund_no))
    await counter.post(counter.vendor.decide(view.refund_no, "failed"))
    await counter.run("fulfil")

    assert (early, counter.handed) == ([], [other.order_no])
    assert (await counter.look(made)).status is OrderStatus.REFUNDED


@ONE_DATABASE
async def test_a_membership_for_life_stays_for_life(counter: Counter) -> None:
    await counter.db.write(grant_membership, 7, "pro", None, counter.clock.now())
    made = await counter.paid(product_id="member-month")
    await counter.orders.refund(made.order_no, None, "all", "k")
    await counter.work_off()
    held = await counter.db.read(find_active, 7, counter.clock.now())

    assert held is not None and held.ends_at is None
