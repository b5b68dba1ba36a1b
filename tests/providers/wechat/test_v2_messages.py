"""Messages of the older API: strict XML, the shared key, notices (the reference's table of attacks)."""

import dataclasses
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from hutong.kernel.http.outbound import Outbound
from hutong.kernel.orders.errors import NoticeRefused
from hutong.kernel.orders.ports import Money, RefundState
from hutong.kernel.settings import SettingsRefused
from hutong.kit.clock import ManualClock
from hutong.providers.wechat.pay import settings, v2_xml
from hutong.providers.wechat.pay.credentials import V2Credentials, v2_credentials_of
from hutong.providers.wechat.pay.schemas import Malformed
from hutong.providers.wechat.pay.settings import WechatPayV2Settings
from hutong.providers.wechat.pay.v2 import WechatPayV2
from hutong.providers.wechat.pay.v2_signatures import SignType, is_signed, open_sealed, seal, sign

KEY = settings.SANDBOX_V2_KEY.encode()
OWN = V2Credentials(settings.SANDBOX_APPID, settings.SANDBOX_MCHID, KEY)
PUBLISHED = {
    "appid": "wxd930ea5d5a258f4f",
    "mch_id": "10000100",
    "device_info": "1000",
    "body": "test",
    "nonce_str": "ibuaiVcKdpRxkhJA",
}
PAID = {
    "return_code": "SUCCESS",
    "result_code": "SUCCESS",
    "appid": OWN.appid,
    "mch_id": OWN.mchid,
    "nonce_str": "5d2b6c2a8db53831f7eda20af46e531c",
    "openid": "oCustomer",
    "is_subscribe": "Y",
    "trade_type": "JSAPI",
    "bank_type": "CFT",
    "total_fee": "1234",
    "cash_fee": "1234",
    "transaction_id": "4200000000202611010000000001",
    "out_trade_no": "ORDER00000001",
    "time_end": "20261101120000",
    "a_field_of_the_future": "x",
}
REFUNDED = {
    "out_refund_no": "REFUND000001",
    "out_trade_no": "ORDER00000001",
    "refund_fee": "234",
    "refund_id": "50300000002026110100000000001",
    "refund_status": "SUCCESS",
    "total_fee": "1234",
    "transaction_id": "4200000000202611010000000001",
}


@pytest.fixture
async def channel(clock: ManualClock) -> AsyncIterator[WechatPayV2]:
    outbound = Outbound(allow_private=True)
    yield WechatPayV2(WechatPayV2Settings(), "http://127.0.0.1:9", lambda: OWN, outbound, clock)
    await outbound.close()


def letter(changed: Mapping[str, str] | None = None, *, key: bytes = KEY, sign_type: SignType = "HMAC-SHA256") -> bytes:
    """A payment's notice, rightly signed, with some fields changed before."""
    fields = {**PAID, **(changed or {})}
    return v2_xml.render({**fields, "sign": sign(fields, key, sign_type)})


def refund_letter(changed: Mapping[str, str] | None = None, *, key: bytes = KEY) -> bytes:
    sealed = seal(v2_xml.render({**REFUNDED, **(changed or {})}, "root"), key)
    return v2_xml.render({"return_code": "SUCCESS", "appid": OWN.appid, "mch_id": OWN.mchid, "req_info": sealed})


def refusal(channel: WechatPayV2, body: bytes) -> str:
    with pytest.raises(NoticeRefused) as refused:
        channel.read_notice({}, body)
    answer = channel.acknowledge(refused.value.message)
    assert b"<return_code>FAIL</return_code>" in answer.body
    assert answer.status >= 400
    assert refused.value.details is not None
    return str(refused.value.details["reason"])


# Signatures


@pytest.mark.parametrize(
    ("sign_type", "expected"),
    [
        ("MD5", "9A0A8659F005D6984697E2CA0A9CF3B7"),
        ("HMAC-SHA256", "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6"),
    ],
)
def test_the_published_example_is_signed_as_published(sign_type: SignType, expected: str) -> None:
    fields = {**PUBLISHED, "empty": "", "sign": "is not signed"}

    assert sign(fields, b"192006250b4c09247ec02edce69f6a2d", sign_type) == expected
    assert is_signed({**PUBLISHED, "sign": expected}, b"192006250b4c09247ec02edce69f6a2d", sign_type)


def test_an_empty_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="empty key"):
        sign(PUBLISHED, b"", "MD5")


@pytest.mark.parametrize("key", ["", "short"])
def test_an_account_without_a_key_does_not_start(key: str) -> None:
    chosen = WechatPayV2Settings(
        base_url="https://api.mch.weixin.qq.com",
        appid="wxd930ea5d5a258f4f",
        mchid="10000100",
        key=SecretStr(key),
        certificate="x",
    )

    with pytest.raises(SettingsRefused, match="HUTONG_WECHAT_PAY_V2__KEY"):
        v2_credentials_of(chosen)


# XML


def test_a_flat_document_is_read() -> None:
    body = '<?xml version="1.0"?><xml>\n<a><![CDATA[1 < 2]]></a> <b> 二 </b><c></c>\n</xml>'.encode()

    assert v2_xml.parse(body) == {"a": "1 < 2", "b": " 二 ", "c": ""}
    assert v2_xml.parse(v2_xml.render({"a": "]]><x>&amp;", "b": "\x00\x1f"})) == {"a": "]]><x>&amp;", "b": "��"}


BOMB = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
ATTACKS = {
    "external entity": '<!DOCTYPE xml [<!ENTITY x SYSTEM "file:///etc/passwd">]><xml><a>&x;</a></xml>',
    "external subset": '<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd"><xml><a>1</a></xml>',
    "entity bomb": f'<!DOCTYPE xml [<!ENTITY a0 "ha">{BOMB}]><xml><a>&a9;</a></xml>',
    "parameter entity": '<!DOCTYPE xml [<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;]><xml><a>1</a></xml>',
    "unknown entity": "<xml><a>&x;</a></xml>",
    "element twice": "<xml><total_fee>1</total_fee><total_fee>1234</total_fee></xml>",
    "nesting": "<xml><a><total_fee>1</total_fee></a></xml>",
    "another root": "<root><a>1</a></root>",
    "two roots": "<xml><a>1</a></xml><xml><a>2</a></xml>",
    "attributes": '<xml><a b="1">1</a></xml>',
    "comment": "<xml><total_fee>1<!-- -->234</total_fee></xml>",
    "instruction": "<xml><?php echo 1; ?><a>1</a></xml>",
    "text between": "<xml>x<a>1</a></xml>",
    "strange name": "<xml><a-b>1</a-b></xml>",
    "many elements": "<xml>" + "".join(f"<a{n}>1</a{n}>" for n in range(600)) + "</xml>",
    "broken": "<xml><a>1</a>",
    "no xml": "return_code=SUCCESS",
    "control character": "<xml><a>\x01</a></xml>",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_anything_but_a_flat_document_is_refused(channel: WechatPayV2, attack: str) -> None:
    with pytest.raises(Malformed):
        v2_xml.parse(ATTACKS[attack].encode())
    assert refusal(channel, ATTACKS[attack].encode()) == "malformed"


def test_another_encoding_is_refused() -> None:
    with pytest.raises(Malformed):
        v2_xml.parse('<?xml version="1.0" encoding="UTF-16"?><xml><a>1</a></xml>'.encode("utf-16"))


def test_a_duplicate_is_refused_though_it_is_rightly_signed(channel: WechatPayV2) -> None:
    """Parsers disagree on which of the two counts; so it is refused before the signature is looked at."""
    body = letter().replace(b"<total_fee>", b"<total_fee>1</total_fee><total_fee>")

    assert refusal(channel, body) == "malformed"


def test_a_body_of_more_than_64_kb_is_not_parsed(channel: WechatPayV2) -> None:
    assert refusal(channel, letter({"attach": "x" * 65_536})) == "too_large"


# Notices


def test_a_payment_is_read(channel: WechatPayV2) -> None:
    notice = channel.read_notice({}, letter())

    assert notice.payment is not None
    assert notice.payment.money == Money(1234, "CNY")
    assert notice.payment.paid_at.isoformat() == "2026-11-01T04:00:00+00:00"
    assert (notice.payment.order_no, notice.payment.payer) == ("ORDER00000001", "oCustomer")
    assert notice.notice_id == channel.read_notice({}, letter({"nonce_str": "another"})).notice_id
    assert channel.acknowledge(None).body == (
        b"<xml><return_code>SUCCESS</return_code><return_msg>OK</return_msg></xml>"
    )


def test_the_senders_sign_type_is_ignored(channel: WechatPayV2) -> None:
    """Who could make it weaker would only need the weaker one."""
    weaker = letter({"sign_type": "MD5"}, sign_type="MD5")

    assert refusal(channel, weaker) == "forged"
    assert channel.read_notice({}, letter({"sign_type": "MD5"})).payment is not None


def test_a_notice_without_a_signature_is_refused(channel: WechatPayV2) -> None:
    assert refusal(channel, v2_xml.render(PAID)) == "unsigned"
    assert refusal(channel, v2_xml.render({**PAID, "sign": ""})) == "unsigned"


@pytest.mark.parametrize("key", [b"k" * 32, KEY.swapcase()])
def test_a_notice_signed_with_another_key_is_refused(channel: WechatPayV2, key: bytes) -> None:
    assert refusal(channel, letter(key=key)) == "forged"


@pytest.mark.parametrize("field", ["total_fee", "out_trade_no", "a_field_of_the_future", "mch_id"])
def test_every_field_is_signed(channel: WechatPayV2, field: str) -> None:
    changed = v2_xml.render({**v2_xml.parse(letter()), field: "1"})

    assert refusal(channel, changed) == "forged"


@pytest.mark.parametrize("changed", [{"mch_id": "1900000002"}, {"appid": "wx0000000000000000"}])
def test_a_notice_for_another_merchant_is_refused(channel: WechatPayV2, changed: Mapping[str, str]) -> None:
    assert refusal(channel, letter(changed)) == "foreign"


@pytest.mark.parametrize(
    "changed",
    [
        *({"total_fee": value} for value in ("-1", "12.34", "1e3", "", "１２３４", "9" * 14, "0x10", " 1")),
        {"time_end": "2026-11-01"},
        {"out_trade_no": "x" * 33},
        {"transaction_id": ""},
    ],
    ids=str,
)
def test_a_payment_that_makes_no_sense_is_refused(channel: WechatPayV2, changed: Mapping[str, str]) -> None:
    assert refusal(channel, letter(changed)) == "malformed"


def test_a_failed_payment_changes_nothing(channel: WechatPayV2) -> None:
    notice = channel.read_notice({}, letter({"result_code": "FAIL", "err_code": "SYSTEMERROR"}))

    assert (notice.event, notice.payment, notice.refund) == ("PAYMENT.FAIL", None, None)


@pytest.mark.parametrize(
    ("word", "state"),
    [("SUCCESS", RefundState.DONE), ("REFUNDCLOSE", RefundState.FAILED), ("CHANGE", RefundState.FAILED)],
)
def test_a_refund_is_read(channel: WechatPayV2, word: str, state: RefundState) -> None:
    refund = channel.read_notice({}, refund_letter({"refund_status": word})).refund

    assert refund is not None
    assert (refund.state, refund.refund_no, refund.money) == (state, "REFUND000001", Money(234, "CNY"))


def test_a_refund_sealed_with_another_key_is_refused(channel: WechatPayV2) -> None:
    assert refusal(channel, refund_letter(key=b"k" * 32)) == "forged"


@pytest.mark.parametrize("sealed", ["", "AAAA", "not base64", "AAAAAAAAAAAAAAAAAAAAAA=="])
def test_a_refund_that_is_not_sealed_is_refused(channel: WechatPayV2, sealed: str) -> None:
    outer = {"return_code": "SUCCESS", "appid": OWN.appid, "mch_id": OWN.mchid}

    assert refusal(channel, v2_xml.render({**outer, "req_info": sealed})) == "forged"


def test_a_refund_hides_no_document_type(channel: WechatPayV2) -> None:
    outer = {"return_code": "SUCCESS", "appid": OWN.appid, "mch_id": OWN.mchid}
    sealed = seal(b'<!DOCTYPE root [<!ENTITY x "y">]><root><refund_id>&x;</refund_id></root>', KEY)

    assert refusal(channel, v2_xml.render({**outer, "req_info": sealed})) == "forged"


def test_what_was_sealed_opens() -> None:
    assert open_sealed(seal("退款".encode(), KEY), KEY) == "退款".encode()


async def test_a_real_account_needs_its_certificate_file(tmp_path: Path) -> None:
    chosen = WechatPayV2Settings(
        base_url="https://api.mch.weixin.qq.com",
        appid="wxd930ea5d5a258f4f",
        mchid="10000100",
        key=SecretStr("k" * 32),
        certificate=str(tmp_path / "apiclient.pem"),
    )
    with pytest.raises(SettingsRefused, match="no such file"):
        v2_credentials_of(chosen)
    (tmp_path / "apiclient.pem").write_text("pem")
    assert v2_credentials_of(chosen) == dataclasses.replace(
        OWN, appid="wxd930ea5d5a258f4f", mchid="10000100", key=b"k" * 32, certificate=str(tmp_path / "apiclient.pem")
    )
