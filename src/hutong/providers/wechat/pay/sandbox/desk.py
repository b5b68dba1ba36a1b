"""What both APIs do with the book: open, look, close, refund, with the vendor's codes. Runs inside a transaction."""

import re
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hutong.providers.wechat.pay.sandbox.answers import PayRefusal
from hutong.providers.wechat.pay.schemas import CHINA
from hutong.sandbox.payments import book
from hutong.sandbox.payments.desk import Desk

ORDER_NO = re.compile(r"[0-9A-Za-z_\-|*]{6,32}")
REFUND_NO = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
NOTIFY_URL = re.compile(r"https?://[^\s?#]{1,248}")
LARGEST_SUM = 10**10


@dataclass(frozen=True, slots=True)
class RefundAsked:
    """A refund as either API asks for it."""

    order_no: str | None
    transaction_id: str | None
    refund_no: str
    amount: int
    total: int
    reason: str
    notify_url: str


def open_trade(conn: sqlite3.Connection, wanted: book.Trade, now: datetime, now_ms: int) -> book.Trade:
    """A new trade, or the same again with a fresh prepay_id.

    Raises:
        PayRefusal.
    """
    _check_order(wanted, now_ms)
    known = book.find(conn, wanted.order_no, now_ms)
    facts = {**wanted.facts, **prepaid(now)}
    if known is None:
        book.add(conn, _with(wanted, facts))
        return book.get(conn, wanted.order_no, now_ms)
    if known.state == book.PAID:
        raise PayRefusal("ORDERPAID")
    if known.state == book.CLOSED:
        raise PayRefusal("ORDER_CLOSED")
    if _asked(known) != _asked(wanted):
        raise PayRefusal("OUT_TRADE_NO_USED")
    book.keep_facts(conn, wanted.order_no, facts)
    return book.get(conn, wanted.order_no, now_ms)


def find_trade(conn: sqlite3.Connection, order_no: str, now_ms: int) -> tuple[book.Trade, bool]:
    """A trade, and whether anything of it was given back.

    Raises:
        PayRefusal.
    """
    trade = book.find(conn, order_no, now_ms)
    if trade is None:
        raise PayRefusal("ORDER_NOT_EXIST")
    return trade, book.refunded(conn, order_no) > 0


def close_trade(conn: sqlite3.Connection, order_no: str, now_ms: int) -> None:
    """Nobody can pay it any more.

    Raises:
        PayRefusal.
    """
    trade, _ = find_trade(conn, order_no, now_ms)
    if trade.state == book.PAID:
        raise PayRefusal("ORDERPAID")
    if trade.state == book.CLOSED:
        raise PayRefusal("ORDER_CLOSED")
    book.close(conn, order_no, now_ms)


def refund(conn: sqlite3.Connection, desk: Desk, asked: RefundAsked, now_ms: int) -> tuple[book.Refund, book.Trade]:
    """Take a refund in hand; the same number again is the same refund.

    Raises:
        PayRefusal.
    """
    if not REFUND_NO.fullmatch(asked.refund_no) or not 1 <= asked.amount <= LARGEST_SUM or len(asked.reason) > 80:
        raise PayRefusal("PARAM_ERROR")
    trade = _trade_of(conn, asked, now_ms)
    if trade.paid_amount is not None and asked.total not in {trade.amount, trade.paid_amount}:
        raise PayRefusal("INVALID_REQUEST", "订单金额与支付时不一致")
    try:
        found = desk.refund(
            conn,
            trade.order_no,
            asked.refund_no,
            asked.amount,
            now_ms,
            reason=asked.reason,
            notify_url=asked.notify_url,
        )
    except book.BookRefused as wrong:
        raise PayRefusal("INVALID_REQUEST", str(wrong.__doc__)) from wrong
    return found, trade


def find_refund(conn: sqlite3.Connection, refund_no: str, now_ms: int) -> tuple[book.Refund, book.Trade]:
    """A refund and its trade.

    Raises:
        PayRefusal.
    """
    found = book.find_refund(conn, refund_no)
    if found is None:
        raise PayRefusal("RESOURCE_NOT_EXISTS")
    return found, book.get(conn, found.order_no, now_ms)


def prepaid(now: datetime) -> Mapping[str, str]:
    """What a customer pays with: an id for the page call, and the text of a QR code."""
    return {
        "prepay_id": f"wx{now.astimezone(CHINA):%Y%m%d%H%M%S}{secrets.token_hex(10)}",
        "code_url": f"weixin://wxpay/bizpayurl?pr={secrets.token_urlsafe(6)}",
    }


def new_id(kind: str, now: datetime) -> str:
    """The vendor's numbers: 28 digits for payments, 29 for refunds, a UUID in pieces for notices."""
    if kind == "notice":
        return f"EV-{now:%Y%m%d}{secrets.token_hex(12)}"
    head, digits = ("420000", 14) if kind == "transaction" else ("5030000", 14)
    return f"{head}{now.astimezone(CHINA):%Y%m%d}{secrets.randbelow(10**digits):0{digits}d}"


def trade_state(trade: book.Trade, *, refunded: bool) -> str:
    """The word for where a trade is."""
    if trade.state == book.PAID:
        return "REFUND" if refunded else "SUCCESS"
    return "CLOSED" if trade.state == book.CLOSED else "NOTPAY"


def moment(ms: int | None) -> datetime:
    """A moment of the book in China's time."""
    return datetime.fromtimestamp((ms or 0) / 1000, UTC).astimezone(CHINA)


def customer(trade: book.Trade) -> str:
    """Who paid: who was named, or somebody who came by."""
    return trade.payer or "oSandboxCustomer000000000001"


def _check_order(wanted: book.Trade, now_ms: int) -> None:
    if not ORDER_NO.fullmatch(wanted.order_no):
        raise PayRefusal("PARAM_ERROR", "out_trade_no")
    if not 1 <= wanted.amount <= LARGEST_SUM or wanted.currency != "CNY":
        raise PayRefusal("PARAM_ERROR", "amount")
    if not 1 <= len(wanted.description) <= 127 or not NOTIFY_URL.fullmatch(wanted.notify_url):
        raise PayRefusal("PARAM_ERROR", "description, notify_url")
    if wanted.expires_ms <= now_ms:
        raise PayRefusal("PARAM_ERROR", "time_expire")


def _asked(trade: book.Trade) -> tuple[Any, ...]:
    """What must be the same when an order is sent again."""
    return (
        *(trade.amount, trade.currency, trade.description, trade.way, trade.payer, trade.notify_url),
        *(trade.expires_ms, trade.facts.get("api"), trade.facts.get("attach")),
    )


def _with(trade: book.Trade, facts: Mapping[str, Any]) -> book.Trade:
    return book.Trade(
        *(trade.order_no, trade.amount, trade.currency, trade.description, trade.way, trade.payer),
        *(trade.notify_url, trade.created_ms, trade.expires_ms, facts),
    )


def _trade_of(conn: sqlite3.Connection, asked: RefundAsked, now_ms: int) -> book.Trade:
    if asked.transaction_id:
        trade = book.by_transaction(conn, asked.transaction_id)
        if trade is not None and asked.order_no not in {None, "", trade.order_no}:
            raise PayRefusal("INVALID_REQUEST")
    else:
        trade = book.find(conn, asked.order_no or "", now_ms)
    if trade is None:
        raise PayRefusal("RESOURCE_NOT_EXISTS", "订单不存在")
    return trade
