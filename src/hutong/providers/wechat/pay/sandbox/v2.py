"""The older API's wire: strict XML, the shared key's signature, then the call.

Source: WeChat Pay v2, unifiedorder, orderquery, closeorder, refund, refundquery.
"""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hutong.kit.clock import Clock, epoch_ms
from hutong.providers.wechat.pay import v2_xml
from hutong.providers.wechat.pay.credentials import V2Credentials
from hutong.providers.wechat.pay.sandbox import desk
from hutong.providers.wechat.pay.sandbox.answers import PayRefusal, SignedXml
from hutong.providers.wechat.pay.schemas import CHINA, Malformed
from hutong.providers.wechat.pay.v2_schemas import STAMP, stamp
from hutong.providers.wechat.pay.v2_signatures import SignType, is_signed
from hutong.sandbox.payments import Answered, PaymentSandbox, book

DEFAULT_LIFE_MS = 2 * 3600 * 1000
REFUND_STATES = {book.PROCESSING: "PROCESSING", book.DONE: "SUCCESS", book.FAILED: "CHANGE"}
Fields = Mapping[str, str]
Do = Callable[[sqlite3.Connection, Fields, datetime], Fields]


class V2:
    """The older API of one sandbox.

    Args:
        sandbox: the book, the mishaps, the post office.
        known: the merchant's account.
        sign_type: how both sides sign.
        answers: how the platform answers.
        clock: the vendor's time.
    """

    def __init__(
        self, sandbox: PaymentSandbox, known: V2Credentials, sign_type: SignType, answers: SignedXml, clock: Clock
    ) -> None:
        self._sandbox = sandbox
        self._known = known
        self._sign_type = sign_type
        self._answers = answers
        self._clock = clock

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/pay/unifiedorder", self.open, methods=["POST"]),
            Route("/pay/orderquery", self.query, methods=["POST"]),
            Route("/pay/closeorder", self.close, methods=["POST"]),
            Route("/secapi/pay/refund", self.refund, methods=["POST"]),
            Route("/pay/refundquery", self.query_refund, methods=["POST"]),
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

    async def _answer(self, call: str, request: Request, do: Do) -> Response:
        body = await _body(request)

        async def carry_out() -> Answered:
            try:
                fields = self._admitted(body)
                answer = await self._sandbox.state.write(do, fields, self._clock.now())
            except PayRefusal as refusal:
                return Answered(self._answers.refusal(refusal), code=refusal.code)
            return Answered(self._answers.answer(answer), fields.get("out_trade_no", ""))

        def refused(code: str) -> Answered:
            return Answered(self._answers.refusal(PayRefusal(code)), code=code)

        return await self._sandbox.answer(call, request, carry_out, refused)

    def _admitted(self, body: bytes) -> Fields:
        """The fields of a request that is signed by the merchant we know.

        Raises:
            PayRefusal.
        """
        try:
            fields = v2_xml.parse(body)
        except Malformed as wrong:
            raise PayRefusal("PARAM_ERROR", f"XML: {wrong}") from wrong
        if not is_signed(fields, self._known.key, self._sign_type):
            raise PayRefusal("SIGN_ERROR")
        if fields.get("mch_id") != self._known.mchid:
            raise PayRefusal("MCH_NOT_EXISTS")
        if fields.get("appid") != self._known.appid:
            raise PayRefusal("APPID_MCHID_NOT_MATCH")
        if not 1 <= len(fields.get("nonce_str", "")) <= 32:
            raise PayRefusal("PARAM_ERROR", "nonce_str")
        return fields

    def _open(self, conn: sqlite3.Connection, fields: Fields, now: datetime) -> Fields:
        trade = desk.open_trade(conn, _wanted(fields, now), now, epoch_ms(now))
        answer = {"trade_type": trade.way, "prepay_id": trade.facts["prepay_id"]}
        return {**answer, "code_url": trade.facts["code_url"]} if trade.way == "NATIVE" else answer

    def _query(self, conn: sqlite3.Connection, fields: Fields, now: datetime) -> Fields:
        order_no = fields.get("out_trade_no", "")
        if fields.get("transaction_id"):
            paid = book.by_transaction(conn, fields["transaction_id"])
            order_no = paid.order_no if paid is not None else ""
        trade, refunded = desk.find_trade(conn, order_no, epoch_ms(now))
        state = desk.trade_state(trade, refunded=refunded)
        answer = {"out_trade_no": trade.order_no, "trade_state": state, "total_fee": str(trade.amount)}
        return {**answer, **payment_fields(trade)} if trade.state == book.PAID else answer

    def _close(self, conn: sqlite3.Connection, fields: Fields, now: datetime) -> Fields:
        desk.close_trade(conn, fields.get("out_trade_no", ""), epoch_ms(now))
        return {}

    def _refund(self, conn: sqlite3.Connection, fields: Fields, now: datetime) -> Fields:
        asked = desk.RefundAsked(
            order_no=fields.get("out_trade_no"),
            transaction_id=fields.get("transaction_id"),
            refund_no=fields.get("out_refund_no", ""),
            amount=_sum(fields, "refund_fee"),
            total=_sum(fields, "total_fee"),
            reason=fields.get("refund_desc", ""),
            notify_url=fields.get("notify_url", ""),
        )
        found, trade = desk.refund(conn, self._sandbox.desk, asked, epoch_ms(now))
        return {
            "transaction_id": trade.transaction_id or "",
            "out_trade_no": trade.order_no,
            "out_refund_no": found.refund_no,
            "refund_id": found.refund_id,
            "refund_fee": str(found.amount),
            "total_fee": str(trade.paid_amount),
            "cash_fee": str(trade.paid_amount),
        }

    def _query_refund(self, conn: sqlite3.Connection, fields: Fields, now: datetime) -> Fields:
        found, trade = desk.find_refund(conn, fields.get("out_refund_no", ""), epoch_ms(now))
        return {
            "transaction_id": trade.transaction_id or "",
            "out_trade_no": trade.order_no,
            "total_fee": str(trade.paid_amount),
            "refund_count": "1",
            "out_refund_no_0": found.refund_no,
            "refund_id_0": found.refund_id,
            "refund_fee_0": str(found.amount),
            "refund_status_0": REFUND_STATES[found.state],
            "refund_recv_accout_0": "支付用户零钱",
        }


def payment_fields(trade: book.Trade) -> Fields:
    """What belongs to a payment, in a query's answer and in a notice."""
    return {
        "openid": desk.customer(trade),
        "is_subscribe": "N",
        "trade_type": trade.way,
        "bank_type": "OTHERS",
        "total_fee": str(trade.paid_amount),
        "cash_fee": str(trade.paid_amount),
        "fee_type": trade.currency,
        "transaction_id": trade.transaction_id or "",
        "out_trade_no": trade.order_no,
        "attach": str(trade.facts.get("attach", "")),
        "time_end": stamp(desk.moment(trade.paid_ms)),
    }


async def _body(request: Request) -> bytes:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > v2_xml.LARGEST:
            break
    return bytes(received)


def _wanted(fields: Fields, now: datetime) -> book.Trade:
    way = fields.get("trade_type", "")
    if way not in {"NATIVE", "JSAPI"} or not fields.get("openid" if way == "JSAPI" else "product_id"):
        raise PayRefusal("PARAM_ERROR", "trade_type")
    if not fields.get("spbill_create_ip"):
        raise PayRefusal("PARAM_ERROR", "spbill_create_ip")
    return book.Trade(
        order_no=fields.get("out_trade_no", ""),
        amount=_sum(fields, "total_fee"),
        currency=fields.get("fee_type") or "CNY",
        description=fields.get("body", ""),
        way=way,
        payer=fields.get("openid") if way == "JSAPI" else None,
        notify_url=fields.get("notify_url", ""),
        created_ms=epoch_ms(now),
        expires_ms=_expires_ms(fields, now),
        facts={"api": "v2", "attach": fields.get("attach", "")},
    )


def _expires_ms(fields: Fields, now: datetime) -> int:
    given = fields.get("time_expire")
    if not given:
        return epoch_ms(now) + DEFAULT_LIFE_MS
    try:
        return epoch_ms(datetime.strptime(given, STAMP).replace(tzinfo=CHINA))
    except ValueError:
        raise PayRefusal("PARAM_ERROR", "time_expire") from None


def _sum(fields: Fields, name: str) -> int:
    value = fields.get(name, "")
    if not (value.isascii() and value.isdigit() and len(value) <= 12):
        raise PayRefusal("PARAM_ERROR", name)
    return int(value)
