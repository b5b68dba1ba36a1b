"""Attacks on orders and payments, over HTTP and through the vendors' sandboxes. Rows O of the attack table."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from hutong.kernel.orders import OrderStatus, desk
from support.customer import PAGES, Customer
from support.deadlines import until
from support.stand import Stand

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CHANNELS = ("wechat", "alipay")
ORDER = {"product_id": "credits-100", "channel": "wechat"}
PRICE = 600
QUANTITIES = ("0", "-1", "1e18", "0.30000000000000004", '"1e2"', "NaN", "1.0", "1e0", "[]", "true", "1000000")
TWISTS = {
    "wechat": ("corrupt", "wrong-key", "foreign", "stale"),
    "alipay": ("corrupt", "wrong-key", "foreign", "stale"),
}


async def dossier(stand: Stand, order_no: str) -> desk.Dossier:
    """All that is known of an order."""
    kernel = stand.host.kernel
    return await kernel.db.read(desk.open_dossier, order_no, kernel.clock.now())


async def balance(stand: Stand, customer: Customer) -> int:
    return await stand.host.kernel.wallet.balance(int(customer.user["id"]))


async def book(stand: Stand, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the vendor has of an order."""
    url = f"{stand.base}/sandbox/{PAGES[order['channel']]}/control/state"
    async with stand.client.get(url, params={"order_no": order["order_no"]}) as answer:
        return dict(await answer.json())


async def reported(stand: Stand, order: Mapping[str, Any], times: int = 1) -> list[Any]:
    """The vendor's reports of an order, once so many were tried and were answered."""

    async def look() -> list[Any]:
        notices: list[Any] = (await book(stand, order))["notices"]
        tried = [notice for notice in notices if notice["last_status"] is not None]
        return tried if len(tried) >= times else []

    return list(await until(look))


async def gone_back(stand: Stand, order: Mapping[str, Any]) -> desk.Dossier:
    """The order's papers once all money that is not wanted has gone back."""

    async def look() -> Any:
        found = await dossier(stand, order["order_no"])
        back = [payment for payment in found.payments if payment.purpose.value != "settling"]
        return found if back and all(payment.refunded == payment.money.amount for payment in back) else None

    found: desk.Dossier = await until(look)
    return found


async def open_page(stand: Stand, order: Mapping[str, Any]) -> None:
    """The customer opens what is to be paid, where the vendor hears of it only then."""
    if order["pay"]["way"] == "page":
        async with stand.client.get(order["pay"]["values"]["pay_url"]) as page:
            assert page.status == 200


# What a client may not say


async def test_a_quantity_is_a_small_whole_number(stand: Stand) -> None:
    """And an amount, a price or a currency has no place in a request at all (O02)."""
    customer = await stand.customer()
    plain, head = json.dumps(ORDER)[:-1], {"Content-Type": "application/json"}
    for name in ("quantity", "amount", "total_amount", "price", "discount", "currency"):
        for value in (*QUANTITIES, '"JPY"'):
            body = f'{plain}, "{name}": {value}}}'
            answer = await customer.call("POST", "/client/order/create", data=body, headers=head)
            assert answer.told in {(422, 10001), (400, 10020)}, (body, answer.body)
    assert (await customer.get("/order/list")).data["total"] == 0


async def test_a_key_is_for_one_request_also_when_it_failed(stand: Stand) -> None:
    """The vendor was away: the key finds its order again, and no other request gets that order for something else (O04)."""
    customer, other = await stand.customer(), await stand.customer()
    key = {"Idempotency-Key": "my-order"}
    await customer.press("wechat", "down")
    assert (await customer.post("/order/create", ORDER, **key)).status == 503
    await customer.press("wechat", "reset")

    for change in ({"quantity": 2}, {"product_id": "credits-1000"}, {"channel": "alipay"}, {"payer": "somebody"}):
        assert (await customer.post("/order/create", ORDER | change, **key)).told == (422, 10033), change
    order = (await customer.post("/order/create", ORDER, **key)).data
    assert (order["product_id"], order["quantity"], order["amount"]) == ("credits-100", 1, PRICE)
    assert (await customer.get("/order/list")).data["total"] == 1

    theirs = (await other.post("/order/create", ORDER | {"quantity": 2}, **key)).data
    assert theirs["order_no"] != order["order_no"]
    assert (await customer.post("/order/create", ORDER, **key)).data == order


# What vendors say


async def test_a_hundred_equal_reports_are_one_payment(stand: Stand) -> None:
    """All acknowledged; one move, one fulfilment, one receipt (O07)."""
    for channel in CHANNELS:
        customer = await stand.customer()
        order = await customer.order(channel=channel)
        await customer.press(channel, "duplicate", copies=100)
        await customer.pay(order)
        await customer.becomes(order["order_no"], "PAID")
        await customer.mail(order["order_no"])
        (notice,) = await reported(stand, order)
        papers = await dossier(stand, order["order_no"])

        assert (notice["copies"], notice["state"], notice["last_status"] // 100) == (100, "delivered", 2)
        assert [event.cause for event in papers.events].count("paid") == 1
        assert len(papers.payments) == len(papers.reports) == 1
        assert len([mail for mail in await customer.mails() if order["order_no"] in mail["text"]]) == 1
        assert await balance(stand, customer) == 100


async def test_a_report_that_is_not_for_us_changes_nothing(stand: Stand) -> None:
    """The vendor is refused, the order is not failed by it, and the true report pays (O05, O12)."""

    async def twisted(channel: str, customer: Customer) -> None:
        for twist in TWISTS[channel]:
            order = await customer.order(channel=channel)
            await open_page(stand, order)
            await customer.press(channel, twist, times=2)
            await customer.press(channel, "pay", order_no=order["order_no"])
            papers = await dossier(stand, order["order_no"])
            assert (papers.order.status, papers.order.review) == (OrderStatus.PENDING, None), twist
            (notice,) = await reported(stand, order)
            assert notice["last_twist"] == twist
            if channel == "wechat":
                assert notice["last_status"] >= 400  # Alipay goes by the body
            await customer.press(channel, "reset")
            await customer.press(channel, "hurry")
            await customer.becomes(order["order_no"], "PAID")

    await asyncio.gather(*[twisted(channel, await stand.customer()) for channel in CHANNELS])


async def test_a_probe_for_the_signature_is_refused_and_paid_for_later(stand: Stand) -> None:
    """WeChat Pay sends reports with a wrong signature on purpose: whoever takes them is in trouble (O05)."""
    customer = await stand.customer()
    order = await customer.order(channel="wechat")
    await customer.press("wechat", "probe")
    await customer.pay(order)
    await customer.becomes(order["order_no"], "PAID")

    assert [payment.money.amount for payment in (await dossier(stand, order["order_no"])).payments] == [PRICE]


async def test_another_amount_pays_nothing_and_goes_back(stand: Stand) -> None:
    """One more, one less, or nearly nothing: the order is flagged and stays, the money returns by itself (O06)."""

    async def wrongly_paid(channel: str, amount: int, customer: Customer) -> None:
        order = await customer.order(channel=channel)
        await customer.pay(order, amount=amount)
        papers = await gone_back(stand, order)
        assert papers.order.review is not None and papers.order.review.value == "amount_differs"
        assert (await customer.status(order["order_no"]))["status"] == "PENDING"
        assert [(payment.purpose.value, payment.money.amount) for payment in papers.payments] == [
            ("mismatched", amount)
        ]

    customer = await stand.customer()
    amounts = [(channel, amount) for channel in CHANNELS for amount in (PRICE - 1, PRICE + 1, 1)]
    await asyncio.gather(*(wrongly_paid(*each, customer) for each in amounts))
    assert await balance(stand, customer) == 0


async def test_a_lie_about_the_amount_is_found_out(stand: Stand) -> None:
    """The vendor reports another sum than it took: the report pays nothing, and somebody is told to look (O06)."""
    customer = await stand.customer()
    for channel in CHANNELS:
        order = await customer.order(channel=channel)
        await customer.press(channel, "wrong-amount")
        await customer.pay(order)

        async def flagged(order_no: str = order["order_no"]) -> Any:
            found = await dossier(stand, order_no)
            return found if found.order.review else None

        papers: desk.Dossier = await until(flagged)
        assert papers.order.review is not None and papers.order.review.value == "amount_differs"
        assert papers.payments[0].purpose.value == "mismatched"


@pytest.mark.parametrize(("policy", "ends"), [("revive", "PAID"), ("refund", "REFUNDED")])
async def test_money_for_an_ended_order_is_never_lost(stand_up: Any, policy: str, ends: str) -> None:
    """Cancelled or expired: it revives the order, or goes back in full, as the shop chose (O08)."""
    stand: Stand = await stand_up(storefront={"orders": {"late_payment": policy, "expiry_seconds": 62}})
    customer = await stand.customer()
    orders = [await customer.order(channel=channel) for channel in CHANNELS]
    for order in orders:
        await open_page(stand, order)
        assert (await customer.post(f"/order/cancel/{order['order_no']}")).data["status"] == "CANCELLED"
        await customer.press(order["channel"], "pay", order_no=order["order_no"], late=True)
    for order in orders:
        final = await customer.becomes(order["order_no"], ends)
        assert final["refunded"] == (0 if ends == "PAID" else PRICE)

    points = 200 if ends == "PAID" else 0
    await until(lambda: _has(stand, customer, points))
    if points:
        assert all([await customer.mail(order["order_no"]) for order in orders])


async def test_of_two_payments_the_second_goes_back(stand: Stand) -> None:
    """Told in one moment, with numbers of their own: one pays, the other returns (O09)."""
    customer = await stand.customer()
    for channel in CHANNELS:
        order = await customer.order(channel=channel)
        await customer.pay(order)
        await customer.press(channel, "pay-again", order_no=order["order_no"])
        await customer.becomes(order["order_no"], "PAID")
        await reported(stand, order, 2)
        papers = await dossier(stand, order["order_no"])
        assert sorted(payment.purpose.value for payment in papers.payments) == ["second", "settling"]
        await customer.mail(order["order_no"])
    await until(lambda: _has(stand, customer, 200))


async def test_paid_and_called_off_at_once_has_one_winner(stand: Stand) -> None:
    """Twelve of each: what was paid is PAID, what was called off cannot be paid any more, and nothing is both (O10)."""
    customer = await stand.customer()
    orders = [await customer.order(channel=channel) for channel in CHANNELS for _ in range(12)]
    await asyncio.gather(*(open_page(stand, order) for order in orders))

    async def pay(order: Any) -> bool:
        url = f"{stand.base}/sandbox/{PAGES[order['channel']]}/control/pay"
        body = {"order_no": order["order_no"]}
        async with stand.client.post(url, json=body, headers={"Accept": "application/json"}) as answer:
            return answer.status == 200

    async def cancel(order: Any) -> tuple[int, int]:
        return (await customer.post(f"/order/cancel/{order['order_no']}")).told

    async def race(number: int, order: Any) -> tuple[bool, tuple[int, int]]:
        if number % 2:
            told, paid = await asyncio.gather(cancel(order), pay(order))
        else:
            paid, told = await asyncio.gather(pay(order), cancel(order))
        return paid, told

    outcomes = await asyncio.gather(*(race(number, order) for number, order in enumerate(orders)))
    for order, (paid, told) in zip(orders, outcomes, strict=True):
        await customer.becomes(order["order_no"], "PAID" if paid else "CANCELLED")
        assert told == ((409, 20005) if paid else (200, 10000)), order["channel"]
    won = sum(paid for paid, _ in outcomes)
    await until(lambda: _has(stand, customer, 100 * won))


async def test_paid_and_expired_at_once_has_one_winner(stand_up: Any) -> None:
    """Paid in the second in which the time runs out: PAID, or EXPIRED and refused by the vendor (O10, O15)."""
    lasts = 4
    stand: Stand = await stand_up(storefront={"orders": {"expiry_seconds": lasts}})
    customer = await stand.customer()
    orders = [await customer.order(channel="alipay") for _ in range(12)]
    await asyncio.gather(*(open_page(stand, order) for order in orders))
    first, *around, last = orders

    async def pay(order: Any) -> bool:
        url = f"{stand.base}/sandbox/alipay/control/pay"
        body = {"order_no": order["order_no"]}
        async with stand.client.post(url, json=body, headers={"Accept": "application/json"}) as answer:
            return answer.status == 200

    async def pay_around_the_end(number: int, order: Any) -> bool:
        await asyncio.sleep(lasts - 1 + number * 0.2)
        return await pay(order)

    async def pay_after_the_end() -> bool:
        await customer.becomes(last["order_no"], "EXPIRED")
        return await pay(last)

    paid = await asyncio.gather(
        pay(first), *(pay_around_the_end(number, order) for number, order in enumerate(around)), pay_after_the_end()
    )
    for order, was_paid in zip(orders, paid, strict=True):
        await customer.becomes(order["order_no"], "PAID" if was_paid else "EXPIRED")
    assert {True, False} == set(paid)
    await until(lambda: _has(stand, customer, 100 * sum(paid)))


async def test_a_vendor_is_listened_to_whatever_it_tells(stand: Stand) -> None:
    """Verified reports about orders that nobody knows are no failures: the vendor's address is not shut out by them."""
    customer, known = await stand.customer(), await stand.customer()
    order = await customer.order(channel="wechat")
    forget = "UPDATE orders SET order_no = 'elsewhere', realm = 'other' WHERE order_no = :no"
    await stand.host.kernel.db.write(lambda conn: conn.exec_driver_sql(forget.replace(":no", f"'{order['order_no']}'")))
    await customer.press("wechat", "duplicate", copies=60)
    await customer.press("wechat", "pay", order_no=order["order_no"])
    (notice,) = await reported(stand, order)
    assert notice["last_status"] >= 400

    good = await known.order(channel="wechat")
    await known.pay(good)
    await known.becomes(good["order_no"], "PAID")
    (notice,) = await reported(stand, good)
    assert notice["attempts"] == 1
    restore = f"UPDATE orders SET order_no = '{order['order_no']}', realm = 'storefront' WHERE order_no = 'elsewhere'"
    await stand.host.kernel.db.write(lambda conn: conn.exec_driver_sql(restore))


async def _has(stand: Stand, customer: Customer, points: int) -> bool:
    return await balance(stand, customer) == points
