"""The cashier: the page that a pay link or a code opens, and its one button."""

import hmac
import secrets
import sqlite3
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from hutong.providers.alipay.sandbox import trades
from hutong.providers.alipay.sandbox.page_texts import TEXTS
from hutong.providers.alipay.sandbox.refusals import AlipayRefusal
from hutong.providers.alipay.sandbox.trades import Scene
from hutong.providers.alipay.sandbox.wire import Call, beijing, yuan
from hutong.providers.alipay.settings import SANDBOX_SELLER_ID
from hutong.sandbox.pages import language, page_environment, page_headers
from hutong.sandbox.payments import Answered, PaymentSandboxSettings, book
from hutong.sandbox.payments.desk import Desk
from hutong.sandbox.payments.page_texts import TEXTS as FRAME
from hutong.sandbox.presses import Denied, check_origin, fields_of
from hutong.sandbox.state import State

PAGES = ("alipay.trade.page.pay", "alipay.trade.wap.pay")
TEMPLATES = Path(__file__).parent / "templates"


class Cashier:
    """The customer's side of the sandbox."""

    def __init__(self, settings: PaymentSandboxSettings, state: State, desk: Desk) -> None:
        self._settings = settings
        self._state = state
        self._desk = desk
        self._template = page_environment(TEMPLATES).get_template("cashier.html")

    async def open(self, call: Call) -> Answered:
        """A pay link: from now on there is a trade, and the browser is sent to its page.

        Raises:
            AlipayRefusal.
        """
        trade, url = await self._state.write(self._enter, call)
        return Answered(RedirectResponse(url, 302), trade.order_no)

    def refused(self, request: Request, refusal: AlipayRefusal) -> Answered:
        """What the customer sees of a link that is not taken."""
        said = {"trade": None, "code": refusal.sub_code, "message": refusal.content["sub_msg"]}
        return Answered(self._render(request, said), code=refusal.sub_code)

    async def show(self, request: Request) -> Response:
        """GET /cashier/{order_no}/{token}: as the trade is now; a code that is scanned becomes a trade by that."""
        trade = await self._state.write(self._look, *_named(request))
        return _unknown() if trade is None else self._render(request, self._facts(trade))

    async def pay(self, request: Request) -> Response:
        """POST /cashier/{order_no}/{token}/pay: the customer pays, then looks at the page again."""
        try:
            check_origin(request)
            lang = str((await fields_of(request)).get("lang", ""))
        except Denied as denied:
            return PlainTextResponse(denied.message, denied.status)
        trade = await self._state.write(self._pay, *_named(request))
        if trade is None:
            return _unknown()
        return RedirectResponse(f"../{trade.facts['cashier']}?lang={'zh' if lang == 'zh' else 'en'}", 303)

    def _enter(self, conn: sqlite3.Connection, call: Call) -> tuple[book.Trade, str]:
        scene = self._scene(conn)
        trade = trades.enter(scene, call, opened=True)
        return trade, trades.cashier_url(scene, trade)

    def _look(self, conn: sqlite3.Connection, order_no: str, token: str) -> book.Trade | None:
        trade = book.find(conn, order_no, self._state.now_ms())
        if trade is None or not hmac.compare_digest(trade.facts["cashier"].encode(), token.encode()):
            return None
        if not trade.facts["opened"]:
            book.keep_facts(conn, order_no, {**trade.facts, "opened": True})
        return trade

    def _pay(self, conn: sqlite3.Connection, order_no: str, token: str) -> book.Trade | None:
        """Paying what is paid or closed changes nothing: the page that follows says so."""
        trade = self._look(conn, order_no, token)
        if trade is not None and trade.state == book.WAITING:
            return self._desk.pay(conn, order_no, self._state.now_ms())
        return trade

    def _scene(self, conn: sqlite3.Connection) -> Scene:
        return Scene(conn, self._state.now_ms(), self._desk, self._settings.public_url)

    def _facts(self, trade: book.Trade) -> dict[str, Any]:
        return {
            "trade": trade,
            "price": yuan(trade.amount),
            "paid": yuan(trade.paid_amount or 0),
            "expires": beijing(trade.expires_ms),
            "pay_url": f"{trade.facts['cashier']}/pay",
        }

    def _render(self, request: Request, facts: dict[str, Any]) -> Response:
        chosen = language(request.query_params.get("lang"), request.headers.get("accept-language", ""))
        nonce = secrets.token_urlsafe(16)
        more = {"t": TEXTS[chosen], "other_language": FRAME[chosen]["other_language"], "lang": chosen, "nonce": nonce}
        html = self._template.render(**facts, **more, settings=self._settings, seller_id=SANDBOX_SELLER_ID)
        return HTMLResponse(html, headers=page_headers(nonce, chosen))


def _named(request: Request) -> tuple[str, str]:
    return str(request.path_params["order_no"]), str(request.path_params["token"])


def _unknown() -> Response:
    return PlainTextResponse("There is no such page.", 404)
