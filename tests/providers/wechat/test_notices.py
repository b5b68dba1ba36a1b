"""Notices of APIv3: what is believed, and every way not to be (rows O05, O06, O12 of the reference, and its table of attacks)."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import NameOID

from hutong.kernel.http.outbound import Outbound
from hutong.kernel.observability import metrics
from hutong.kernel.orders.errors import NoticeRefused
from hutong.kernel.orders.ports import Money, PaymentChannel, RefundState
from hutong.kernel.settings import SettingsRefused
from hutong.kit.clock import ManualClock
from hutong.providers.wechat.pay.client import WechatPay
from hutong.providers.wechat.pay.credentials import platform_key
from hutong.providers.wechat.pay.sandbox.credentials import PLATFORM_ID, SandboxKeys
from hutong.providers.wechat.pay.settings import PlatformKey, WechatPaySettings
from hutong.sandbox.payments.keys import public_pem
from providers.wechat.forge import TRANSACTION, Forge, Letter


def refusal(channel: PaymentChannel, letter: Letter) -> str:
    """Why a notice is refused; that the answer to it is a failure, by its status."""
    with pytest.raises(NoticeRefused) as refused:
        channel.read_notice(*letter)
    answer = channel.acknowledge(refused.value.message)
    assert 400 <= answer.status < 500
    assert b'"code":"FAIL"' in answer.body
    assert refused.value.details is not None
    return str(refused.value.details["reason"])


# What is believed


def test_a_payment_is_read(channel: PaymentChannel, forge: Forge) -> None:
    notice = channel.read_notice(*forge.payment())

    assert (notice.notice_id, notice.event, notice.refund) == ("EV-2026110100000001", "TRANSACTION.SUCCESS", None)
    assert notice.payment is not None
    assert notice.payment.order_no == TRANSACTION["out_trade_no"]
    assert notice.payment.transaction_id == TRANSACTION["transaction_id"]
    assert notice.payment.money == Money(1234, "CNY")
    assert notice.payment.paid_at == datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert notice.payment.payer == "oCustomer"
    assert channel.acknowledge(None).status == 204


@pytest.mark.parametrize(
    ("word", "state"),
    [("SUCCESS", RefundState.DONE), ("CLOSED", RefundState.FAILED), ("ABNORMAL", RefundState.FAILED)],
)
def test_a_refund_is_read(channel: PaymentChannel, forge: Forge, word: str, state: RefundState) -> None:
    refund = channel.read_notice(*forge.refund({"refund_status": word})).refund

    assert refund is not None
    assert (refund.state, refund.refund_no, refund.money) == (state, "REFUND000001", Money(234, "CNY"))
    assert refund.channel_refund_id == "50300000002026110100000000001"


def test_a_genuine_report_of_no_payment_changes_nothing(channel: PaymentChannel, forge: Forge) -> None:
    notice = channel.read_notice(*forge.letter("TRANSACTION.PAYERROR", {**TRANSACTION, "trade_state": "PAYERROR"}))

    assert (notice.payment, notice.refund) == (None, None)


# O05: unsigned, another key, another merchant


@pytest.mark.parametrize("missing", ["wechatpay-signature", "wechatpay-timestamp", "wechatpay-nonce"])
def test_an_unsigned_notice_is_refused(channel: PaymentChannel, forge: Forge, missing: str) -> None:
    headers, body = forge.payment()

    assert refusal(channel, ({name: value for name, value in headers.items() if name != missing}, body)) == "unsigned"
    assert refusal(channel, ({**headers, missing: ""}, body)) == "unsigned"
    assert refusal(channel, ({}, body)) == "unsigned"


def test_a_notice_signed_by_somebody_else_is_refused(channel: PaymentChannel, forge: Forge) -> None:
    forge.key = forge.keys.stranger

    assert refusal(channel, forge.payment()) == "forged"


@pytest.mark.parametrize("serial", ["", "0", "PUB_KEY_ID_0000", "x'; DROP TABLE keys", "F" * 4000, "../../etc/passwd"])
def test_an_unknown_key_is_refused_and_not_fetched(channel: PaymentChannel, forge: Forge, serial: str) -> None:
    """Reading is no coroutine: there is no way for a forged notice to make us call anybody."""
    forge.serial = serial

    assert refusal(channel, forge.payment()) == "unknown_key"


def test_another_scheme_is_refused(channel: PaymentChannel, forge: Forge) -> None:
    forge.headers = {"wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"}

    assert refusal(channel, forge.payment()) == "unsigned"


@pytest.mark.parametrize("signature", ["AAAA", "not base64 !", "=", "A" * 2000, "é" * 20])
def test_a_signature_that_is_none_is_refused(channel: PaymentChannel, forge: Forge, signature: str) -> None:
    forge.headers = {"wechatpay-signature": signature}

    assert refusal(channel, forge.payment()) in {"forged", "unsigned"}


@pytest.mark.parametrize("changed", [{"mchid": "1900000002"}, {"appid": "wx0000000000000000"}, {"mchid": None}])
def test_a_notice_for_another_merchant_or_app_is_refused(
    channel: PaymentChannel, forge: Forge, changed: dict[str, Any]
) -> None:
    assert refusal(channel, forge.payment(changed)) == "foreign"


def test_a_refund_of_another_merchant_is_refused(channel: PaymentChannel, forge: Forge) -> None:
    assert refusal(channel, forge.refund({"mchid": "1900000002"})) == "foreign"


# Signature probes


def test_a_probe_fails_without_alarm(channel: PaymentChannel, forge: Forge) -> None:
    """It is counted apart, and answered 401 as the vendor wants to see."""
    headers, body = forge.payment()
    headers["wechatpay-signature"] = "WECHATPAY/SIGNTEST/" + headers["wechatpay-signature"]
    before = {name: counted(name) for name in ("probe", "forged")}

    assert refusal(channel, (headers, body)) == "probe"

    assert counted("probe") - before["probe"] == 1
    assert counted("forged") == before["forged"]
    with pytest.raises(NoticeRefused) as refused:
        channel.read_notice(headers, body)
    assert channel.acknowledge(refused.value.message).status == 401


def counted(outcome: str) -> float:
    return float(metrics.channel_notices.labels("wechat", outcome)._value.get())


# O06: another sum, another currency


@pytest.mark.parametrize("amount", [{"total": 1233}, {"total": 1235}, {"total": 1234, "currency": "USD"}])
def test_a_genuine_sum_is_told_as_it_is(channel: PaymentChannel, forge: Forge, amount: dict[str, Any]) -> None:
    """Whoever knows the order compares; nothing is rounded, converted or taken for granted."""
    payment = channel.read_notice(*forge.payment({"amount": amount})).payment

    assert payment is not None
    assert payment.money == Money(amount["total"], amount.get("currency", "CNY"))


@pytest.mark.parametrize("total", [12.34, 1234.0, "1234", True, None, -1, 10**18, [1234], {"total": 1}])
def test_a_sum_that_is_no_whole_number_of_fen_is_refused(channel: PaymentChannel, forge: Forge, total: Any) -> None:
    assert refusal(channel, forge.payment({"amount": {"total": total, "currency": "CNY"}})) == "malformed"


# O12: old ones, and nonces that come again


@pytest.mark.parametrize(
    ("seconds", "outcome"), [(-299, None), (299, None), (-302, "stale"), (302, "stale"), (-(10**9), "stale")]
)
def test_a_notice_is_fresh_for_five_minutes(
    channel: PaymentChannel, forge: Forge, clock: ManualClock, seconds: int, outcome: str | None
) -> None:
    letter = forge.signed(forge.payment()[1], seconds=int(clock.now().timestamp()) + seconds)

    if outcome is None:
        assert channel.read_notice(*letter).payment is not None
    else:
        assert refusal(channel, letter) == outcome


def test_a_kept_notice_is_refused_after_five_minutes(channel: PaymentChannel, forge: Forge, clock: ManualClock) -> None:
    letter = forge.payment()
    channel.read_notice(*letter)
    clock.advance(301)

    assert refusal(channel, letter) == "stale"


@pytest.mark.parametrize(
    "moment", ["", "soon", "1e9", "-1700000000", "１７００００００００", "9" * 13, "1700000000.0", " 1"]
)
def test_a_moment_that_is_none_is_refused(channel: PaymentChannel, forge: Forge, moment: str) -> None:
    forge.headers = {"wechatpay-timestamp": moment}

    assert refusal(channel, forge.payment()) in {"stale", "unsigned"}


def test_a_nonce_stands_over_one_message(channel: PaymentChannel, forge: Forge) -> None:
    """The very same message again is let through: it has the same id, and whoever keeps ids does nothing twice."""
    first = forge.signed(forge.payment()[1], nonce="N1")
    other = forge.signed(forge.payment({"out_trade_no": "ORDER00000002"})[1], nonce="N1")

    assert channel.read_notice(*first) == channel.read_notice(*first)
    assert refusal(channel, other) == "nonce_reused"


def test_nobody_can_fill_the_memory_for_nonces(channel: PaymentChannel, forge: Forge) -> None:
    """Only what is rightly signed is remembered, so a flood of forgeries drives nothing out."""
    first = forge.signed(forge.payment()[1], nonce="N1")
    channel.read_notice(*first)
    forge.key = forge.keys.stranger
    for _ in range(50):
        assert refusal(channel, forge.payment()) == "forged"
    forge.key = None

    assert refusal(channel, forge.signed(forge.payment({"attach": "x"})[1], nonce="N1")) == "nonce_reused"


# The sealed content


def test_content_sealed_with_another_key_is_refused(channel: PaymentChannel, forge: Forge) -> None:
    forge.apiv3_key = b"0" * 32

    assert refusal(channel, forge.payment()) == "malformed"


@pytest.mark.parametrize(
    "resource",
    [
        {"algorithm": "NONE"},
        {"algorithm": None},
        {"ciphertext": ""},
        {"ciphertext": "AAAA"},
        {"ciphertext": 5},
        {"nonce": ""},
        {"nonce": "x" * 17},
        {"nonce": None},
        {"associated_data": "refund"},
        {"associated_data": None},
    ],
    ids=str,
)
def test_a_resource_that_was_not_sealed_so_is_refused(
    channel: PaymentChannel, forge: Forge, resource: dict[str, Any]
) -> None:
    assert refusal(channel, forge.payment(**resource)) == "malformed"


@pytest.mark.parametrize(
    "envelope", [{"id": ""}, {"id": None}, {"event_type": 1}, {"resource": "x"}, {"resource_type": "plain"}]
)
def test_an_envelope_that_lacks_something_is_refused(
    channel: PaymentChannel, forge: Forge, envelope: dict[str, Any]
) -> None:
    assert refusal(channel, forge.payment(envelope=envelope)) == "malformed"


@pytest.mark.parametrize(
    "changed",
    [
        {"out_trade_no": None},
        {"out_trade_no": "x" * 33},
        {"out_trade_no": "ORDER\u0000"},
        {"transaction_id": ""},
        {"success_time": "yesterday"},
        {"success_time": "2026-11-01T12:00:00"},
        {"trade_state": "WON"},
        {"amount": None},
        {"payer": {"openid": 7}},
    ],
    ids=str,
)
def test_a_payment_that_lacks_something_is_refused(
    channel: PaymentChannel, forge: Forge, changed: dict[str, Any]
) -> None:
    assert refusal(channel, forge.payment(changed)) == "malformed"


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"id": 1e999}', b"\xff", b"[" * 5000], ids=repr)
def test_rubbish_that_is_rightly_signed_is_refused(channel: PaymentChannel, forge: Forge, body: bytes) -> None:
    assert refusal(channel, forge.signed(body)) == "malformed"


def test_a_body_of_more_than_64_kb_is_not_looked_at(channel: PaymentChannel, forge: Forge) -> None:
    assert refusal(channel, forge.signed(b"{" + b" " * 65_536 + b"}")) == "too_large"
    assert channel.acknowledge("This payment notice is too large.").status == 413


# Pinned keys


async def test_several_keys_are_believed_at_once(forge: Forge, keys: SandboxKeys, clock: ManualClock) -> None:
    """During a change of keys the vendor signs notices with either; a certificate's key is as good as a public key."""
    serial, certificate = certified(keys.stranger)
    pinned = {
        PLATFORM_ID: platform_key(PlatformKey(id=PLATFORM_ID, pem=public_pem(keys.platform))),
        serial: platform_key(PlatformKey(id=serial, pem=certificate)),
    }
    own = dataclasses.replace(keys.account, platform=pinned)
    outbound = Outbound(allow_private=True)
    both = WechatPay(WechatPaySettings(), "http://127.0.0.1:9", lambda: own, outbound, clock)

    assert both.read_notice(*forge.payment()).payment is not None
    forge.key, forge.serial = keys.stranger, serial.lower()
    assert both.read_notice(*forge.payment()).payment is not None
    forge.serial = PLATFORM_ID  # the one's signature under the other's name
    assert refusal(both, forge.payment()) == "forged"
    await outbound.close()


def test_a_certificate_is_pinned_under_its_own_number(keys: SandboxKeys) -> None:
    """Under another's name it would be believed for what somebody else signs."""
    _, certificate = certified(keys.stranger)

    with pytest.raises(SettingsRefused, match="serial number"):
        platform_key(PlatformKey(id="5157F09EFDC096DE15EBE81A47057A7232F1B8E2", pem=certificate))


def certified(key: RSAPrivateKey) -> tuple[str, str]:
    """A certificate as the platform had them: serial number and PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com sign")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0x5157F09EFDC096DE15EBE81A47057A7232F1B8E1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1825))
        .sign(key, hashes.SHA256())
    )
    return f"{made.serial_number:X}", made.public_bytes(serialization.Encoding.PEM).decode()
