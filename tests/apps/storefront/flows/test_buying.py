"""The story of a customer: an account, a code by mail, tokens that rotate, an order that is paid, a receipt."""

from support.stand import Stand


async def test_from_registration_to_the_receipt(stand: Stand) -> None:
    customer = stand.stranger("lin@example.com", **{"Accept-Language": "zh-CN", "X-Device-ID": "a-phone"})
    assert (await customer.register(nickname="林")).data is None

    code = await customer.mail_code("login")
    signed_in = (await customer.post("/auth/email-verify-login", {"email": customer.email, "code": code})).data
    customer.keep(signed_in)
    assert (signed_in["user"]["nickname"], signed_in["token_type"], signed_in["expires_in"]) == ("林", "Bearer", 86_400)

    renewed = (await customer.post("/auth/refresh", {"refresh_token": customer.refresh})).data
    assert renewed["refresh_token"] != customer.refresh
    customer.keep(renewed)
    assert (await customer.get("/auth/me")).data["login_count"] == 1

    order = await customer.order("credits-100")
    assert (order["status"], order["amount"], order["currency"], order["name"]) == ("PENDING", 600, "CNY", "100 积分")
    await customer.pay(order)
    paid = await customer.becomes(order["order_no"], "PAID")
    assert paid["paid_at"] is not None and paid["pay"] is None

    receipt = await customer.mail(order["order_no"])
    assert "CNY 6.00" in receipt["text"] and "100" in receipt["text"]
    assert await stand.host.kernel.wallet.balance(int(customer.user["id"])) == 100
