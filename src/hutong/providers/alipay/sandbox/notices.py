"""How Alipay's notices look: a signed form, for payments and refunds alike. Source: Alipay OpenAPI, asynchronous notices."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from hutong.kit.clock import epoch_ms
from hutong.providers.alipay.sandbox.keys import SandboxKeys
from hutong.providers.alipay.sandbox.trades import BUYER, BUYER_LOGIN
from hutong.providers.alipay.sandbox.wire import beijing, sign, yuan
from hutong.providers.alipay.settings import SANDBOX_APP_ID, SANDBOX_SELLER_ID
from hutong.sandbox.payments import NoticeRequest, Report
from hutong.sandbox.payments.notices import REFUND

FORM = "application/x-www-form-urlencoded; text/html; charset=utf-8"  # malformed, and the vendor's own
STALE = timedelta(days=2)
FOREIGN_SELLER = "2088999999999999"


class NoticeForms:
    """Writes and signs notices.

    Args:
        keys: with Alipay's own.
    """

    def __init__(self, keys: SandboxKeys) -> None:
        self._keys = keys

    def write(self, report: Report, twist: str | None, now: datetime) -> NoticeRequest:
        """See `NoticeWriter.write`."""
        fields = _fields(report, now)
        if twist == "wrong-amount":
            fields["total_amount"] = yuan((report.trade.paid_amount or 0) + 1)
        elif twist == "foreign":
            fields["seller_id"] = FOREIGN_SELLER
        elif twist == "stale":
            fields["notify_time"] = beijing(epoch_ms(now - STALE))
        text = "&".join(f"{name}={fields[name]}" for name in sorted(fields)).encode()
        key = self._keys.stranger if twist == "wrong-key" else self._keys.alipay
        signed = {**fields, "sign": sign(key, text), "sign_type": "RSA2"}
        if twist == "corrupt":
            signed["total_amount"] = f"{signed['total_amount'][:-1]}{9 - int(signed['total_amount'][-1])}"
        return NoticeRequest({"Content-Type": FORM}, urlencode(signed).encode())

    def acknowledged(self, report: Report, status: int, body: bytes) -> bool:
        """See `NoticeWriter.acknowledged`: these seven letters and nothing else."""
        return status == 200 and body == b"success"


def _fields(report: Report, now: datetime) -> dict[str, str]:
    notice, trade = report.notice, report.trade
    paid = notice.amount if notice.event != REFUND else trade.paid_amount or 0
    return {
        "app_id": SANDBOX_APP_ID,
        "auth_app_id": SANDBOX_APP_ID,
        "buyer_id": trade.payer or BUYER,
        "buyer_logon_id": BUYER_LOGIN,
        "buyer_pay_amount": yuan(paid),
        "charset": "utf-8",
        "fund_bill_list": f'[{{"amount":"{yuan(paid)}","fundChannel":"ALIPAYACCOUNT"}}]',
        "gmt_create": beijing(trade.created_ms),
        "gmt_payment": beijing(trade.paid_ms or notice.created_ms),
        "invoice_amount": yuan(paid),
        "notify_id": notice.id,
        "notify_time": beijing(epoch_ms(now)),
        "notify_type": "trade_status_sync",
        "out_trade_no": trade.order_no,
        "point_amount": "0.00",
        "receipt_amount": yuan(paid),
        "seller_id": SANDBOX_SELLER_ID,
        "subject": trade.description,
        "total_amount": yuan(paid),
        "trade_no": notice.transaction_id,
        "trade_status": "TRADE_SUCCESS",
        "version": "1.0",
        **_refund_fields(report),
    }


def _refund_fields(report: Report) -> Mapping[str, str]:
    """`refund_fee` is the sum of all refunds; given back in full, a trade is closed."""
    if report.refund is None:
        return {}
    done_ms = report.refund.done_ms or report.notice.created_ms
    whole = report.refunded >= (report.trade.paid_amount or 0)
    return {
        "gmt_refund": beijing(done_ms, exact=True),
        "out_biz_no": report.refund.refund_no,
        "refund_fee": yuan(report.refunded),
        "trade_status": "TRADE_CLOSED" if whole else "TRADE_SUCCESS",
    }
