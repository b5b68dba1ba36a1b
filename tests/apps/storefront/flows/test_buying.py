"""The story of a customer: an account, a code by mail, tokens that rotate, an order that is paid, a receipt.

On every database, and on a Redis Cluster.
"""

import asyncio
from typing import Any

import pytest

from support.deadlines import until
from support.stand import Stand


@pytest.mark.parametrize("channel", ["wechat", "alipay"])
async def test_from_registration_to_the_receipt(stand: Stand, channel: str) -> None:
    customer = stand.stranger("lin@example.com", **{"Accept-Language": "zh-CN", "X-Device-ID": "a-phone"})
    assert (await customer.register(nickname="林")).data is None

    code = await customer.mail_code("login")
    signed_in = (await customer.post("/auth/email-verify-login", {"email": customer.email, "code": code})).data
    customer.keep(signed_in)
    assert (signed_in["user"]["nickname"], signed_in["token_type"]) == ("林", "Bearer")
    assert 86_340 < signed_in["expires_in"] <= 86_400

    renewed = (await customer.post("/auth/refresh", {"refresh_token": customer.refresh})).data
    assert renewed["refresh_token"] != customer.refresh
    customer.keep(renewed)
    assert (await customer.get("/auth/me")).data["login_count"] == 1

    order = await customer.order("credits-100", channel)
    assert (order["status"], order["amount"], order["currency"], order["name"]) == ("PENDING", 600, "CNY", "100 积分")
    await customer.pay(order)
    paid = await customer.becomes(order["order_no"], "PAID")
    assert paid["paid_at"] is not None and paid["pay"] is None

    receipt = await customer.mail(order["order_no"])
    assert "CNY 6.00" in receipt["text"]
    assert await stand.host.kernel.wallet.balance(int(customer.user["id"])) == 100
    assert [item["status"] for item in (await customer.get("/order/list")).data["items"]] == ["PAID"]


async def test_a_report_that_comes_many_times_is_one_payment(stand: Stand) -> None:
    """Twenty copies at once: all acknowledged, one receipt, one grant."""
    customer = await stand.customer()
    order = await customer.order("credits-100", "wechat")
    await customer.press("wechat", "duplicate", copies=20)
    await customer.pay(order)
    await customer.becomes(order["order_no"], "PAID")
    await customer.mail(order["order_no"])

    async def delivered() -> Any:
        url = f"{stand.base}/sandbox/wechatpay/control/state"
        async with stand.client.get(url, params={"order_no": order["order_no"]}) as answer:
            (notice,) = (await answer.json())["notices"]
            return notice if notice["state"] == "delivered" else None

    notice = await until(delivered)
    assert (notice["copies"], notice["last_status"] // 100) == (20, 2)
    assert len([mail for mail in await customer.mails() if order["order_no"] in mail["subject"] + mail["text"]]) == 1
    assert await stand.host.kernel.wallet.balance(int(customer.user["id"])) == 100


async def test_fifty_renewals_at_once_leave_one_live_pair(stand: Stand) -> None:
    customer = await stand.customer()
    old = customer.refresh
    answers = await asyncio.gather(*(customer.post("/auth/refresh", {"refresh_token": old}) for _ in range(50)))
    pairs = {answer.data["refresh_token"] for answer in answers if answer.status == 200}

    assert {answer.status for answer in answers} <= {200, 429}
    assert len(pairs) == 1
    assert (await customer.post("/auth/refresh", {"refresh_token": pairs.pop()})).status == 200


async def test_whoever_signs_out_is_out_at_once(stand: Stand) -> None:
    """The access token and its refresh token; the other device stays, until all are signed out."""
    phone = await stand.customer("lin@example.com")
    tablet, laptop = stand.stranger("lin@example.com"), stand.stranger("lin@example.com")
    await tablet.login()
    await laptop.login()
    assert (await phone.post("/auth/logout")).data is None
    assert (await phone.get("/auth/me")).told == (401, 10014)
    assert (await phone.post("/auth/refresh", {"refresh_token": phone.refresh})).told == (401, 10014)
    assert (await tablet.get("/auth/me")).data["email"] == "lin@example.com"

    assert (await laptop.post("/auth/logout", {"all": True})).data is None
    assert [(await one.get("/auth/me")).told for one in (tablet, laptop)] == [(401, 10014)] * 2


async def test_a_forgotten_password_is_set_anew_by_mail(stand: Stand) -> None:
    """The old one and every session end; the code is good once."""
    customer = await stand.customer()
    code = await customer.mail_code("reset")
    body = {"email": customer.email, "code": code, "new_password": "another long password"}
    stranger = stand.stranger(customer.email)

    assert (await stranger.post("/auth/password/reset", body)).data is None
    assert (await customer.get("/auth/me")).told == (401, 10014)
    assert (await stranger.post("/auth/password/reset", body)).code in {10106, 10107}
    assert (
        await stranger.post("/auth/login", {"email": customer.email, "password": "a horse with a battery"})
    ).told == (
        401,
        10006,
    )
    assert (await stranger.login("another long password")).user["email"] == customer.email


async def test_an_order_that_is_called_off_stays_so(stand: Stand) -> None:
    customer = await stand.customer()
    order = await customer.order("membership-month", "wechat")
    path = f"/order/cancel/{order['order_no']}"

    assert (await customer.post(path)).data["status"] == "CANCELLED"
    assert (await customer.post(path)).data["status"] == "CANCELLED"
    assert (await customer.status(order["order_no"]))["pay"] is None


async def test_a_paid_order_cannot_be_called_off(stand: Stand) -> None:
    customer = await stand.customer()
    order = await customer.order("credits-100", "wechat")
    await customer.pay(order)
    await customer.becomes(order["order_no"], "PAID")

    assert (await customer.post(f"/order/cancel/{order['order_no']}")).told == (409, 20005)


async def test_asking_twice_with_one_key_makes_one_order(stand: Stand) -> None:
    """All at once: each gets the order, or is told that it is being made; with another body, 422."""
    customer = await stand.customer()
    body, key = {"product_id": "credits-100", "channel": "wechat"}, {"Idempotency-Key": "my-order"}
    answers = await asyncio.gather(*(customer.post("/order/create", body, **key) for _ in range(10)))
    again = await customer.post("/order/create", body, **key)

    assert {answer.told for answer in answers} <= {(200, 10000), (409, 10032)}
    assert {answer.data["order_no"] for answer in (*answers, again) if answer.status == 200} == {again.data["order_no"]}
    assert (await customer.get("/order/list")).data["total"] == 1
    assert (await customer.post("/order/create", body | {"quantity": 2}, **key)).told == (422, 10033)
