"""Transactions and refunds as APIv3 writes them, in answers and in notices.

Source: WeChat Pay APIv3, query by out_trade_no, refunds, payment and refund notices.
"""

from collections.abc import Mapping
from typing import Any

from hutong.providers.wechat.pay.credentials import Credentials
from hutong.providers.wechat.pay.sandbox.desk import customer, moment, trade_state
from hutong.sandbox.payments import book

DESCRIBED = {"SUCCESS": "支付成功", "REFUND": "转入退款", "NOTPAY": "订单未支付", "CLOSED": "订单已关闭"}
REFUND_STATES = {book.PROCESSING: "PROCESSING", book.DONE: "SUCCESS", book.FAILED: "ABNORMAL"}
ACCOUNT = "支付用户零钱"


def transaction(known: Credentials, trade: book.Trade, *, refunded: bool = False) -> Mapping[str, Any]:
    """A trade; what belongs to the payment is there once it is paid."""
    state = trade_state(trade, refunded=refunded)
    content = {
        "appid": known.appid,
        "mchid": known.mchid,
        "out_trade_no": trade.order_no,
        "trade_state": state,
        "trade_state_desc": DESCRIBED[state],
        "attach": trade.facts.get("attach", ""),
    }
    if trade.state != book.PAID:
        return {**content, "amount": {"total": trade.amount, "currency": trade.currency}}
    paid = trade.paid_amount
    return {
        **content,
        "transaction_id": trade.transaction_id,
        "trade_type": trade.way,
        "bank_type": "OTHERS",
        "success_time": moment(trade.paid_ms).isoformat(timespec="seconds"),
        "payer": {"openid": customer(trade)},
        "amount": {"total": paid, "payer_total": paid, "currency": trade.currency, "payer_currency": trade.currency},
    }


def refund(found: book.Refund, trade: book.Trade) -> Mapping[str, Any]:
    """A refund, as an answer."""
    return {
        "refund_id": found.refund_id,
        "out_refund_no": found.refund_no,
        "transaction_id": trade.transaction_id,
        "out_trade_no": trade.order_no,
        "channel": "ORIGINAL",
        "user_received_account": ACCOUNT,
        "create_time": moment(found.created_ms).isoformat(timespec="seconds"),
        **({"success_time": moment(found.done_ms).isoformat(timespec="seconds")} if found.state == book.DONE else {}),
        "status": REFUND_STATES[found.state],
        "funds_account": "AVAILABLE",
        "amount": {**_amount(found, trade), "settlement_refund": found.amount, "settlement_total": trade.paid_amount}
        | {"discount_refund": 0, "currency": trade.currency},
    }


def refund_report(known: Credentials, found: book.Refund, trade: book.Trade) -> Mapping[str, Any]:
    """A refund, inside a notice."""
    return {
        "mchid": known.mchid,
        "transaction_id": trade.transaction_id,
        "out_trade_no": trade.order_no,
        "refund_id": found.refund_id,
        "out_refund_no": found.refund_no,
        "refund_status": REFUND_STATES[found.state],
        "user_received_account": ACCOUNT,
        **({"success_time": moment(found.done_ms).isoformat(timespec="seconds")} if found.state == book.DONE else {}),
        "amount": _amount(found, trade),
    }


def _amount(found: book.Refund, trade: book.Trade) -> Mapping[str, Any]:
    paid = trade.paid_amount
    return {"total": paid, "refund": found.amount, "payer_total": paid, "payer_refund": found.amount}
