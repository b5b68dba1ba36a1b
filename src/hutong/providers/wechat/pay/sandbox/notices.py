"""How WeChat Pay's notices look, by either API, and what acknowledges them.

Source: WeChat Pay APIv3 and v2, payment and refund notices; reference/album.md §3.1, §3.2.
"""

import base64
import dataclasses
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hutong.kit.clock import epoch_ms
from hutong.providers.wechat.pay import v2_xml
from hutong.providers.wechat.pay.credentials import Credentials, V2Credentials
from hutong.providers.wechat.pay.notices import ALGORITHM
from hutong.providers.wechat.pay.sandbox import bodies
from hutong.providers.wechat.pay.sandbox.answers import signed_headers
from hutong.providers.wechat.pay.sandbox.credentials import SandboxKeys
from hutong.providers.wechat.pay.sandbox.desk import moment
from hutong.providers.wechat.pay.sandbox.v2 import REFUND_STATES, payment_fields
from hutong.providers.wechat.pay.signatures import PROBE, nonce
from hutong.providers.wechat.pay.v2_signatures import SignType, seal
from hutong.providers.wechat.pay.v2_signatures import sign as sign_v2
from hutong.sandbox.payments import NoticeRequest, Report, book, notices

FOREIGN_MCHID = "1900000002"
STALE_SECONDS = 3600
SUMMARIES = {"TRANSACTION.SUCCESS": "支付成功", "REFUND.SUCCESS": "退款成功", "REFUND.ABNORMAL": "退款异常"}


class Writer:
    """Writes the notices of a trade by the API that it was opened with.

    Args:
        keys: of the data folder.
        sign_type: of the older API.
    """

    def __init__(self, keys: SandboxKeys, sign_type: SignType) -> None:
        self._keys = keys
        self._sign_type = sign_type

    def write(self, report: Report, twist: str | None, now: datetime) -> NoticeRequest:
        """See `NoticeWriter.write`. The older API has no timestamps and no probes: those twists leave its notices as they are."""
        report = _as_told(report, twist)
        if report.trade.facts.get("api") != "v2":
            return self._v3(report, twist, now)
        own = self._keys.v2_credentials()
        known = dataclasses.replace(own, mchid=FOREIGN_MCHID) if twist == "foreign" else own
        if twist == "wrong-key":
            known = dataclasses.replace(known, key=secrets.token_hex(16).encode())
        fields = self._v2_refund(known, report) if report.refund else self._v2_payment(known, report)
        body = v2_xml.render(_corrupted_fields(fields) if twist == "corrupt" else fields)
        return NoticeRequest({"Content-Type": "text/xml"}, body, plain=twist in {"stale", "probe"})

    def acknowledged(self, report: Report, status: int, body: bytes) -> bool:
        """See `NoticeWriter.acknowledged`: APIv3 looks at the status alone, the older API at the body too."""
        if report.trade.facts.get("api") != "v2":
            return status in {200, 204}
        return status == 200 and b"SUCCESS" in body and b"FAIL" not in body

    def _v3(self, report: Report, twist: str | None, now: datetime) -> NoticeRequest:
        body = orjson.dumps(self._envelope(report, twist))
        seconds = epoch_ms(now) // 1000 - (STALE_SECONDS if twist == "stale" else 0)
        key = self._keys.stranger if twist == "wrong-key" else self._keys.platform
        probe = PROBE + base64.b64encode(secrets.token_bytes(256)).decode() if twist == "probe" else None
        headers = {"Content-Type": "application/json", "User-Agent": "Mozilla/4.0", "Request-ID": secrets.token_hex(16)}
        signed = signed_headers(key, body, seconds, probe)
        return NoticeRequest({**headers, **signed}, _corrupted(body) if twist == "corrupt" else body)

    def _envelope(self, report: Report, twist: str | None) -> Mapping[str, Any]:
        own = self._keys.credentials()
        known = dataclasses.replace(own, mchid=FOREIGN_MCHID) if twist == "foreign" else own
        kind, event, inside = _content(known, report)
        return {
            "id": report.notice.id,
            "create_time": moment(report.notice.created_ms).isoformat(timespec="seconds"),
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": SUMMARIES[event],
            "resource": _sealed(own, kind, orjson.dumps(inside)),
        }

    def _v2_payment(self, known: V2Credentials, report: Report) -> dict[str, str]:
        fields = {
            "return_code": "SUCCESS",
            "return_msg": "OK",
            "result_code": "SUCCESS",
            "appid": known.appid,
            "mch_id": known.mchid,
            "nonce_str": nonce(),
            "sign_type": self._sign_type,
            **payment_fields(report.trade),
        }
        fields = {name: value for name, value in fields.items() if value}
        return {**fields, "sign": sign_v2(fields, known.key, self._sign_type)}

    def _v2_refund(self, known: V2Credentials, report: Report) -> dict[str, str]:
        found, trade = report.refund, report.trade
        assert found is not None
        inside = {
            "out_refund_no": found.refund_no,
            "out_trade_no": trade.order_no,
            "refund_account": "REFUND_SOURCE_RECHARGE_FUNDS",
            "refund_fee": str(found.amount),
            "refund_id": found.refund_id,
            "refund_recv_accout": "支付用户零钱",
            "refund_request_source": "API",
            "refund_status": REFUND_STATES[found.state],
            "settlement_refund_fee": str(found.amount),
            "settlement_total_fee": str(trade.paid_amount),
            "success_time": f"{moment(found.done_ms):%Y-%m-%d %H:%M:%S}",
            "total_fee": str(trade.paid_amount),
            "transaction_id": trade.transaction_id or "",
        }
        own = {"return_code": "SUCCESS", "appid": known.appid, "mch_id": known.mchid, "nonce_str": nonce()}
        return {**own, "req_info": seal(v2_xml.render(inside, "root"), known.key)}


def _as_told(report: Report, twist: str | None) -> Report:
    """The trade or the refund with what this notice says of it: its own number, and another sum if that is the twist."""
    told = report.notice.amount + (1 if twist == "wrong-amount" else 0)
    if report.refund is not None:
        return dataclasses.replace(report, refund=dataclasses.replace(report.refund, amount=told))
    number, paid_ms = report.notice.transaction_id, report.trade.paid_ms or report.notice.created_ms
    paid = dataclasses.replace(report.trade, state=book.PAID, transaction_id=number, paid_amount=told, paid_ms=paid_ms)
    return dataclasses.replace(report, trade=paid)


def _content(known: Credentials, report: Report) -> tuple[str, str, Mapping[str, Any]]:
    """Kind of resource, event and content."""
    if report.notice.event == notices.REFUND and report.refund is not None:
        content = bodies.refund_report(known, report.refund, report.trade)
        return "refund", f"REFUND.{content['refund_status']}", content
    return "transaction", "TRANSACTION.SUCCESS", bodies.transaction(known, report.trade)


def _sealed(own: Credentials, kind: str, plain: bytes) -> Mapping[str, str]:
    once = secrets.token_hex(6)
    sealed = AESGCM(own.apiv3_key).encrypt(once.encode(), plain, kind.encode())
    return {
        "original_type": kind,
        "algorithm": ALGORITHM,
        "ciphertext": base64.b64encode(sealed).decode(),
        "associated_data": kind,
        "nonce": once,
    }


def _corrupted(body: bytes) -> bytes:
    """One character of the sealed content is another one."""
    place = body.index(b'"ciphertext":"') + 40
    return body[:place] + (b"A" if body[place : place + 1] != b"A" else b"B") + body[place + 1 :]


def _corrupted_fields(fields: Mapping[str, str]) -> Mapping[str, str]:
    if "req_info" in fields:
        sealed = fields["req_info"]
        return {**fields, "req_info": sealed[:40] + ("A" if sealed[40] != "A" else "B") + sealed[41:]}
    return {**fields, "total_fee": "1"}
