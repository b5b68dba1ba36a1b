"""Alipay's words and habits. Source: Alipay OpenAPI; retries as reference/identity_orders.md §5.3."""

import secrets
from datetime import datetime
from pathlib import Path

from hutong.providers.alipay.sandbox.page_texts import TEXTS
from hutong.providers.alipay.sandbox.wire import SHANGHAI
from hutong.sandbox.payments import Vendor


def new_id(kind: str, now: datetime) -> str:
    """Numbers as Alipay makes them: 28 digits for a trade, a longer one for a notice."""
    day = now.astimezone(SHANGHAI).strftime("%Y%m%d")
    digits = f"{secrets.randbelow(10**16):016d}"
    return f"{day}{'00222' if kind == 'notice' else '2200'}{digits}{'000001' if kind == 'notice' else ''}"


VENDOR = Vendor(
    name="alipay",
    texts=TEXTS,
    templates=Path(__file__).parent / "templates",
    calls=("open", "query", "close", "refund", "query_refund"),
    refusals=(
        "ACQ.SYSTEM_ERROR",
        "ACQ.TRADE_NOT_EXIST",
        "ACQ.TRADE_STATUS_ERROR",
        "ACQ.TRADE_HAS_SUCCESS",
        "ACQ.TRADE_HAS_CLOSE",
        "ACQ.TRADE_HAS_FINISHED",
        "ACQ.SELLER_BALANCE_NOT_ENOUGH",
        "ACQ.INVALID_PARAMETER",
        "isv.app-call-limited",
        "isv.invalid-signature",
        "isv.invalid-app-id",
    ),
    down="isp.unknow-error",
    twists=("corrupt", "wrong-amount", "wrong-key", "foreign", "stale"),
    retry_seconds=(240, 600, 600, 3_600, 7_200, 21_600, 54_000),
    new_id=new_id,
)
