"""What vendors report: every row of the table of events in docs/kernel/orders.md. Source: reference O05 to O12."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from hutong.kernel.credits import balance_of
from hutong.kernel.orders import Money, Orders, OrderStatus, Review
from hutong.kernel.orders.errors import ChannelUnknown
from hutong.kit.ids import Snowflake
from support.shop import PRICE, Counter

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PAYMENTS = "SELECT COUNT(*) FROM order_payments"


async def test_a_report_of_the_payment_pays_the_order_and_what_was_bought_is_handed_over(counter: Counter) -> None:
    made = await counter.order()
    answer = await counter.post(counter.vendor.pay(made.order_no))
    await counter.run("fulfil")
    found = await counter.look(made)

    assert (answer, found.status, found.paid_at) == (200, OrderStatus.PAID, counter.clock.now())
    assert found.fulfilled_at is not None
    assert counter.handed == [made.order_no]
    assert await counter.db.read(balance_of, 7) == 100
    assert await counter.moves(made) == ["pending", "paid"]


async def test_of_a_hundred_equal_reports_at_once_one_moves_and_all_are_answered_success(counter: Counter) -> None:
    made = await counter.order()
    letter = counter.vendor.pay(made.order_no)
    answers = await asyncio.gather(*(counter.post(letter) for _ in range(100)))
    await asyncio.gather(*(counter.run("fulfil") for _ in range(5)))

    assert answers == [200] * 100
    assert await counter.rows("SELECT state, outcome FROM payment_notices") == [("applied", "paid")]
    assert await counter.moves(made) == ["pending", "paid"]
    assert counter.handed == [made.order_no]
    assert await counter.number(PAYMENTS) == 1
    assert await counter.db.read(balance_of, 7) == 100


async def test_one_payment_in_many_different_reports_pays_once(counter: Counter) -> None:
    """Another notice id each: what is one payment is said by its transaction."""
    made = await counter.order()
    counter.vendor.pay(made.order_no)
    letters = [counter.vendor.letter("T000000000001", f"N{number}") for number in range(20)]
    answers = await asyncio.gather(*map(counter.post, letters))

    assert answers == [200] * 20
    assert await counter.moves(made) == ["pending", "paid"]
    assert await counter.number(PAYMENTS) == 1
    assert await counter.number("SELECT COUNT(*) FROM payment_notices WHERE outcome = 'duplicate'") == 19


async def test_of_different_transactions_at_once_one_pays_and_all_others_go_back(counter: Counter) -> None:
    made = await counter.order()
    letters = [counter.vendor.pay_anyway(made.order_no) for _ in range(8)]
    answers = await asyncio.gather(*map(counter.post, letters))
    await counter.work_off()

    assert answers == [200] * 8
    assert counter.handed == [made.order_no]
    assert counter.vendor.given_back(made.order_no) == 7 * PRICE
    found = await counter.look(made)
    assert (found.status, found.refunded) == (OrderStatus.PAID, 0)


@ONE_DATABASE
@pytest.mark.parametrize(
    "lie", [{"amount": PRICE + 1}, {"amount": PRICE - 1}, {"amount": 0}, {"currency": "USD"}], ids=str
)
async def test_another_amount_or_currency_pays_nothing_is_flagged_and_goes_back(
    counter: Counter, lie: dict[str, object]
) -> None:
    made = await counter.order()
    counter.vendor.pay_anyway(made.order_no, money=Money(PRICE, "CNY"))
    answer = await counter.post(counter.vendor.letter("T000000000001", **lie))
    found = await counter.look(made)

    assert answer == 200
    assert (found.status, found.review) == (OrderStatus.PENDING, Review.AMOUNT_DIFFERS)
    assert await counter.run("fulfil") == 0
    refunds = await counter.rows("SELECT amount, currency FROM order_refunds")
    assert [tuple(row) for row in refunds] == (
        [] if lie.get("amount") == 0 else [(lie.get("amount", PRICE), lie.get("currency", "CNY"))]
    )


@ONE_DATABASE
async def test_an_order_with_a_wrong_payment_can_still_be_paid_right(counter: Counter) -> None:
    made = await counter.order()
    await counter.post(counter.vendor.pay_anyway(made.order_no, money=Money(1, "CNY")))
    await counter.post(counter.vendor.pay_anyway(made.order_no))
    await counter.work_off()
    found = await counter.look(made)

    assert (found.status, found.review) == (OrderStatus.PAID, Review.AMOUNT_DIFFERS)
    assert counter.vendor.given_back(made.order_no) == 1


@ONE_DATABASE
async def test_a_wrong_amount_for_a_paid_order_changes_nothing_but_its_flag(counter: Counter) -> None:
    made = await counter.paid()
    await counter.post(counter.vendor.pay_anyway(made.order_no, money=Money(5, "CNY")))
    await counter.work_off()
    found = await counter.look(made)

    assert (found.status, found.review, found.refunded) == (OrderStatus.PAID, Review.AMOUNT_DIFFERS, 0)
    assert counter.vendor.given_back(made.order_no) == 5


@ONE_DATABASE
async def test_a_report_that_cannot_be_verified_changes_nothing_and_fails_no_order(counter: Counter) -> None:
    made = await counter.order()
    letter = counter.vendor.pay(made.order_no)
    forged = counter.vendor.sign({"id": "1", "event": "PAID"}, key=b"another key")
    answers = [
        await counter.post(forged),
        (await counter.orders.receive("till", {}, letter.body)).answer.status,
        (await counter.orders.receive("till", letter.headers, letter.body + b" ")).answer.status,
    ]

    assert answers == [500, 500, 500]
    assert (await counter.look(made)).status is OrderStatus.PENDING
    assert await counter.number("SELECT COUNT(*) FROM payment_notices") == 0


@ONE_DATABASE
@pytest.mark.parametrize(
    "lie",
    [{"transaction_id": "x" * 65}, {"order_no": ""}, {"amount": -1}, {"currency": "RENMINBI"}, {"amount": 2**63}],
    ids=str,
)
async def test_a_verified_report_that_makes_no_sense_is_refused(counter: Counter, lie: dict[str, object]) -> None:
    made = await counter.order()
    counter.vendor.pay(made.order_no)

    assert await counter.post(counter.vendor.letter("T000000000001", **lie)) == 500
    assert await counter.number("SELECT COUNT(*) FROM payment_notices") == 0


@ONE_DATABASE
async def test_header_names_count_in_any_case(counter: Counter) -> None:
    made = await counter.order()
    letter = counter.vendor.pay(made.order_no)
    shouted = {name.upper(): value for name, value in letter.headers.items()}

    assert (await counter.orders.receive("till", shouted, letter.body)).answer.status == 200


@ONE_DATABASE
async def test_a_report_to_a_channel_that_is_not_there_is_an_error(counter: Counter) -> None:
    with pytest.raises(ChannelUnknown):
        await counter.orders.receive("purse", {}, b"")


async def test_a_late_payment_revives_an_order_that_expired(counter: Counter) -> None:
    made = await counter.order()
    counter.clock.advance(3600)
    await counter.sweep()
    answer = await counter.post(counter.vendor.pay_anyway(made.order_no))
    await counter.work_off()

    assert answer == 200
    assert await counter.moves(made) == ["pending", "expired", "paid"]
    assert counter.handed == [made.order_no]


async def test_a_late_payment_goes_back_where_the_policy_says_so(strict: Counter) -> None:
    made = await strict.order()
    strict.clock.advance(3600)
    await strict.sweep()
    letter = strict.vendor.pay_anyway(made.order_no)
    answers = [await strict.post(letter), await strict.post(letter)]
    before = await strict.look(made)
    await strict.work_off()
    found = await strict.look(made)

    assert answers == [200, 200]
    assert (before.status, before.paid_at) == (OrderStatus.REFUND_PENDING, None)
    assert await strict.moves(made) == ["pending", "expired", "refund_pending", "refunded"]
    assert (found.refunded, strict.vendor.given_back(made.order_no), strict.handed) == (PRICE, PRICE, [])


@ONE_DATABASE
@pytest.mark.parametrize("policy", ["counter", "strict"])
async def test_a_payment_for_a_cancelled_order_follows_the_same_policy(
    policy: str, request: pytest.FixtureRequest, counter: Counter, strict: Counter
) -> None:
    chosen = {"counter": counter, "strict": strict}[policy]
    made = await chosen.order()
    await chosen.orders.cancel(7, made.order_no)
    await chosen.post(chosen.vendor.pay_anyway(made.order_no))
    await chosen.work_off()
    found = await chosen.look(made)

    assert found.status is {"counter": OrderStatus.PAID, "strict": OrderStatus.REFUNDED}[policy]
    assert len(chosen.handed) == (policy == "counter")


@ONE_DATABASE
@pytest.mark.parametrize("milliseconds", [-1, 0, 1])
@pytest.mark.parametrize("policy", ["counter", "strict"])
async def test_the_moment_of_expiry_is_late_and_the_millisecond_before_it_is_not(
    milliseconds: int, policy: str, counter: Counter, strict: Counter
) -> None:
    """By the vendor's clock, whenever its report comes and whether the sweeper was there or not."""
    chosen = {"counter": counter, "strict": strict}[policy]
    made = await chosen.order()
    letter = chosen.vendor.pay_anyway(made.order_no, at=made.expires_at + timedelta(milliseconds=milliseconds))
    chosen.clock.advance(3600)
    shown = await chosen.look(made)
    await chosen.post(letter)
    found = await chosen.look(made)
    (*_, cause) = (await chosen.chain(made))[2]

    assert shown.status is OrderStatus.EXPIRED
    assert cause == ("paid" if milliseconds < 0 else "paid late")
    accepted = milliseconds < 0 or policy == "counter"
    assert found.status is (OrderStatus.PAID if accepted else OrderStatus.REFUND_PENDING)


async def test_a_report_about_an_order_that_is_not_there_yet_waits_and_is_applied_by_a_job(counter: Counter) -> None:
    """The vendor is told to send it again, which may find the order too; whoever comes first applies it."""
    made = await counter.order()
    letter = counter.vendor.pay(made.order_no)
    await _hide(counter, made.order_no)
    early = [await counter.post(letter), await counter.post(letter)]
    await counter.run("apply_notice")
    waiting = await counter.number("SELECT COUNT(*) FROM payment_notices WHERE state = 'waiting'")
    await _show(counter, made.order_no)
    await counter.run("apply_notice")

    assert early == [500, 500]
    assert waiting == 1
    assert await counter.moves(made) == ["pending", "paid"]
    assert await counter.post(letter) == 200
    assert await counter.run("apply_notice") == 0


@ONE_DATABASE
async def test_a_report_that_waited_is_applied_when_the_vendor_sends_it_again(counter: Counter) -> None:
    made = await counter.order()
    letter = counter.vendor.pay(made.order_no)
    await _hide(counter, made.order_no)
    await counter.post(letter)
    await _show(counter, made.order_no)

    assert await counter.post(letter) == 200
    assert await counter.moves(made) == ["pending", "paid"]
    await counter.run("apply_notice")
    assert await counter.number(PAYMENTS) == 1


@ONE_DATABASE
async def test_a_report_about_nothing_is_given_up_in_the_end(counter: Counter) -> None:
    stray = {
        "order_no": "somebody-elses",
        "transaction_id": "T1",
        "amount": 1,
        "currency": "CNY",
        "paid_at": "2026-11-22T09:30:00+00:00",
    }
    answer = await counter.post(counter.vendor.sign({"id": "N1", "event": "PAID", "payment": stray}))
    counter.clock.advance(3 * 86_400)
    await counter.run("apply_notice")

    assert answer == 500
    assert await counter.rows("SELECT state, outcome FROM payment_notices") == [("orphaned", "unknown")]
    assert await counter.run("apply_notice") == 0


@ONE_DATABASE
async def test_an_order_of_another_realm_is_unknown(counter: Counter) -> None:
    made = await counter.order()
    await counter.db.write(lambda conn: conn.exec_driver_sql("UPDATE orders SET realm = 'elsewhere'"))

    assert await counter.post(counter.vendor.pay(made.order_no)) == 500


@ONE_DATABASE
async def test_a_transaction_of_one_order_does_not_pay_another(counter: Counter) -> None:
    one, other = await counter.order(), await counter.order()
    counter.vendor.pay(one.order_no)
    await counter.post(counter.vendor.letter("T000000000001"))
    answer = await counter.post(counter.vendor.letter("T000000000001", "N2", order_no=other.order_no))
    found = await counter.look(other)

    assert answer == 200
    assert (found.status, found.review) == (OrderStatus.PENDING, Review.TRANSACTION_REUSED)
    assert await counter.number(PAYMENTS) == 1


@ONE_DATABASE
async def test_somebody_elses_payment_is_taken_and_flagged(counter: Counter) -> None:
    """What was bought is its owner's, whoever paid; the vendor's id of the payer is not kept in full."""
    made = await counter.order(payer="openid-of-the-owner")
    counter.vendor.pay(made.order_no)
    await counter.post(counter.vendor.letter("T000000000001", payer="openid-of-a-stranger"))
    await counter.run("fulfil")
    found = await counter.look(made)
    kept = await counter.rows(
        "SELECT content, payer FROM payment_notices n JOIN order_payments p ON p.order_no = n.order_no"
    )

    assert (found.status, found.review, found.user_id) == (OrderStatus.PAID, Review.PAYER_DIFFERS, 7)
    assert "a-stra" not in str(kept) and "open…nger" in str(kept)


@ONE_DATABASE
async def test_a_report_of_anything_else_is_stored_and_answered_success(counter: Counter) -> None:
    assert await counter.post(counter.vendor.sign({"id": "N1", "event": "HELLO"})) == 200
    assert await counter.rows("SELECT state, outcome FROM payment_notices") == [("applied", "nothing")]


@ONE_DATABASE
async def test_what_cannot_be_stored_now_is_not_answered_success(counter: Counter) -> None:
    """Here for want of an id: the clock ran back. The vendor sends it again."""
    made = await counter.order()
    letter = counter.vendor.pay(made.order_no)
    broken = Snowflake(1, lambda: 0, last_ms=10**13)
    unlucky = Orders(replace(counter.shop, ids=broken))

    assert (await unlucky.receive("till", letter.headers, letter.body)).answer.status == 500
    assert await counter.post(letter) == 200


async def _hide(counter: Counter, order_no: str) -> None:
    """A report that overtakes the commit of its order finds what it would find then: nothing."""
    hidden = f"x{order_no[1:]}"
    await counter.db.write(_rename, order_no, hidden)


async def _show(counter: Counter, order_no: str) -> None:
    await counter.db.write(_rename, f"x{order_no[1:]}", order_no)


def _rename(conn: Connection, old: str, new: str) -> None:
    for table in ("orders", "order_events"):
        conn.execute(text(f"UPDATE {table} SET order_no = :new WHERE order_no = :old"), {"old": old, "new": new})
