"""The maintained SDK of others (`wechatpayv3`) as a peer, in both directions and with keys of our own.

It is wrapped so that it calls nobody but the sandbox: an unknown serial number would make it fetch certificates.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.utils import aes_decrypt, build_authorization, rsa_sign, rsa_verify

from hutong.kernel.orders.ports import Closing, PaymentState, RefundState
from hutong.kit.clock import ManualClock, epoch_ms
from hutong.providers.wechat.pay import settings
from hutong.providers.wechat.pay.sandbox.credentials import PLATFORM_ID, SandboxKeys
from hutong.providers.wechat.pay.signatures import Unverified, Verifier, authorization, is_signed
from hutong.sandbox.payments.keys import private_pem, public_pem
from providers.wechat.forge import Forge
from support.payments import PRICE, PayBench


class Peer:
    """The SDK's client in public-key mode, with the sandbox's account."""

    def __init__(self, keys: SandboxKeys, gateway: str) -> None:
        own = keys.account
        self.sdk = WeChatPay(
            wechatpay_type=WeChatPayType.NATIVE,
            mchid=own.mchid,
            private_key=private_pem(keys.merchant),
            cert_serial_no=own.serial,
            appid=own.appid,
            apiv3_key=settings.SANDBOX_APIV3_KEY,
            public_key=public_pem(keys.platform),
            public_key_id=PLATFORM_ID,
            timeout=(5, 5),
        )
        self.sdk._core._gate_way = gateway
        self.sdk._core._update_certificates = self._fetch_nothing

    def _fetch_nothing(self) -> None:
        """Instead of asking the internet for an unknown key."""

    async def call(self, name: str, **arguments: Any) -> tuple[int, Any]:
        """One call of the SDK's; it raises if it does not believe the answer's signature."""
        status, text = await asyncio.to_thread(getattr(self.sdk, name), **arguments)
        return int(status), json.loads(text) if text else None

    def read(self, headers: Mapping[str, str], body: bytes) -> Any:
        """What the SDK makes of a notice; None or an error when it does not believe it."""
        return self.sdk.callback(dict(headers), body)


@pytest.fixture
def peer(bench: PayBench) -> Peer:
    return Peer(SandboxKeys(bench.folder), bench.url)


# Their client, our sandbox


async def test_their_client_sells_and_refunds_in_our_sandbox(bench: PayBench, peer: Peer) -> None:
    """Each of their requests is verified by us, each of our answers by them."""
    amount = {"total": PRICE.amount, "currency": "CNY"}
    order = {"description": "一小时", "out_trade_no": "PEER00000001", "amount": amount, "notify_url": bench.notify_url}
    status, opened = await peer.call("pay", **order)
    assert (status, list(opened)) == (200, ["code_url"])
    status, found = await peer.call("query", out_trade_no="PEER00000001")
    assert (status, found["trade_state"]) == (200, "NOTPAY")

    await bench.press("pay", order_no="PEER00000001")

    status, found = await peer.call("query", out_trade_no="PEER00000001")
    assert (found["trade_state"], found["amount"]["total"]) == ("SUCCESS", PRICE.amount)
    status, by_id = await peer.call("query", transaction_id=found["transaction_id"])
    assert by_id == found
    status, closed = await peer.call("close", out_trade_no="PEER00000001")
    assert (status, closed["code"]) == (400, "ORDERPAID")
    status, refund = await peer.call(
        "refund",
        out_refund_no="PEERREFUND1",
        amount={"refund": 34, **amount},
        transaction_id=found["transaction_id"],
        reason="sorry",
    )
    assert (status, refund["amount"]["refund"]) == (200, 34)
    status, again = await peer.call("query_refund", out_refund_no="PEERREFUND1")
    assert (status, again["refund_id"]) == (200, refund["refund_id"])


async def test_their_client_pays_by_jsapi_and_closes(bench: PayBench, peer: Peer) -> None:
    order = {
        "description": "x",
        "out_trade_no": "PEER00000002",
        "amount": {"total": 1},
        "payer": {"openid": "oCustomer"},
        "notify_url": bench.notify_url,
        "pay_type": WeChatPayType.JSAPI,
    }
    status, opened = await peer.call("pay", **order)
    assert (status, list(opened)) == (200, ["prepay_id"])
    assert await peer.call("close", out_trade_no="PEER00000002") == (204, None)
    assert (await bench.channel.query("PEER00000002")).state is PaymentState.CLOSED
    assert (await peer.call("query", out_trade_no="NEVEROPENED1"))[0] == 404


async def test_both_clients_see_the_same_book(bench: PayBench, peer: Peer) -> None:
    payment = await bench.paid(payer="oCustomer")
    _, found = await peer.call("query", out_trade_no=payment.order_no)

    assert found["transaction_id"] == payment.transaction_id
    assert found["payer"]["openid"] == payment.payer
    assert await bench.channel.close(payment.order_no) is Closing.PAID


async def test_their_client_does_not_get_in_with_another_key(bench: PayBench, peer: Peer, keys: SandboxKeys) -> None:
    peer.sdk._core._private_key = keys.stranger

    status, answer = await peer.call("query", out_trade_no="PEER00000001")

    assert (status, answer["code"]) == (401, "SIGN_ERROR")


# Our sandbox's notices, their reader


async def test_their_code_believes_our_notices(bench: PayBench, peer: Peer) -> None:
    payment = await bench.paid()
    await bench.channel.refund(bench.back(payment, 34))
    letters = await bench.letters(2)

    read = [peer.read(*letter) for letter in letters]

    assert {each["event_type"] for each in read} == {"TRANSACTION.SUCCESS", "REFUND.SUCCESS"}
    paid = next(each["resource"] for each in read if each["event_type"] == "TRANSACTION.SUCCESS")
    assert (paid["transaction_id"], paid["amount"]["total"]) == (payment.transaction_id, PRICE.amount)


@pytest.mark.parametrize("twist", ["corrupt", "wrong-key", "probe"])
async def test_their_code_and_ours_refuse_the_same_forgeries(bench: PayBench, peer: Peer, twist: str) -> None:
    await bench.press(twist)
    await bench.paid()
    forged, genuine = (await bench.letters(2))[:2]

    assert peer.read(*forged) is None
    assert peer.read(*genuine)["event_type"] == "TRANSACTION.SUCCESS"
    assert len(bench.merchant.refused) == 1


async def test_we_refuse_what_they_let_pass(bench: PayBench, peer: Peer) -> None:
    """An old notice, and one for another merchant: their code looks at neither."""
    await bench.press("stale")
    await bench.press("foreign")
    await bench.paid()
    letters = await bench.letters(3)

    assert [peer.read(*letter)["event_type"] for letter in letters[:2]] == ["TRANSACTION.SUCCESS"] * 2
    assert sorted(bench.merchant.refused) == ["foreign", "stale"]
    assert len(bench.merchant.payments) == 1


# Signatures, one by one


def test_their_signatures_are_verified_by_us(keys: SandboxKeys, clock: ManualClock) -> None:
    moment, body = str(epoch_ms(clock.now()) // 1000), '{"a":"二"}'
    signature = rsa_sign(keys.platform, f"{moment}\nNONCE\n{body}\n")
    headers = {
        "wechatpay-serial": PLATFORM_ID,
        "wechatpay-timestamp": moment,
        "wechatpay-nonce": "NONCE",
        "wechatpay-signature": signature,
    }
    verifier = Verifier(keys.account.platform, clock)

    verifier.check(headers, body.encode())

    with pytest.raises(Unverified):
        verifier.check(headers, body.encode() + b" ")


def test_our_signatures_are_verified_by_them(keys: SandboxKeys, forge: Forge) -> None:
    headers, body = forge.payment()
    moment, once, signature = (headers[f"wechatpay-{name}"] for name in ("timestamp", "nonce", "signature"))

    assert rsa_verify(moment, once, body.decode(), signature, keys.platform.public_key())
    assert not rsa_verify(moment, once, body.decode() + " ", signature, keys.platform.public_key())


def test_both_write_the_same_authorization(keys: SandboxKeys, clock: ManualClock) -> None:
    """The signatures are over the same lines: each is verified as the other's would be."""
    own, body = keys.account, '{"a": 1}'
    theirs = parts(build_authorization("/v3/x?y=1", "POST", own.mchid, own.serial, keys.merchant, data=body))
    ours = parts(authorization(own, "POST", "/v3/x?y=1", body.encode(), epoch_ms(clock.now()) // 1000))

    assert theirs.keys() == ours.keys()
    for made in (theirs, ours):
        lines = ("POST", "/v3/x?y=1", made["timestamp"], made["nonce_str"], body)
        assert is_signed(keys.merchant.public_key(), made["signature"], *lines)


def parts(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    assert scheme == "WECHATPAY2-SHA256-RSA2048"
    return {name: value.strip('"') for name, _, value in (part.partition("=") for part in rest.split(","))}


async def test_both_sign_the_page_call_alike(bench: PayBench, peer: Peer) -> None:
    values = (await bench.channel.open(bench.charge(payer="oCustomer"))).values
    theirs = peer.sdk.sign([values[name] for name in ("appId", "timeStamp", "nonceStr", "package")])

    assert values["paySign"] == theirs


def test_they_open_what_we_seal(forge: Forge) -> None:
    resource = json.loads(forge.payment()[1])["resource"]

    plain = aes_decrypt(
        resource["nonce"], resource["ciphertext"], resource["associated_data"], settings.SANDBOX_APIV3_KEY
    )

    assert json.loads(plain)["out_trade_no"] == "ORDER00000001"


async def test_a_refund_of_theirs_is_found_by_us(bench: PayBench, peer: Peer) -> None:
    payment = await bench.paid()
    refund = bench.back(payment, 34, "PEERREFUND2")
    await peer.call(
        "refund",
        out_refund_no="PEERREFUND2",
        amount={"refund": 34, "total": PRICE.amount, "currency": "CNY"},
        out_trade_no=payment.order_no,
    )

    assert (await bench.channel.query_refund(refund)).state in {RefundState.PROCESSING, RefundState.DONE}


def test_the_sandbox_keeps_its_keys(tmp_path: Path) -> None:
    """All processes of one data folder agree, and nobody else can read them."""
    first, second = SandboxKeys(tmp_path), SandboxKeys(tmp_path)

    assert private_pem(first.merchant) == private_pem(second.merchant)
    assert private_pem(first.merchant) != private_pem(first.platform)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "sandbox" / "keys").iterdir()}
    assert modes == {0o600}
