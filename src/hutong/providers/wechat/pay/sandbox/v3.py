"""APIv3's wire: the request's signature, then the call. Source: WeChat Pay APIv3, JSAPI, native, query, close, refunds."""

import re
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hutong.kit.clock import Clock, epoch_ms
from hutong.providers.wechat.pay.credentials import Credentials
from hutong.providers.wechat.pay.sandbox import bodies, desk
from hutong.providers.wechat.pay.sandbox.answers import PayRefusal, SignedJson
from hutong.providers.wechat.pay.sandbox.credentials import SandboxKeys
from hutong.providers.wechat.pay.signatures import FRESH_SECONDS, SCHEME, is_signed
from hutong.sandbox.payments import Answered, PaymentSandbox, book

LARGEST = 64 * 1024
DEFAULT_LIFE_MS = 7 * 24 * 3600 * 1000
_PART = re.compile(r'(\w+)="([^"]*)"')


class V3:
    """APIv3 of one sandbox.

    Args:
        sandbox: the book, the mishaps, the post office.
        keys: of the data folder; requests are verified with the public half of the merchant's.
        answers: how the platform signs.
        clock: the vendor's time.
    """

    def __init__(self, sandbox: PaymentSandbox, keys: SandboxKeys, answers: SignedJson, clock: Clock) -> None:
        self._sandbox = sandbox
        self._keys = keys
        self._answers = answers
        self._clock = clock

    @property
    def routes(self) -> list[Route]:
        transactions, refunds = "/v3/pay/transactions", "/v3/refund/domestic/refunds"
        return [
            Route(f"{transactions}/{{way}}", self.open, methods=["POST"]),
            Route(f"{transactions}/out-trade-no/{{order_no}}", self.query),
            Route(f"{transactions}/id/{{transaction_id}}", self.query),
            Route(f"{transactions}/out-trade-no/{{order_no}}/close", self.close, methods=["POST"]),
            Route(refunds, self.refund, methods=["POST"]),
            Route(f"{refunds}/{{refund_no}}", self.query_refund),
        ]

    async def open(self, request: Request) -> Response:
        return await self._answer("open", request, self._open)

    async def query(self, request: Request) -> Response:
        return await self._answer("query", request, self._query)

    async def close(self, request: Request) -> Response:
        return await self._answer("close", request, self._close)

    async def refund(self, request: Request) -> Response:
        return await self._answer("refund", request, self._refund)

    async def query_refund(self, request: Request) -> Response:
        return await self._answer("query_refund", request, self._query_refund)

    async def _answer(self, call: str, request: Request, do: Any) -> Response:
        body = await _body(request)
        named = str(request.path_params.get("order_no", ""))

        async def carry_out() -> Answered:
            try:
                check_signature(self._keys.account, request, body, epoch_ms(self._clock.now()) // 1000)
                content = _content(body)
                order_no, status, answer = await self._sandbox.state.write(do, request, content, self._clock.now())
            except PayRefusal as refusal:
                return refused(refusal.code, refusal)
            return Answered(self._answers.answer(status, answer, self._clock.now()), order_no)

        def refused(code: str, refusal: PayRefusal | None = None) -> Answered:
            return Answered(self._answers.refusal(refusal or PayRefusal(code), self._clock.now()), named, code)

        return await self._sandbox.answer(call, request, carry_out, refused)

    def _open(
        self, conn: sqlite3.Connection, request: Request, content: Mapping[str, Any], now: datetime
    ) -> tuple[str, int, Mapping[str, Any]]:
        way = request.path_params["way"]
        if way not in {"native", "jsapi"}:
            raise PayRefusal("PARAM_ERROR", "trade_type")
        self._check_account(content)
        trade = desk.open_trade(conn, _wanted(content, way, now), now, epoch_ms(now))
        name = "code_url" if way == "native" else "prepay_id"
        return trade.order_no, 200, {name: trade.facts[name]}

    def _query(
        self, conn: sqlite3.Connection, request: Request, content: Mapping[str, Any], now: datetime
    ) -> tuple[str, int, Mapping[str, Any]]:
        self._check_mchid(request.query_params.get("mchid"))
        order_no = request.path_params.get("order_no")
        if order_no is None:
            paid = book.by_transaction(conn, request.path_params["transaction_id"])
            order_no = paid.order_no if paid is not None else ""
        trade, refunded = desk.find_trade(conn, order_no, epoch_ms(now))
        return order_no, 200, bodies.transaction(self._keys.account, trade, refunded=refunded)

    def _close(
        self, conn: sqlite3.Connection, request: Request, content: Mapping[str, Any], now: datetime
    ) -> tuple[str, int, None]:
        self._check_mchid(content.get("mchid"))
        order_no = request.path_params["order_no"]
        desk.close_trade(conn, order_no, epoch_ms(now))
        return order_no, 204, None

    def _refund(
        self, conn: sqlite3.Connection, request: Request, content: Mapping[str, Any], now: datetime
    ) -> tuple[str, int, Mapping[str, Any]]:
        asked = _refund_asked(content)
        found, trade = desk.refund(conn, self._sandbox.desk, asked, epoch_ms(now))
        return trade.order_no, 200, bodies.refund(found, trade)

    def _query_refund(
        self, conn: sqlite3.Connection, request: Request, content: Mapping[str, Any], now: datetime
    ) -> tuple[str, int, Mapping[str, Any]]:
        found, trade = desk.find_refund(conn, request.path_params["refund_no"], epoch_ms(now))
        return trade.order_no, 200, bodies.refund(found, trade)

    def _check_account(self, content: Mapping[str, Any]) -> None:
        self._check_mchid(content.get("mchid"))
        if content.get("appid") != self._keys.account.appid:
            raise PayRefusal("APPID_MCHID_NOT_MATCH")

    def _check_mchid(self, mchid: object) -> None:
        if mchid != self._keys.account.mchid:
            raise PayRefusal("PARAM_ERROR", "mchid")


def check_signature(known: Credentials, request: Request, body: bytes, seconds: int) -> None:
    """That a request bears the merchant's signature, made within five minutes of now.

    Raises:
        PayRefusal: SIGN_ERROR.
    """
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    given = dict(_PART.findall(rest))
    moment = given.get("timestamp", "")
    named = (given.get("mchid"), given.get("serial_no", "").upper())
    if scheme != SCHEME or named != (known.mchid, known.serial) or not given.get("nonce_str"):
        raise PayRefusal("SIGN_ERROR", "Authorization")
    if not moment.isascii() or not moment.isdigit() or abs(int(moment[:12]) - seconds) > FRESH_SECONDS:
        raise PayRefusal("SIGN_ERROR", "timestamp")
    key, signature = known.private_key.public_key(), given.get("signature", "")
    if not is_signed(key, signature, request.method, _target(request), moment, given["nonce_str"], body):
        raise PayRefusal("SIGN_ERROR")


def _target(request: Request) -> str:
    """Path and query as the vendor sees them: without the sandbox's own place."""
    path = request.scope["raw_path"].decode("ascii").partition("?")[0]
    path = path.removeprefix(request.scope.get("root_path", ""))
    return f"{path}?{request.url.query}" if request.url.query else path


async def _body(request: Request) -> bytes:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > LARGEST:
            break
    return bytes(received[: LARGEST + 1])


def _content(body: bytes) -> Mapping[str, Any]:
    if not body:
        return {}
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict) or len(body) > LARGEST:
        raise PayRefusal("PARAM_ERROR", "JSON")
    return content


def _wanted(content: Mapping[str, Any], way: str, now: datetime) -> book.Trade:
    amount, payer = content.get("amount"), content.get("payer")
    if not isinstance(amount, dict) or type(amount.get("total")) is not int:
        raise PayRefusal("PARAM_ERROR", "amount")
    openid = payer.get("openid") if isinstance(payer, dict) else None
    if way == "jsapi" and not isinstance(openid, str):
        raise PayRefusal("PARAM_ERROR", "payer.openid")
    return book.Trade(
        order_no=_text(content, "out_trade_no"),
        amount=amount["total"],
        currency=str(amount.get("currency", "CNY")),
        description=_text(content, "description"),
        way=way.upper(),
        payer=openid if way == "jsapi" else None,
        notify_url=_text(content, "notify_url"),
        created_ms=epoch_ms(now),
        expires_ms=_expires_ms(content, now),
        facts={"api": "v3", "attach": str(content.get("attach", ""))},
    )


def _expires_ms(content: Mapping[str, Any], now: datetime) -> int:
    if "time_expire" not in content:
        return epoch_ms(now) + DEFAULT_LIFE_MS
    try:
        return epoch_ms(datetime.fromisoformat(_text(content, "time_expire")))
    except (ValueError, TypeError):
        raise PayRefusal("PARAM_ERROR", "time_expire") from None


def _refund_asked(content: Mapping[str, Any]) -> desk.RefundAsked:
    amount = content.get("amount")
    if not isinstance(amount, dict) or type(amount.get("refund")) is not int or type(amount.get("total")) is not int:
        raise PayRefusal("PARAM_ERROR", "amount")
    if amount.get("currency") != "CNY":
        raise PayRefusal("PARAM_ERROR", "amount.currency")
    return desk.RefundAsked(
        order_no=content.get("out_trade_no"),
        transaction_id=content.get("transaction_id"),
        refund_no=_text(content, "out_refund_no"),
        amount=amount["refund"],
        total=amount["total"],
        reason=str(content.get("reason", "")),
        notify_url=str(content.get("notify_url", "")),
    )


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise PayRefusal("PARAM_ERROR", name)
    return value
