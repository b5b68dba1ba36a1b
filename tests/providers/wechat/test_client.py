"""Our client of APIv3 against the sandbox: what it sends, what it believes, what it makes of refusals."""

import base64
import dataclasses
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import orjson
import pytest
import structlog.testing
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hutong.kernel.http.outbound import Outbound
from hutong.kernel.orders.errors import ChannelRefused, ChannelUnavailable
from hutong.kernel.orders.ports import Charge, Closing, Money, PaymentChannel, PaymentState, RefundState
from hutong.kit.clock import ManualClock
from hutong.providers.wechat.pay import settings
from hutong.providers.wechat.pay.client import WechatPay
from hutong.providers.wechat.pay.errors import MEANINGS
from hutong.providers.wechat.pay.sandbox.answers import REFUSALS
from hutong.providers.wechat.pay.sandbox.credentials import PLATFORM_ID, SandboxKeys
from hutong.providers.wechat.pay.settings import WechatPaySettings
from hutong.providers.wechat.pay.signatures import is_signed
from providers.wechat.forge import TRANSACTION, Forge
from support.http import serving
from support.payments import PayBench, wechat


@asynccontextmanager
async def answering(
    keys: SandboxKeys, clock: ManualClock, answer: tuple[Mapping[str, str], bytes], status: int = 200
) -> AsyncIterator[PaymentChannel]:
    """A channel whose vendor answers every call with that."""

    async def same(_: Request) -> Response:
        return Response(answer[1], status, dict(answer[0]))

    app, outbound = (
        Starlette(routes=[Route("/{path:path}", same, methods=["GET", "POST"])]),
        Outbound(allow_private=True),
    )
    async with serving(app) as url:
        yield wechat(keys.folder, url, outbound, clock)
        await outbound.close()


# What is sent


async def test_a_qr_code_is_what_a_customer_without_openid_pays_with(bench: PayBench) -> None:
    parameters = await bench.channel.open(bench.charge())

    assert parameters.way == "native"
    assert parameters.values["code_url"].startswith("weixin://wxpay/bizpayurl?pr=")


async def test_the_page_call_is_signed_for_the_page(bench: PayBench) -> None:
    parameters = await bench.channel.open(bench.charge(payer="oCustomer"))

    values = parameters.values
    assert parameters.way == "jsapi"
    assert set(values) == {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert (values["appId"], values["signType"]) == (settings.SANDBOX_APPID, "RSA")
    assert values["package"].startswith("prepay_id=wx")
    key = SandboxKeys(bench.folder).merchant.public_key()
    signed = [values[name] for name in ("appId", "timeStamp", "nonceStr", "package")]
    assert is_signed(key, values["paySign"], *signed)


async def test_the_customers_openid_goes_with_the_order(bench: PayBench) -> None:
    payment = await bench.paid(payer="oCustomer")

    assert payment.payer == "oCustomer"


async def test_an_override_says_where_notices_go(bench: PayBench) -> None:
    """The order's own address is not used then."""
    outbound = Outbound(allow_private=True)
    overruled = wechat(bench.folder, bench.url, outbound, bench.clock, notify_url=bench.notify_url)
    charge = dataclasses.replace(bench.charge(), notify_url="http://127.0.0.1:9/nobody")
    await overruled.open(charge)
    await bench.press("pay", order_no=charge.order_no)

    assert (await bench.notices(1))[0].payment is not None
    await outbound.close()


async def test_a_request_with_a_wrong_signature_is_refused_by_the_vendor(bench: PayBench) -> None:
    """Nothing was done, and an operator must look: that is no refusal of the order."""
    outbound = Outbound(allow_private=True)
    own = SandboxKeys(bench.folder).account
    for wrong in (
        dataclasses.replace(own, private_key=SandboxKeys(bench.folder).stranger),
        dataclasses.replace(own, serial="00"),
        dataclasses.replace(own, mchid="1900000002"),
    ):
        channel = WechatPay(WechatPaySettings(), bench.url, lambda wrong=wrong: wrong, outbound, bench.clock)  # type: ignore[misc]
        with pytest.raises(ChannelUnavailable, match="SIGN_ERROR"):
            await channel.open(bench.charge())
    late = ManualClock(bench.clock.now())
    late.advance(301)
    with pytest.raises(ChannelUnavailable):  # and what the vendor says of it is not fresh to this clock
        await wechat(bench.folder, bench.url, outbound, late).open(bench.charge())
    assert (await bench.state())["trades"] == []
    await outbound.close()


# What is believed


async def test_an_answer_that_is_not_signed_by_a_pinned_key_is_no_answer(bench: PayBench) -> None:
    """Even if it says what one would like to hear: the order is open at the vendor, and we do not know."""
    outbound, keys = Outbound(allow_private=True), SandboxKeys(bench.folder)
    charge = bench.charge()
    for platform in ({PLATFORM_ID: keys.stranger.public_key()}, {"PUB_KEY_ID_OTHER": keys.platform.public_key()}):
        own = dataclasses.replace(keys.account, platform=platform)
        channel = WechatPay(WechatPaySettings(), bench.url, lambda own=own: own, outbound, bench.clock)  # type: ignore[misc]
        for call in (channel.open(charge), channel.close(charge.order_no)):
            with pytest.raises(ChannelUnavailable, match="cannot be verified"):
                await call
    await outbound.close()


async def test_an_old_answer_is_no_answer(forge: Forge, keys: SandboxKeys, clock: ManualClock) -> None:
    body = in_json(TRANSACTION)
    for seconds, fresh in ((-299, True), (-301, False), (301, False)):
        answer = forge.signed(body, seconds=int(clock.now().timestamp()) + seconds)
        async with answering(keys, clock, answer) as channel:
            if fresh:
                assert (await channel.query("ORDER00000001")).state is PaymentState.PAID
            else:
                with pytest.raises(ChannelUnavailable, match="stale"):
                    await channel.query("ORDER00000001")


async def test_an_answer_about_another_order_is_no_answer(forge: Forge, keys: SandboxKeys, clock: ManualClock) -> None:
    async with answering(keys, clock, forge.signed(in_json(TRANSACTION))) as channel:
        with pytest.raises(ChannelUnavailable, match="another order"):
            await channel.query("ORDER00000002")
    foreign = {**TRANSACTION, "mchid": "1900000002"}
    async with answering(keys, clock, forge.signed(in_json(foreign))) as channel:
        with pytest.raises(ChannelUnavailable, match="another order"):
            await channel.query("ORDER00000001")


@pytest.mark.parametrize("body", [b"", b"null", b"<html>", b'{"trade_state": "SUCCESS"}'])
async def test_a_signed_answer_that_makes_no_sense_is_no_answer(
    forge: Forge, keys: SandboxKeys, clock: ManualClock, body: bytes
) -> None:
    async with answering(keys, clock, forge.signed(body)) as channel:
        for call in (channel.query("ORDER00000001"), channel.open(charge_of(clock))):
            with pytest.raises(ChannelUnavailable):
                await call


async def test_a_probe_in_an_answer_is_no_answer(forge: Forge, keys: SandboxKeys, clock: ManualClock) -> None:
    headers, body = forge.signed(in_json(TRANSACTION))
    headers["wechatpay-signature"] = "WECHATPAY/SIGNTEST/" + headers["wechatpay-signature"]
    async with answering(keys, clock, (headers, body)) as channel:
        with pytest.raises(ChannelUnavailable, match="probe"):
            await channel.query("ORDER00000001")


async def test_a_proxys_error_page_is_no_answer(keys: SandboxKeys, clock: ManualClock) -> None:
    async with answering(keys, clock, ({}, b"<html>Bad gateway</html>"), 502) as channel:
        with pytest.raises(ChannelUnavailable):
            await channel.close("ORDER00000001")


# What is made of refusals

OPENED: Mapping[str, type[Exception]] = {
    **dict.fromkeys(("SYSTEM_ERROR", "FREQUENCY_LIMITED", "RATELIMITED", "USERPAYING"), ChannelUnavailable),
    **dict.fromkeys(("SIGN_ERROR", "NO_AUTH", "MCH_NOT_EXISTS", "APPID_MCHID_NOT_MATCH"), ChannelUnavailable),
    "NOT_ENOUGH": ChannelUnavailable,
    **dict.fromkeys(
        ("PARAM_ERROR", "INVALID_REQUEST", "ORDERPAID", "ORDER_CLOSED", "OUT_TRADE_NO_USED"), ChannelRefused
    ),
    **dict.fromkeys(("ORDER_NOT_EXIST", "RESOURCE_NOT_EXISTS", "USER_ACCOUNT_ABNORMAL"), ChannelRefused),
}


async def test_every_code_of_the_vendor_has_its_meaning(bench: PayBench) -> None:
    """No code of the sandbox is left to chance, by either of its two spellings."""
    assert OPENED.keys() == REFUSALS.keys()
    for code, expected in OPENED.items():
        await bench.press("refuse", code=code)
        with pytest.raises(expected) as refused:
            await bench.channel.open(bench.charge())
        assert code in str(refused.value)
        assert code in MEANINGS or expected is ChannelRefused


@pytest.mark.parametrize(
    ("code", "closing"),
    [
        ("ORDERPAID", Closing.PAID),
        ("ORDER_CLOSED", Closing.CLOSED),
        ("ORDER_NOT_EXIST", Closing.CLOSED),
        ("USERPAYING", Closing.LATER),
    ],
)
async def test_what_a_refusal_to_close_means(bench: PayBench, code: str, closing: Closing) -> None:
    charge = await bench.opened()
    await bench.press("refuse", code=code)

    assert await bench.channel.close(charge.order_no) is closing


@pytest.mark.parametrize("code", ["SYSTEM_ERROR", "SIGN_ERROR", "RATELIMITED"])
async def test_a_close_that_was_not_carried_out_is_not_taken_for_one(bench: PayBench, code: str) -> None:
    charge = await bench.opened()
    await bench.press("refuse", code=code)

    with pytest.raises(ChannelUnavailable):
        await bench.channel.close(charge.order_no)


async def test_a_refund_that_cannot_reach_the_customer_has_failed(bench: PayBench) -> None:
    refund = bench.back(await bench.paid(), 100)
    await bench.press("refuse", code="USER_ACCOUNT_ABNORMAL", on="refund")

    found = await bench.channel.refund(refund)

    assert (found.state, found.reason) == (RefundState.FAILED, "USER_ACCOUNT_ABNORMAL")


async def test_a_refund_without_balance_is_asked_again_later(bench: PayBench) -> None:
    refund = bench.back(await bench.paid(), 100)
    await bench.press("refuse", code="NOT_ENOUGH", on="refund")

    with pytest.raises(ChannelUnavailable) as refused:
        await bench.channel.refund(refund)

    assert refused.value.retry_after == 600
    assert (await bench.channel.refund(refund)).state is RefundState.PROCESSING


# The backup host


async def test_the_backup_is_asked_when_the_first_does_not_answer(bench: PayBench) -> None:
    outbound = Outbound(allow_private=True)
    channel = wechat(bench.folder, "http://127.0.0.1:9", outbound, bench.clock, backup_url=bench.url)

    await channel.open(bench.charge())

    assert len((await bench.state())["trades"]) == 1
    await outbound.close()


async def test_the_backup_is_asked_when_the_first_is_broken(bench: PayBench) -> None:
    """And what it is asked bears a signature of its own."""
    outbound = Outbound(allow_private=True)
    channel = wechat(bench.folder, bench.url, outbound, bench.clock, backup_url=bench.url)
    await bench.press("refuse", code="SYSTEM_ERROR", on="open")

    await channel.open(bench.charge())

    assert (await bench.state())["totals"] | {"open": 2, "refused": 1} == (await bench.state())["totals"]
    await outbound.close()


# What is logged


async def test_logs_hold_neither_bodies_nor_keys(bench: PayBench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    mishaps: list[tuple[str, dict[str, Any]]] = [
        ("refuse", {"code": "SIGN_ERROR"}),
        ("refuse", {"code": "NOT_ENOUGH"}),
        ("lose-answer", {}),
    ]
    with structlog.testing.capture_logs() as ours:
        payment = await bench.paid(payer="oCustomerNobodyMayRead")
        for button, fields in mishaps:
            await bench.press(button, **fields)
            with pytest.raises(ChannelUnavailable):
                await bench.channel.refund(bench.back(payment, 100))
        await bench.press("corrupt")
        await bench.press("notify", order_no=payment.order_no)
        await bench.letters(2)

    written = caplog.text + repr(ours)
    secret = SandboxKeys(bench.folder).merchant.private_numbers().d
    assert "needs an operator" in written
    for hidden in ("oCustomerNobodyMayRead", settings.SANDBOX_APIV3_KEY, str(secret), "WECHATPAY2-SHA256", "一小时"):
        assert hidden not in written
    assert "BEGIN" not in written


def test_an_account_shows_no_key(keys: SandboxKeys) -> None:
    shown = repr(keys.account) + repr(keys.v2_credentials())

    assert settings.SANDBOX_APIV3_KEY not in shown
    assert settings.SANDBOX_V2_KEY not in shown
    assert base64.b64encode(settings.SANDBOX_APIV3_KEY.encode()).decode() not in shown


def in_json(content: Any) -> bytes:
    return orjson.dumps(content)


def charge_of(clock: ManualClock) -> Charge:
    ends = clock.now() + timedelta(minutes=5)
    return Charge("ORDER00000001", Money(1, "CNY"), "x", ends, "http://127.0.0.1:9/notify", "203.0.113.7")
