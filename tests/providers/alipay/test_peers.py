"""Somebody else's implementation (python-alipay-sdk) and ours agree, in both directions; it calls nobody by itself."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from alipay.exceptions import AliPayException, AliPayValidationError
from hypothesis import given
from hypothesis import strategies as st

from hutong.kernel.http.outbound import Outbound
from hutong.kernel.orders.ports import Charge, Money
from hutong.kit.clock import SystemClock
from hutong.providers.alipay.client import AlipayChannel
from hutong.providers.alipay.sandbox.keys import ALIPAY_KEY, APP_KEY
from hutong.providers.alipay.settings import SANDBOX_APP_ID, AlipaySettings
from hutong.providers.alipay.signing import sign_parameters
from providers.alipay.bench import AlipayBench
from providers.alipay.peers import APP_ID, OURS, account, peer
from support.rsa_keys import rsa_key

ORDER = "202611030000000001"
NAMES = st.text(alphabet="abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8).filter(lambda name: name != "sign")
VALUES = st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable())


def sandbox_peer() -> Any:
    """The peer as the sandbox's application."""
    found = peer(signs=rsa_key(APP_KEY), believes=rsa_key(ALIPAY_KEY))
    found._appid = SANDBOX_APP_ID
    return found


@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_we_sign_as_the_peer_does(parameters: dict[str, str]) -> None:
    """The signature has no chance in it, so it is the very same one."""
    theirs = dict(parse_qsl(peer().sign_data(dict(parameters)), keep_blank_values=True))
    assert sign_parameters(rsa_key(OURS), parameters) == theirs


async def test_our_pay_link_is_the_peer_s() -> None:
    settings, clock = AlipaySettings(return_url="https://shop.example/back"), SystemClock()
    channel = AlipayChannel(settings, "https://pay.example/gateway.do", account, Outbound(allow_private=False), clock)
    end = clock.now() + timedelta(minutes=5)
    charge = Charge(ORDER, Money(1230, "CNY"), "胡同 a+b", end, "https://shop.example/notify", "127.0.0.1")
    url = (await channel.open(charge)).values["pay_url"]
    ours = dict(parse_qsl(urlsplit(url).query))
    content = json.loads(ours["biz_content"])
    made = peer().build_body(
        "alipay.trade.page.pay", notify_url=charge.notify_url, return_url=settings.return_url, format="JSON"
    )
    made |= {"timestamp": ours["timestamp"], "biz_content": ours["biz_content"]}
    assert dict(parse_qsl(peer().sign_data(made))) == ours
    assert (ours["app_id"], content["total_amount"], content["out_trade_no"]) == (APP_ID, "12.30", ORDER)


async def asked(bench: AlipayBench, method: str, content: dict[str, Any]) -> Any:
    """A call that the peer signed, and whose answer the peer verified."""
    client = sandbox_peer()
    query = client.client_api(method, content)
    async with bench.pay.client.get(f"{bench.gateway}?{query}") as answer:
        raw = await answer.text()
    return client._verify_and_return_sync_response(raw, f"{method.replace('.', '_')}_response")


async def test_the_peer_sells_through_the_sandbox(bench: AlipayBench) -> None:
    """Opened, paid, queried, given back, queried: each signed by the peer and each answer verified by it."""
    client = sandbox_peer()
    query = client.api_alipay_trade_page_pay("peer", ORDER, "12.30", notify_url=bench.pay.notify_url)
    await bench.pay_at(f"{bench.gateway}?{query}")
    found = await asked(bench, "alipay.trade.query", {"out_trade_no": ORDER})
    assert (found["code"], found["trade_status"], found["total_amount"]) == ("10000", "TRADE_SUCCESS", "12.30")
    refund = {"out_trade_no": ORDER, "refund_amount": "2.30", "out_request_no": "R1"}
    assert (await asked(bench, "alipay.trade.refund", refund))["fund_change"] == "Y"
    again = await asked(bench, "alipay.trade.refund", refund)
    assert (again["fund_change"], again["refund_fee"]) == ("N", "2.30")
    looked = {"out_trade_no": ORDER, "out_request_no": "R1"}
    assert (await asked(bench, "alipay.trade.fastpay.refund.query", looked))["refund_status"] == "REFUND_SUCCESS"
    assert (await asked(bench, "alipay.trade.close", {"out_trade_no": ORDER}))["sub_code"] == "ACQ.TRADE_STATUS_ERROR"
    assert (await asked(bench, "alipay.trade.query", {"out_trade_no": "never"}))["sub_code"] == "ACQ.TRADE_NOT_EXIST"


async def test_the_peer_scans_a_code(bench: AlipayBench) -> None:
    content = {"out_trade_no": ORDER, "total_amount": "0.01", "subject": "peer"}
    found = await asked(bench, "alipay.trade.precreate", content)
    await bench.pay_at(found["qr_code"])
    assert (await asked(bench, "alipay.trade.query", {"out_trade_no": ORDER}))["trade_status"] == "TRADE_SUCCESS"


async def test_the_peer_believes_the_sandbox_s_notices(bench: AlipayBench) -> None:
    await bench.pay.press("corrupt")
    await bench.paid(ORDER)
    await bench.pay.notices(1)
    verdicts = []
    for headers, body in bench.pay.merchant.letters:
        assert headers["content-type"].startswith("application/x-www-form-urlencoded")
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
        verdicts.append(sandbox_peer().verify(fields, fields.pop("sign")))
    assert verdicts == [False, True]


async def test_the_peer_doubts_what_we_doubt(bench: AlipayBench) -> None:
    """An application that the sandbox does not know is answered without a signature, a wrong signature with one."""
    with pytest.raises(AliPayException, match="invalid-app-id"):
        await _as(bench, appid="2021000000000099")
    assert (await _as(bench, signs=rsa_key("a stranger")))["sub_code"] == "isv.invalid-signature"
    with pytest.raises(AliPayValidationError):
        await _as(bench, believes=rsa_key("a stranger"))


async def _as(bench: AlipayBench, appid: str = SANDBOX_APP_ID, **keys: Any) -> Any:
    client = peer(**{"signs": rsa_key(APP_KEY), "believes": rsa_key(ALIPAY_KEY), **keys})
    client._appid = appid
    query = client.client_api("alipay.trade.query", {"out_trade_no": ORDER})
    async with bench.pay.client.get(f"{bench.gateway}?{query}") as answer:
        return client._verify_and_return_sync_response(await answer.text(), "alipay_trade_query_response")


async def test_a_notice_that_the_peer_signed_as_alipay_is_believed(bench: AlipayBench) -> None:
    """The sandbox's own fields, signed by the peer with Alipay's key."""
    await bench.paid(ORDER)
    await bench.pay.notices(1)
    fields = dict(parse_qsl(bench.pay.merchant.letters[0][1].decode(), keep_blank_values=True))
    bare = {name: value for name, value in fields.items() if name not in {"sign", "sign_type"}}
    text = "&".join(f"{name}={value}" for name, value in sorted(bare.items()))
    theirs = peer(signs=rsa_key(ALIPAY_KEY))._sign(text)
    assert theirs == fields["sign"]
    body = urlencode({**bare, "sign": theirs, "sign_type": "RSA2"}).encode()
    assert bench.channel.read_notice({}, body) == bench.pay.merchant.taken[0]
    assert replace(bench.pay.merchant.taken[0]) == bench.pay.merchant.taken[0]
