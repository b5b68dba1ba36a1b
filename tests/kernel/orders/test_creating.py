"""Making orders: priced on the server, one a key, known here before the vendor knows them. Source: reference O01 to O04, O11, A04."""

import asyncio
import re
from dataclasses import replace

import pytest

from hutong.kernel.config import Document
from hutong.kernel.http.idempotency import KeyInUse, KeyMalformed, KeyReused
from hutong.kernel.identity.clients import Client
from hutong.kernel.orders import Catalogue, Created, Money, Orders, OrderStatus, Products, products_document
from hutong.kernel.orders.errors import (
    ChannelRefused,
    ChannelUnavailable,
    ChannelUnknown,
    CurrencyNotTaken,
    OrderNotPayable,
    OrderUnknown,
    ProductUnknown,
    QuantityRefused,
)
from hutong.kit.paging import PageRequest
from support.shop import CALLER, PRICE, PRODUCTS, Counter

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ORDERS = "SELECT COUNT(*) FROM orders"


@ONE_DATABASE
async def test_the_price_is_the_catalogues(counter: Counter) -> None:
    made = await counter.orders.create(7, "points-100", "till", CALLER, quantity=3)

    assert made.order.money == Money(3 * PRICE, "CNY")
    assert (made.order.status, made.order.pay) == (OrderStatus.PENDING, made.pay)
    assert made.pay.values == {"code_url": f"till://{made.order.order_no}"}
    assert await counter.look(made.order) == made.order


@ONE_DATABASE
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"product_id": "no-such"}, ProductUnknown),
        ({"product_id": "old"}, ProductUnknown),
        ({"product_id": "dollars"}, CurrencyNotTaken),
        ({"channel": "purse"}, ChannelUnknown),
        ({"quantity": 0}, QuantityRefused),
        ({"quantity": -1}, QuantityRefused),
        ({"quantity": 6}, QuantityRefused),
        ({"quantity": 10**18}, QuantityRefused),
        ({"quantity": 1.0}, QuantityRefused),
        ({"quantity": True}, QuantityRefused),
        ({"quantity": float("nan")}, QuantityRefused),
    ],
)
async def test_what_is_not_on_sale_like_that_is_refused_and_nothing_is_stored(
    counter: Counter, options: dict[str, object], error: type[Exception]
) -> None:
    wanted = {"product_id": "points-100", "channel": "till", **options}
    with pytest.raises(error):
        await counter.orders.create(7, client=CALLER, **wanted)  # type: ignore[arg-type]

    assert await counter.number(ORDERS) == 0
    assert counter.vendor.calls == []


@ONE_DATABASE
async def test_numbers_of_orders_cannot_be_guessed(counter: Counter) -> None:
    """The day, and 80 random bits."""
    made = [(await counter.order()).order_no for _ in range(100)]

    assert len({number[6:] for number in made}) == 100
    assert all(re.fullmatch(r"261122[0-9a-z]{16}", number) for number in made)
    assert min(len({number[place] for number in made}) for place in range(6, 22)) > 15


@ONE_DATABASE
async def test_an_order_is_its_owners_alone(counter: Counter) -> None:
    made = await counter.order(7)
    calls = [
        counter.orders.get(8, made.order_no),
        counter.orders.cancel(8, made.order_no),
        counter.orders.list_refunds(8, made.order_no),
        counter.orders.get(7, "no-such-order"),
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [OrderUnknown] * 4
    assert (await counter.orders.list(8, PageRequest())).total == 0
    assert (await counter.look(made)).status is OrderStatus.PENDING


@ONE_DATABASE
async def test_the_vendor_shows_the_name_in_the_buyers_language(counter: Counter) -> None:
    caller = Client(address="203.0.113.7", language="zh-CN")
    made = (await counter.orders.create(7, "points-100", "till", caller, quantity=2)).order

    assert (await counter.stored(made)).description == "100 点 × 2"
    assert (made.name("en"), made.name("zh-CN"), made.name("fr")) == ("100 points", "100 点", "100 points")


async def test_of_twenty_equal_requests_with_one_key_one_makes_an_order(counter: Counter) -> None:
    """The others wait, and get the same answer when they ask again."""
    calls = [counter.orders.create(7, "points-100", "till", CALLER, idempotency_key="k") for _ in range(20)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    made = [outcome for outcome in outcomes if isinstance(outcome, Created)]
    again = await counter.orders.create(7, "points-100", "till", CALLER, idempotency_key="k")

    assert made and all(isinstance(outcome, Created | KeyInUse) for outcome in outcomes)
    assert {outcome.order.order_no for outcome in made} == {again.order.order_no}
    assert await counter.number(ORDERS) == 1


@ONE_DATABASE
async def test_a_key_gives_the_first_answer_whatever_happened_since(counter: Counter) -> None:
    """The order was paid, and the product is gone."""
    first = await counter.orders.create(7, "points-100", "till", CALLER, idempotency_key="k")
    await counter.post(counter.vendor.pay(first.order.order_no))
    await counter.run("fulfil")
    empty: Document[Products] = products_document("shop", b"products: []")
    later = Orders(replace(counter.shop, catalogue=Catalogue(empty)))
    second = await later.create(7, "points-100", "till", CALLER, idempotency_key="k")

    assert second == first
    assert counter.vendor.calls == ["open"]


@ONE_DATABASE
async def test_a_key_is_for_one_request_of_one_user(counter: Counter) -> None:
    first = await counter.order(7, idempotency_key="k")
    other = await counter.order(8, idempotency_key="k")
    for changed in ({"product_id": "member-month"}, {"quantity": 2}, {"payer": "somebody"}):
        with pytest.raises(KeyReused):
            await counter.order(7, idempotency_key="k", **changed)
    with pytest.raises(KeyMalformed):
        await counter.order(7, idempotency_key="k\n")

    assert first.order_no != other.order_no
    assert await counter.number(ORDERS) == 2


@ONE_DATABASE
@pytest.mark.parametrize("lost", ["open", "answer:open"])
async def test_while_the_vendor_is_away_an_order_waits_and_its_key_finds_it_again(counter: Counter, lost: str) -> None:
    """Whether the vendor had heard of it or not."""
    counter.vendor.away = {lost}
    with pytest.raises(ChannelUnavailable):
        await counter.order(idempotency_key="k")
    (waiting,) = (await counter.orders.list(7, PageRequest())).items
    counter.vendor.away = set()
    made = await counter.order(idempotency_key="k")

    assert (waiting.status, waiting.pay) == (OrderStatus.PENDING, None)
    assert (made.order_no, await counter.number(ORDERS)) == (waiting.order_no, 1)
    assert made.pay is not None


@ONE_DATABASE
async def test_a_key_whose_request_failed_gives_its_order_to_no_other_request(counter: Counter) -> None:
    """The order of the first is not what the second asks for (O04)."""
    counter.vendor.away = {"open"}
    with pytest.raises(ChannelUnavailable):
        await counter.order(idempotency_key="k")
    counter.vendor.away = set()
    for other in ({"product_id": "member-month"}, {"quantity": 2}, {"payer": "somebody"}):
        with pytest.raises(KeyReused):
            await counter.order(idempotency_key="k", **other)

    assert (await counter.order(idempotency_key="k")).money.amount == PRICE
    assert await counter.number(ORDERS) == 1


@ONE_DATABASE
@pytest.mark.parametrize("lost", ["open", "answer:open"])
async def test_an_order_that_nobody_opened_is_closed_at_the_vendor_and_given_up(counter: Counter, lost: str) -> None:
    """After that nobody can pay it, even where the vendor had heard of it; its key makes a new one."""
    counter.vendor.away = {lost}
    with pytest.raises(ChannelUnavailable):
        await counter.order(idempotency_key="k")
    (waiting,) = (await counter.orders.list(7, PageRequest())).items
    counter.vendor.away = set()
    await counter.run("reconcile")
    early = await counter.look(waiting)
    counter.clock.advance(200)
    await counter.run("reconcile")
    made = await counter.order(idempotency_key="k")

    assert early.status is OrderStatus.PENDING
    assert (await counter.look(waiting)).status is OrderStatus.FAILED
    assert counter.vendor.state(waiting.order_no) == "closed"
    assert made.order_no != waiting.order_no


@ONE_DATABASE
async def test_an_order_that_the_vendor_refuses_has_failed_and_its_key_makes_another(counter: Counter) -> None:
    counter.vendor.refuses = {"open"}
    with pytest.raises(ChannelRefused):
        await counter.order(idempotency_key="k")
    counter.vendor.refuses = set()
    made = await counter.order(idempotency_key="k")

    assert [order.status for order in (await counter.orders.list(7, PageRequest())).items] == [
        OrderStatus.PENDING,
        OrderStatus.FAILED,
    ]
    assert made.status is OrderStatus.PENDING


@ONE_DATABASE
async def test_money_for_a_failed_order_is_not_lost(counter: Counter) -> None:
    counter.vendor.refuses = {"open"}
    with pytest.raises(ChannelRefused):
        await counter.order()
    (failed,) = (await counter.orders.list(7, PageRequest())).items
    await counter.post(counter.vendor.pay_anyway(failed.order_no))

    assert await counter.moves(failed) == ["pending", "failed", "paid"]


@ONE_DATABASE
async def test_a_report_may_come_before_the_answer_to_the_request(counter: Counter) -> None:
    """The customer is quicker than the vendor's answer: the order is known here already."""

    async def pay(call: str) -> None:
        if call == "open":
            ((number,),) = await counter.rows("SELECT order_no FROM orders")
            assert await counter.post(counter.vendor.pay_anyway(number)) == 200

    counter.vendor.on_call = pay
    made = await counter.orders.create(7, "points-100", "till", CALLER)
    counter.vendor.on_call = None

    assert made.order.status is OrderStatus.PENDING
    assert (await counter.look(made.order)).status is OrderStatus.PAID
    assert await counter.moves(made.order) == ["pending", "paid"]


@ONE_DATABASE
async def test_an_order_that_is_called_off_while_the_vendor_is_told_cannot_be_paid(counter: Counter) -> None:
    async def cancel(call: str) -> None:
        if call == "open":
            counter.vendor.on_call = None
            ((number,),) = await counter.rows("SELECT order_no FROM orders")
            await counter.orders.cancel(7, number)

    counter.vendor.on_call = cancel
    with pytest.raises((OrderNotPayable, ChannelRefused)):
        await counter.order()
    (found,) = (await counter.orders.list(7, PageRequest())).items

    assert (found.status, counter.vendor.state(found.order_no)) == (OrderStatus.CANCELLED, "closed")


@ONE_DATABASE
async def test_a_list_shows_statuses_as_they_are_told(counter: Counter) -> None:
    """Newest first, in pages; an order whose time is up is listed as expired before the sweeper came."""
    paid = await counter.paid()
    old = await counter.order()
    counter.clock.advance(1800)
    new = [await counter.order() for _ in range(3)]

    async def numbers(status: OrderStatus | None, page: int = 1, size: int = 20) -> tuple[list[str], int]:
        found = await counter.orders.list(7, PageRequest(page, size), status)
        assert all(status in {None, order.status} for order in found.items)
        return [order.order_no for order in found.items], found.total

    fresh = [order.order_no for order in reversed(new)]
    assert await numbers(None) == ([*fresh, old.order_no, paid.order_no], 5)
    assert await numbers(None, 2, 2) == ([fresh[2], old.order_no], 5)
    assert await numbers(OrderStatus.PENDING) == (fresh, 3)
    assert await numbers(OrderStatus.EXPIRED) == ([old.order_no], 1)
    assert await numbers(OrderStatus.PAID) == ([paid.order_no], 1)
    await counter.sweep()
    assert await numbers(OrderStatus.EXPIRED) == ([old.order_no], 1)


WRONG = {
    "a price of nothing": (b"1990", b"0"),
    "a negative price": (b"1990", b"-1"),
    "a price in yuan": (b"1990", b"19.90"),
    "a price with an exponent": (b"1990", b"1e2"),
    "a price as text": (b"1990", b'"1990"'),
    "not a number": (b"1990", b".nan"),
    "a price beyond reason": (b"1990", b"1000000000000000000"),
    "yes as a price": (b"1990", b"true"),
    "no such currency": (b"CNY", b"yuan"),
    "points by halves": (b"credits: 100", b"credits: 0.5"),
    "maybe on sale": (b"active: false", b"active: 0"),
    "an unknown field": (b"max_quantity", b"maximum"),
    "two of one name": (b"id: old", b"id: dollars"),
    "a name in one language": (b"{en: Old, zh-CN: ", b"{en: Old, fr: "),
    "more than a century": (b"days: 30", b"days: 40000"),
}


@pytest.mark.parametrize(("good", "bad"), WRONG.values(), ids=WRONG)
def test_a_document_with_a_slip_is_refused_and_the_last_good_one_stays(good: bytes, bad: bytes) -> None:
    document = products_document("shop", PRODUCTS)
    with pytest.raises(ValueError):
        document.apply(PRODUCTS.replace(good, bad))

    assert Catalogue(document).get("points-100").money == Money(PRICE, "CNY")
    assert document.name == "shop-products.yaml"
