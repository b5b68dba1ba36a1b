"""What notices are believed: rows O05, O06 and O12 of the attack table, signed by somebody else's implementation."""

import string
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import pytest

from hutong.kernel.orders.errors import NoticeRefused
from hutong.kernel.orders.ports import Money, Notice, RefundState
from hutong.providers.alipay import notices
from hutong.providers.alipay.signing import sign, signed_text
from providers.alipay.peers import APP_ID, OURS, SELLER_ID, THEIRS, account, posted, signature
from support.rsa_keys import rsa_key

LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
NOW = datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC)
PAID: Mapping[str, str] = {
    "app_id": APP_ID,
    "auth_app_id": APP_ID,
    "body": "",
    "buyer_id": "2088102177777777",
    "buyer_pay_amount": "12.30",
    "charset": "utf-8",
    "fund_bill_list": '[{"amount":"12.30","fundChannel":"ALIPAYACCOUNT"}]',
    "gmt_create": "2026-11-03 12:04:58",
    "gmt_payment": "2026-11-03 12:05:03",
    "notify_id": "2026110300222120503042711400000001",
    "notify_time": "2026-11-03 12:05:04",
    "notify_type": "trade_status_sync",
    "out_trade_no": "202611030000000001",
    "seller_id": SELLER_ID,
    "subject": "胡同 100 % & more = ü",
    "total_amount": "12.30",
    "trade_no": "2026110322001477771400000001",
    "trade_status": "TRADE_SUCCESS",
    "version": "1.0",
}
REFUNDED = {
    **PAID,
    "gmt_refund": "2026-11-03 12:05:03.417",
    "notify_id": "refund-notice-1",
    "out_biz_no": "R2026110300000001",
    "refund_fee": "12.30",
}


def read(body: bytes, *, now: datetime = NOW, theirs: tuple[str, ...] = (THEIRS,)) -> Notice:
    return notices.read_notice("alipay", body, account(theirs=theirs), now)


def refused(body: bytes, because: str | None = None, now: datetime = NOW) -> None:
    with pytest.raises(NoticeRefused) as caught:
        read(body, now=now)
    assert caught.value.details is not None
    found = (caught.value.details["reason"], caught.value.details["detail"])
    assert because is None or because in found


def changed(**fields: str) -> bytes:
    """The notice with other fields, signed rightly."""
    return posted({**PAID, **fields})


def without(name: str) -> bytes:
    return posted({key: value for key, value in PAID.items() if key != name})


def test_a_payment_is_read_in_whole_fen_and_utc() -> None:
    notice = read(posted(PAID))
    assert (notice.notice_id, notice.event, notice.refund) == (PAID["notify_id"], "TRADE_SUCCESS", None)
    assert notice.payment is not None
    assert notice.payment.order_no == PAID["out_trade_no"]
    assert notice.payment.transaction_id == PAID["trade_no"]
    assert notice.payment.money == Money(1230, "CNY")
    assert notice.payment.paid_at == datetime(2026, 11, 3, 4, 5, 3, tzinfo=UTC)
    assert notice.payment.payer == "2088102177777777"


def test_a_finished_trade_is_a_payment_too() -> None:
    assert read(changed(trade_status="TRADE_FINISHED")).payment is not None


@pytest.mark.parametrize("status", ["WAIT_BUYER_PAY", "TRADE_CLOSED", "SOMETHING_NEW"])
def test_a_trade_that_is_not_paid_reports_nothing_but_its_state(status: str) -> None:
    notice = read(changed(trade_status=status))
    assert (notice.event, notice.payment, notice.refund) == (status, None, None)


def test_a_refund_is_no_payment_and_its_sum_is_not_its_amount() -> None:
    """`refund_fee` is what was given back of the trade in all, so it says nothing of this refund's amount."""
    notice = read(posted(REFUNDED))
    assert notice.payment is None
    assert notice.refund is not None
    assert (notice.refund.state, notice.refund.refund_no) == (RefundState.DONE, "R2026110300000001")
    assert notice.refund.money is None


@pytest.mark.parametrize("lost", ["gmt_refund", "refund_fee"])
def test_either_field_makes_it_a_refund(lost: str) -> None:
    notice = read(posted({key: value for key, value in REFUNDED.items() if key != lost}))
    assert notice.payment is None
    assert notice.refund is not None


def test_nothing_given_back_is_no_refund() -> None:
    assert read(changed(refund_fee="0.00")).payment is not None


def test_a_refund_by_hand_has_no_number_and_is_not_taken_for_a_payment() -> None:
    notice = read(posted({key: value for key, value in REFUNDED.items() if key != "out_biz_no"}))
    assert (notice.payment, notice.refund) == (None, None)


def test_a_notice_in_gbk_is_verified_over_its_bytes() -> None:
    """The signature covers the bytes that were sent, whatever they mean; the text is read in the charset that it names."""
    fields = {**PAID, "charset": "GBK"}
    raw = {name.encode(): value.encode("gbk", "replace") for name, value in fields.items()}
    pairs = [name + b"=" + quote(value, safe="").encode() for name, value in raw.items()]
    # The peer signs UTF-8 only, so this one is signed here.
    made = sign(rsa_key(THEIRS), signed_text(raw, without=()))
    body = b"&".join([*pairs, b"sign_type=RSA2", b"sign=" + quote(made, safe="").encode()])
    assert read(body).payment is not None


class TestO05:
    """Not for us, or not from Alipay: refused."""

    def test_unsigned(self) -> None:
        refused(urlencode(PAID).encode())
        refused(urlencode({**PAID, "sign_type": "RSA2"}).encode(), "forged")
        refused(urlencode({**PAID, "sign": "", "sign_type": "RSA2"}).encode(), "forged")

    @pytest.mark.parametrize("sign", ["x", "!!!", "c2lnbmF0dXJl", "ü", "A" * 344])
    def test_signed_with_nonsense(self, sign: str) -> None:
        refused(urlencode({**PAID, "sign": sign, "sign_type": "RSA2"}).encode(), "forged")

    def test_a_signature_spelled_in_another_way(self) -> None:
        """The unused bits of the last letter: the same bytes, but not what Alipay sent."""
        good = signature(PAID)
        assert good.endswith("==")
        last = LETTERS[LETTERS.index(good[-3]) + 1]
        refused(urlencode({**PAID, "sign": f"{good[:-3]}{last}==", "sign_type": "RSA2"}).encode(), "forged")

    def test_signed_by_another_key(self) -> None:
        refused(posted(PAID, signs=rsa_key("a stranger")), "forged")

    def test_signed_by_the_application_itself(self) -> None:
        """Our own key signs requests; whoever has it is not Alipay."""
        refused(posted(PAID, signs=rsa_key(OURS)), "forged")

    def test_signed_with_an_older_algorithm(self) -> None:
        body = urlencode({**PAID, "sign": signature(PAID), "sign_type": "RSA"}).encode()
        refused(body, "unsigned")

    @pytest.mark.parametrize("name", [*PAID, "sign_type"])
    def test_each_field_is_covered(self, name: str) -> None:
        """Changing, losing or adding a field after signing is noticed."""
        fields = {**PAID, "sign": signature(PAID), "sign_type": "RSA2"}
        refused(urlencode({**fields, name: fields[name] + "0"}).encode())
        refused(urlencode({key: value for key, value in fields.items() if key != name}).encode())
        refused(urlencode({**fields, name + "2": "1"}).encode(), "forged")

    @pytest.mark.parametrize("name", [*PAID, "sign", "sign_type"])
    def test_no_field_may_come_twice(self, name: str) -> None:
        """Else one reader could see the one value and another reader the other."""
        body = posted(PAID)
        refused(body + b"&" + quote(name).encode() + b"=1", "no form, or a field stands twice")
        refused(
            b"%" + f"{ord(name[0]):02X}".encode() + name[1:].encode() + b"=1&" + body,
            "no form, or a field stands twice",
        )

    def test_for_another_application(self) -> None:
        refused(changed(app_id="2021000000000078"), "app_id")
        refused(without("app_id"), "app_id")

    def test_for_another_merchant(self) -> None:
        refused(changed(seller_id="2088000000000078"), "seller_id")
        refused(without("seller_id"), "seller_id")

    @pytest.mark.parametrize(
        "body",
        [
            *(b"", b"&", b"=", b"a", b"{}", b"\x00\xff\xfe", b"sign=x&sign_type=RSA2", b"%", b"a=%zz", b"<xml/>"),
            *(b"a=1&" * 101, b"a=" + b"1" * 70_000, b"&".join(b"f%d=1" % number for number in range(200))),
        ],
    )
    def test_what_is_no_form(self, body: bytes) -> None:
        refused(body)


class TestO06:
    """Another amount or currency is read as what it is: it is for orders to compare, and to raise the alarm."""

    @pytest.mark.parametrize(("yuan", "fen"), [("12.29", 1229), ("12.31", 1231), ("0.01", 1), ("12.3", 1230)])
    def test_the_amount_that_was_paid(self, yuan: str, fen: int) -> None:
        payment = read(changed(total_amount=yuan)).payment
        assert payment is not None
        assert payment.money == Money(fen, "CNY")

    def test_the_currency_that_was_paid(self) -> None:
        payment = read(changed(trans_currency="USD")).payment
        assert payment is not None
        assert payment.money == Money(1230, "USD")

    @pytest.mark.parametrize("yuan", ["", "1e2", "1.234", "-12.30", "NaN", "12,30", " 12.30", "1_2.30", "\uff11.00"])
    def test_what_is_no_amount(self, yuan: str) -> None:
        refused(changed(total_amount=yuan), "total_amount")


class TestO12:
    """Alipay signs no nonce: within its day of tries a replay is the same notice, later it is refused."""

    def test_a_replay_within_the_tries_is_the_same_notice(self) -> None:
        body = posted(PAID)
        assert read(body) == read(body, now=NOW + timedelta(hours=25))

    @pytest.mark.parametrize("away", [timedelta(hours=26, minutes=1), timedelta(days=400), timedelta(minutes=-11)])
    def test_a_notice_of_another_time(self, away: timedelta) -> None:
        refused(posted(PAID), "stale", now=NOW + away)

    @pytest.mark.parametrize("time", ["", "yesterday", "2026-11-03T12:05:04Z", "2026-13-03 12:05:04", "1762142704"])
    def test_a_time_that_is_none(self, time: str) -> None:
        refused(changed(notify_time=time), "notify_time")


@pytest.mark.parametrize("name", ["notify_id", "trade_status", "out_trade_no", "trade_no"])
@pytest.mark.parametrize("value", ["", "x" * 200, "a\nb", "a\u202eb"])
def test_a_word_that_cannot_be_kept_is_refused(name: str, value: str) -> None:
    refused(changed(**{name: value}), name)


def test_a_null_byte_is_refused() -> None:
    refused(changed(subject="a\x00b"), "characters that cannot be stored")


@pytest.mark.parametrize("charset", ["utf-7", "latin-1", "", "rot13", "idna"])
def test_an_unknown_charset_is_refused(charset: str) -> None:
    refused(changed(charset=charset), "charset")


def test_any_of_the_pinned_keys_may_sign() -> None:
    """While Alipay's key is being changed both are pinned."""
    both = (THEIRS, "alipay next year")
    assert read(posted(PAID), theirs=both) == read(posted(PAID, signs=rsa_key(both[1])), theirs=both)
    refused(posted(PAID, signs=rsa_key("a stranger")))


def test_without_a_date_of_payment_the_notice_was_made_after_it() -> None:
    payment = read(without("gmt_payment")).payment
    assert payment is not None
    assert payment.paid_at == datetime(2026, 11, 3, 4, 5, 4, tzinfo=UTC)
