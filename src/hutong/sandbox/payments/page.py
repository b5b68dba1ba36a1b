"""The page of a payment sandbox: trades, notices, calls, and the buttons. The vendor's `page.html` fills in the rest."""

import secrets
import sqlite3
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hutong.sandbox import faults
from hutong.sandbox.pages import language, page_environment, page_headers
from hutong.sandbox.payments import book, calls, notices
from hutong.sandbox.payments.page_texts import TEXTS
from hutong.sandbox.payments.settings import PaymentSandboxSettings
from hutong.sandbox.payments.vendor import Vendor
from hutong.sandbox.state import State

TRADES_SHOWN, NOTICES_SHOWN, CALLS_SHOWN = 30, 30, 20


class Page:
    """`GET /`, in English or Simplified Chinese."""

    def __init__(self, state: State, vendor: Vendor, settings: PaymentSandboxSettings) -> None:
        self._state = state
        self._vendor = vendor
        self._settings = settings
        self._template = page_environment(vendor.templates).get_template("page.html")

    async def show(self, request: Request) -> Response:
        """The page as it is now; `?lang=en|zh` overrules Accept-Language."""
        chosen = language(request.query_params.get("lang"), request.headers.get("accept-language", ""))
        nonce = secrets.token_urlsafe(16)
        html = self._template.render(
            **await self._state.write(self._context),
            t={**TEXTS[chosen], **self._vendor.texts[chosen]},
            lang=chosen,
            done=request.query_params.get("done"),
            vendor=self._vendor,
            settings=self._settings,
            nonce=nonce,
        )
        return HTMLResponse(html, headers=page_headers(nonce, chosen))

    def _context(self, conn: sqlite3.Connection) -> dict[str, Any]:
        now_ms = self._state.now_ms()
        trades = book.latest(conn, TRADES_SHOWN, now_ms)
        return {
            "counts": book.counts(conn),
            "totals": calls.totals(conn),
            "faults": [asdict(fault) for fault in faults.armed(conn, now_ms)],
            "trades": [_trade(conn, trade) for trade in trades],
            "notices": [_notice(notice, now_ms) for notice in notices.latest(conn, NOTICES_SHOWN)],
            "requests": [{**row, "at": _clock_time(int(str(row["at_ms"])))} for row in calls.latest(conn, CALLS_SHOWN)],
        }


def _trade(conn: sqlite3.Connection, trade: book.Trade) -> dict[str, Any]:
    refunds = book.refunds_of(conn, trade.order_no)
    return {
        **asdict(trade),
        "price": _price(trade.amount, trade.currency),
        "paid": None if trade.paid_amount is None else _price(trade.paid_amount, trade.currency),
        "opened": _clock_time(trade.created_ms),
        "expires": _clock_time(trade.expires_ms),
        "left": (trade.paid_amount or 0) - book.refunded(conn, trade.order_no),
        "refunds": [{**asdict(each), "price": _price(each.amount, trade.currency)} for each in refunds],
    }


def _notice(notice: notices.Notice, now_ms: int) -> dict[str, Any]:
    wait = max(0, notice.due_ms - now_ms) // 1000
    return {**asdict(notice), "at": _clock_time(notice.created_ms), "wait": wait}


def _price(amount: int, currency: str) -> str:
    return f"{amount // 100}.{amount % 100:02d} {currency}"


def _clock_time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%m-%d %H:%M:%S}"
