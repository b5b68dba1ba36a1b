"""The sandbox as a stranger sees it: what it refuses, its cashier, its page and buttons."""

import string
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from hutong.kernel.orders.ports import Closing, PaymentState
from hutong.providers.alipay.sandbox.keys import APP_KEY
from hutong.providers.alipay.sandbox.page_texts import CHINESE, ENGLISH
from hutong.providers.alipay.sandbox.refusals import MESSAGES, SUB_MESSAGES, code_of
from hutong.providers.alipay.sandbox.vendor import VENDOR
from hutong.providers.alipay.settings import SANDBOX_APP_ID
from hutong.providers.alipay.signing import sign_parameters
from hutong.sandbox.payments.buttons import BUTTONS
from providers.alipay.bench import AlipayBench
from support.browser import PHONE, WIDE, look
from support.rsa_keys import rsa_key

ORDER = "202611030000000001"
QUERY = {
    "app_id": SANDBOX_APP_ID,
    "method": "alipay.trade.query",
    "format": "JSON",
    "charset": "utf-8",
    "sign_type": "RSA2",
    "timestamp": "2026-11-03 12:05:04",
    "version": "1.0",
    "biz_content": f'{{"out_trade_no":"{ORDER}"}}',
}


async def asked(bench: AlipayBench, query: str = "", form: str = "") -> Any:
    """The sub code of the answer, and whether it was signed."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with bench.pay.client.post(f"{bench.gateway}?{query}", data=form, headers=headers) as answer:
        assert answer.status == 200
        body = await answer.json(content_type=None)
    inner = next(value for name, value in body.items() if name != "sign")
    assert inner["msg"] == MESSAGES[inner["code"]]
    return inner.get("sub_code"), "sign" in body


def signed(**changes: str) -> str:
    return urlencode(sign_parameters(rsa_key(APP_KEY), {**QUERY, **changes}))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"method": ""}, "isv.missing-method"),
        ({"method": "alipay.trade.give"}, "isv.invalid-method"),
        ({"app_id": ""}, "isv.missing-app-id"),
        ({"app_id": "2021000000000099"}, "isv.invalid-app-id"),
        ({"sign_type": ""}, "isv.missing-signature-type"),
        ({"sign_type": "RSA"}, "isv.invalid-signature-type"),
        ({"timestamp": ""}, "isv.missing-timestamp"),
        ({"timestamp": "1762142704"}, "isv.invalid-timestamp"),
        ({"version": ""}, "isv.missing-version"),
        ({"charset": "rot13"}, "isv.invalid-charset"),
        ({"format": "XML"}, "isv.invalid-format"),
        ({"biz_content": "{"}, "isv.invalid-parameter"),
        ({"biz_content": "[]"}, "isv.invalid-parameter"),
        ({"biz_content": "{}"}, "ACQ.INVALID_PARAMETER"),
        ({"biz_content": '{"out_trade_no":5}'}, "ACQ.INVALID_PARAMETER"),
        ({}, "ACQ.TRADE_NOT_EXIST"),
    ],
)
async def test_what_is_not_as_it_should_be_is_refused(bench: AlipayBench, changes: dict[str, str], code: str) -> None:
    """In the vendor's words; only to an unknown application the answer is not signed."""
    unsigned = code in {"isv.missing-app-id", "isv.invalid-app-id"}
    assert await asked(bench, signed(**changes)) == (code, not unsigned)


async def test_parameters_may_stand_in_the_address_or_in_the_form_but_not_twice(bench: AlipayBench) -> None:
    whole = signed()
    assert (await asked(bench, "", whole))[0] == "ACQ.TRADE_NOT_EXIST"
    pairs = parse_qsl(whole)
    assert (await asked(bench, urlencode(pairs[:4]), urlencode(pairs[4:])))[0] == "ACQ.TRADE_NOT_EXIST"
    assert (await asked(bench, whole, urlencode(pairs[:1])))[0] == "isv.invalid-parameter"
    assert (await asked(bench, whole, "a=%ff"))[0] == "isv.invalid-parameter"
    assert (await asked(bench, whole, "a=" + "1" * 70_000))[0] == "isv.invalid-parameter"


@pytest.mark.parametrize("name", QUERY)
async def test_each_parameter_is_covered_by_the_signature(bench: AlipayBench, name: str) -> None:
    pairs = [(key, value + "0" if key == name else value) for key, value in parse_qsl(signed())]
    code, _ = await asked(bench, urlencode(pairs))
    assert code.startswith("isv.")


@pytest.mark.parametrize("amount", ["0", "0.00", "-1", "1e2", "1.234", "NaN", "", "100000000.01", "1,000"])
async def test_an_amount_must_be_one(bench: AlipayBench, amount: str) -> None:
    content = f'{{"out_trade_no":"{ORDER}","subject":"x","total_amount":"{amount}"}}'
    code, _ = await asked(bench, signed(method="alipay.trade.precreate", biz_content=content))
    assert code == "ACQ.INVALID_PARAMETER"


async def test_another_order_of_that_number_is_refused(bench: AlipayBench) -> None:
    await bench.look(await bench.page(ORDER, 100))
    assert "ACQ.CONTEXT_INCONSISTENT" in await bench.look(await bench.page(ORDER, 101))


async def test_a_cashier_is_not_found_by_guessing(bench: AlipayBench) -> None:
    await bench.look(await bench.page(ORDER))
    for path in (f"/cashier/{ORDER}/guess", "/cashier/none/guess"):
        async with bench.pay.client.get(bench.base + path) as answer:
            assert answer.status == 404
        async with bench.pay.client.post(bench.base + path + "/pay") as answer:
            assert answer.status == 404
    assert (await bench.channel.query(ORDER)).state is PaymentState.WAITING


async def test_another_site_cannot_press_pay(bench: AlipayBench) -> None:
    url = await bench.page(ORDER)
    async with bench.pay.client.get(url) as answer:
        cashier = str(answer.url)
    async with bench.pay.client.post(f"{cashier}/pay", headers={"Origin": "https://evil.example"}) as answer:
        assert answer.status == 403
    assert (await bench.channel.query(ORDER)).state is PaymentState.WAITING


async def test_paying_twice_pays_once(bench: AlipayBench) -> None:
    paid = await bench.paid(ORDER)
    trade = (await bench.pay.state())["trades"][0]
    cashier = f"{bench.base}/cashier/{ORDER}/{trade['facts']['cashier']}"
    async with bench.pay.client.post(f"{cashier}/pay") as answer:
        assert "Paid" in await answer.text()
    assert (await bench.channel.query(ORDER)).payment == paid
    assert len((await bench.pay.state())["notices"]) == 1


async def test_a_closed_order_cannot_be_paid(bench: AlipayBench) -> None:
    url = await bench.page(ORDER)
    async with bench.pay.client.get(url) as answer:
        cashier = str(answer.url)
    assert await bench.channel.close(ORDER) is Closing.CLOSED
    async with bench.pay.client.post(f"{cashier}/pay") as answer:
        assert "Closed" in await answer.text()
    assert (await bench.channel.query(ORDER)).state is PaymentState.CLOSED


async def test_a_page_s_mishap_is_seen_by_the_customer(bench: AlipayBench) -> None:
    await bench.pay.press("refuse", code="ACQ.SYSTEM_ERROR", on="open")
    url = await bench.page(ORDER)
    assert "ACQ.SYSTEM_ERROR" in await bench.look(url)
    assert 'id="pay"' in await bench.look(url)


async def test_the_back_office_gives_back(bench: AlipayBench) -> None:
    """A refund that the merchant did not ask for is reported with a number that is not ours."""
    await bench.paid(ORDER)
    await bench.pay.press("refund", order_no=ORDER, amount=30)
    await bench.pay.notices(2)
    refund = next(each.refund for each in bench.pay.merchant.taken if each.refund)
    assert refund.refund_no.startswith("BACK-OFFICE-")


def test_every_word_is_there_in_both_languages() -> None:
    assert ENGLISH.keys() == CHINESE.keys()
    assert [name for name, text in {**ENGLISH, **CHINESE}.items() if not text.strip(string.whitespace)] == []


def test_every_refusal_that_can_be_ordered_has_its_words() -> None:
    for code in (*VENDOR.refusals, VENDOR.down):
        assert code in SUB_MESSAGES
        assert code_of(code) in MESSAGES


@pytest.mark.parametrize(("lang", "words"), [("en", "Alipay sandbox"), ("zh", "支付宝沙箱")])
async def test_the_page_has_every_button(bench: AlipayBench, lang: str, words: str) -> None:
    await bench.paid(ORDER)
    await bench.look(await bench.page("open0001"))
    await bench.pay.press("down")
    async with bench.pay.client.get(f"{bench.base}/?lang={lang}") as answer:
        html = await answer.text()
    assert words in html and ORDER in html
    assert "built-in method" not in html  # a word named like a method of dict
    for name in (BUTTONS.keys() | set(VENDOR.twists)) - {"twist", "hurry"}:
        assert f'action="control/{name}"' in html, name


@pytest.mark.browser
@pytest.mark.parametrize(("language", "words"), [("en", "Pay ¥12.30"), ("zh-CN", "支付 ¥12.30")])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
async def test_the_cashier_in_a_browser(
    bench: AlipayBench, tmp_path: Any, language: str, words: str, size: tuple[int, int]
) -> None:
    """The pay link leads there, in the customer's language, and loads nothing from outside."""
    url = await bench.page(ORDER)
    shot = await look(url, tmp_path / "cashier.png", language=language, size=size)
    assert words in shot.words
    assert f'lang="{language}"' in shot.document
    assert (shot.foreign_addresses(), list(shot.complaints)) == ([], [])
    assert shot.colours > 300


@pytest.mark.browser
async def test_the_page_in_a_browser(bench: AlipayBench, tmp_path: Any) -> None:
    await bench.paid(ORDER)
    await bench.pay.notices(1)
    await bench.pay.press("wrong-key")
    shot = await look(f"{bench.base}/", tmp_path / "page.png")
    for word in ("Alipay sandbox", ORDER, "12.30 CNY", "Armed mishaps", "Wrong key"):
        assert word in shot.words
    assert (shot.foreign_addresses(), list(shot.complaints)) == ([], [])
