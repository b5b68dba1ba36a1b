"""The methods of the wire: what each does to the book, and what it answers. Runs inside a transaction of the state.

A trade exists for the merchant when the customer has opened it: a code that nobody scanned, or a page that nobody opened, is
ACQ.TRADE_NOT_EXIST. Source: Alipay OpenAPI, the methods' own pages.
"""

import re
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hutong.providers.alipay.sandbox.refusals import AlipayRefusal
from hutong.providers.alipay.sandbox.wire import Call, beijing, from_beijing, yuan
from hutong.sandbox import faults
from hutong.sandbox.payments import book
from hutong.sandbox.payments.desk import Desk

LONGEST_LIFE_MS = 15 * 24 * 3600 * 1000
BUYER = "2088102100000017"
BUYER_LOGIN = "san***@sandbox.invalid"
_ORDER_NO = re.compile(r"[0-9A-Za-z_]{1,64}", re.ASCII)
_REFUSALS: Mapping[type[book.BookRefused], str] = {
    book.NoSuchTrade: "ACQ.TRADE_NOT_EXIST",
    book.TradePaid: "ACQ.TRADE_STATUS_ERROR",
    book.TradeClosed: "ACQ.TRADE_STATUS_ERROR",
    book.TradeUnpaid: "ACQ.TRADE_STATUS_ERROR",
    book.TooMuch: "ACQ.REASON_TRADE_REFUND_FEE_ERR",
    book.RefundDiffers: "ACQ.DISCORDANT_REPEAT_REQUEST",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """Where and when a method is carried out: inside a write transaction, at a time in milliseconds since 1970.

    Args:
        desk: pays and refunds, and tells the merchant.
        public_url: of the sandbox.
    """

    conn: sqlite3.Connection
    now_ms: int
    desk: Desk
    public_url: str


Method = Callable[[Scene, Call], dict[str, Any]]


def enter(scene: Scene, call: Call, *, opened: bool) -> book.Trade:
    """The trade that a page or a code is for, written down if it is new.

    Raises:
        AlipayRefusal: it makes no sense, its time is over, or there is another trade of that number.
    """
    order_no, amount, subject = call.text("out_trade_no"), call.fen("total_amount"), call.text("subject", 256)
    if _ORDER_NO.fullmatch(order_no) is None or not subject:
        raise AlipayRefusal("ACQ.INVALID_PARAMETER")
    known = book.find(scene.conn, order_no, scene.now_ms)
    if known is None:
        known = _new(call, order_no, amount, subject, scene.now_ms)
        book.add(scene.conn, known)
    elif (known.amount, known.description) != (amount, subject):
        raise AlipayRefusal("ACQ.CONTEXT_INCONSISTENT")
    if opened and not known.facts["opened"]:
        book.keep_facts(scene.conn, order_no, {**known.facts, "opened": True})
    return book.get(scene.conn, order_no, scene.now_ms)


def cashier_url(scene: Scene, trade: book.Trade) -> str:
    """Where the customer pays; nobody guesses it."""
    return f"{scene.public_url}/cashier/{trade.order_no}/{trade.facts['cashier']}"


def status_of(conn: sqlite3.Connection, trade: book.Trade) -> str:
    """Alipay's word; a trade that was given back in full is closed."""
    if trade.state == book.WAITING:
        return "WAIT_BUYER_PAY"
    if trade.state == book.CLOSED:
        return "TRADE_CLOSED"
    return "TRADE_CLOSED" if returned(conn, trade) >= (trade.paid_amount or 0) else "TRADE_SUCCESS"


def returned(conn: sqlite3.Connection, trade: book.Trade) -> int:
    """Fen that went back of a trade and have arrived."""
    return sum(each.amount for each in book.refunds_of(conn, trade.order_no) if each.state == book.DONE)


def _precreate(scene: Scene, call: Call) -> dict[str, Any]:
    trade = enter(scene, call, opened=False)
    if trade.state != book.WAITING:
        raise AlipayRefusal("ACQ.TRADE_HAS_SUCCESS" if trade.state == book.PAID else "ACQ.TRADE_HAS_CLOSE")
    return {"out_trade_no": trade.order_no, "qr_code": cashier_url(scene, trade)}


def _query(scene: Scene, call: Call) -> dict[str, Any]:
    trade = _existing(scene, call)
    paid = {} if trade.paid_ms is None else _paid(trade, trade.paid_ms)
    return {
        "out_trade_no": trade.order_no,
        "trade_status": status_of(scene.conn, trade),
        "total_amount": yuan(trade.amount if trade.paid_amount is None else trade.paid_amount),
        **paid,
    }


def _close(scene: Scene, call: Call) -> dict[str, Any]:
    trade = _existing(scene, call)
    if trade.state != book.WAITING:
        raise AlipayRefusal("ACQ.TRADE_STATUS_ERROR")
    book.close(scene.conn, trade.order_no, scene.now_ms)
    return {"out_trade_no": trade.order_no}


def _refund(scene: Scene, call: Call) -> dict[str, Any]:
    """Alipay gives back at once. One that is to fail is taken, and nothing comes of it but what a refund query says."""
    trade, amount = _existing(scene, call), call.fen("refund_amount")
    number = call.text("out_request_no") or trade.order_no
    known = book.find_refund(scene.conn, number)
    fails = any(fault.kind == "refund-fails" for fault in faults.armed(scene.conn, scene.now_ms))
    reason, url = call.text("refund_reason", 256), "" if fails else trade.notify_url
    made = scene.desk.refund(
        scene.conn, trade.order_no, number, amount, scene.now_ms, reason=reason, notify_url=url, at_once=True
    )
    return {
        "out_trade_no": trade.order_no,
        "trade_no": trade.transaction_id,
        "buyer_logon_id": BUYER_LOGIN,
        "buyer_user_id": trade.payer or BUYER,
        "fund_change": "Y" if known is None and made.state == book.DONE else "N",
        "refund_fee": yuan(returned(scene.conn, trade)),
    }


def _refund_query(scene: Scene, call: Call) -> dict[str, Any]:
    trade, number = _existing(scene, call), call.text("out_request_no")
    if not number:
        raise AlipayRefusal("ACQ.INVALID_PARAMETER")
    found = book.find_refund(scene.conn, number)
    if found is None or found.order_no != trade.order_no or found.state != book.DONE:
        return {}
    return {
        "out_trade_no": trade.order_no,
        "trade_no": trade.transaction_id,
        "out_request_no": number,
        "refund_amount": yuan(found.amount),
        "total_amount": yuan(trade.paid_amount or 0),
        "refund_status": "REFUND_SUCCESS",
    }


METHODS: Mapping[str, tuple[str, Method]] = {
    "alipay.trade.precreate": ("open", _precreate),
    "alipay.trade.query": ("query", _query),
    "alipay.trade.close": ("close", _close),
    "alipay.trade.refund": ("refund", _refund),
    "alipay.trade.fastpay.refund.query": ("query_refund", _refund_query),
}
"""Each with the sandbox's word for such a call."""


def carry_out(scene: Scene, call: Call) -> dict[str, Any]:
    """One call; what its answer says.

    Raises:
        AlipayRefusal.
    """
    _, method = METHODS[call.method]
    try:
        return method(scene, call)
    except book.BookRefused as refused:
        raise AlipayRefusal(_REFUSALS[type(refused)]) from refused


def _existing(scene: Scene, call: Call) -> book.Trade:
    """The trade that a call names; Alipay's number outranks the merchant's."""
    transaction_id, order_no = call.text("trade_no"), call.text("out_trade_no")
    if not transaction_id and not order_no:
        raise AlipayRefusal("ACQ.INVALID_PARAMETER")
    by_number = book.by_transaction(scene.conn, transaction_id) if transaction_id else None
    if transaction_id and by_number is None:
        raise book.NoSuchTrade
    trade = book.get(scene.conn, by_number.order_no if by_number else order_no, scene.now_ms)
    if not trade.facts["opened"] and trade.state != book.PAID:
        raise book.NoSuchTrade
    return trade


def _paid(trade: book.Trade, paid_ms: int) -> dict[str, Any]:
    amount = yuan(trade.paid_amount or 0)
    return {
        "trade_no": trade.transaction_id,
        "buyer_logon_id": BUYER_LOGIN,
        "buyer_user_id": trade.payer or BUYER,
        "buyer_pay_amount": amount,
        "receipt_amount": amount,
        "send_pay_date": beijing(paid_ms),
        "fund_bill_list": [{"amount": amount, "fund_channel": "ALIPAYACCOUNT"}],
    }


def _new(call: Call, order_no: str, amount: int, subject: str, now_ms: int) -> book.Trade:
    return book.Trade(
        order_no=order_no,
        amount=amount,
        currency="CNY",
        description=subject,
        way=call.method.removeprefix("alipay.trade."),
        payer=None,
        notify_url=call.parameters.get("notify_url", ""),
        created_ms=now_ms,
        expires_ms=_end(call.text("time_expire"), now_ms),
        facts={
            "opened": False,
            "cashier": secrets.token_urlsafe(16),
            "return_url": call.parameters.get("return_url", ""),
        },
    )


def _end(written: str, now_ms: int) -> int:
    """Until when it can be paid; a page is refused when that is over already."""
    try:
        end = from_beijing(written) if written else now_ms + LONGEST_LIFE_MS
    except ValueError as error:
        raise AlipayRefusal("ACQ.INVALID_PARAMETER") from error
    if not now_ms < end <= now_ms + LONGEST_LIFE_MS:
        raise AlipayRefusal("ACQ.INVALID_PARAMETER")
    return end
