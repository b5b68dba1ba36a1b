"""What happens to trades together with the notices that it causes. Runs inside a transaction of the state."""

import sqlite3
from datetime import UTC, datetime, timedelta

from hutong.sandbox import faults
from hutong.sandbox.payments import book, notices
from hutong.sandbox.payments.vendor import Vendor

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Desk:
    """The vendor at work.

    Args:
        vendor: gives its numbers.
        refund_seconds: until a refund that is processed has arrived.
    """

    def __init__(self, vendor: Vendor, refund_seconds: float) -> None:
        self._vendor = vendor
        self._refund_ms = int(refund_seconds * 1000)

    def pay(
        self,
        conn: sqlite3.Connection,
        order_no: str,
        now_ms: int,
        *,
        amount: int | None = None,
        payer: str | None = None,
        late: bool = False,
    ) -> book.Trade:
        """The customer pays, and the merchant is told.

        Raises:
            BookRefused.
        """
        number = self._new_id("transaction", now_ms)
        trade = book.pay(conn, order_no, now_ms, number, amount=amount, payer=payer, late=late)
        self._tell_payment(conn, trade, number, trade.paid_amount or 0, now_ms)
        return trade

    def pay_again(self, conn: sqlite3.Connection, order_no: str, now_ms: int) -> None:
        """The merchant is told of a second payment with a number of its own, which no vendor should take.

        Raises:
            NoSuchTrade.
        """
        trade = book.get(conn, order_no, now_ms)
        self._tell_payment(conn, trade, self._new_id("transaction", now_ms), trade.amount, now_ms)

    def refund(
        self,
        conn: sqlite3.Connection,
        order_no: str,
        refund_no: str,
        amount: int,
        now_ms: int,
        *,
        reason: str = "",
        notify_url: str = "",
        at_once: bool = False,
    ) -> book.Refund:
        """Take a refund in hand; it is PROCESSING for a while, or DONE at once, and the merchant is told at the end.

        Raises:
            BookRefused.
        """
        fails = (
            book.find_refund(conn, refund_no) is None
            and faults.take(conn, "refund-fails", "refund", now_ms) is not None
        )
        done = at_once and not fails
        wanted = book.Refund(
            refund_no=refund_no,
            refund_id=self._new_id("refund", now_ms),
            order_no=order_no,
            amount=amount,
            reason=reason,
            notify_url=notify_url,
            state=book.DONE if done else book.PROCESSING,
            fails=int(fails),
            created_ms=now_ms,
            due_ms=now_ms + self._refund_ms,
            done_ms=now_ms if done else None,
        )
        found = book.refund(conn, wanted, now_ms)
        if done and found is wanted:
            self._tell_refund(conn, found, now_ms)
        return found

    def settle(self, conn: sqlite3.Connection, now_ms: int) -> int:
        """End the refunds whose time has come, and tell the merchant; how many they were."""
        ended = book.settle_refunds(conn, now_ms)
        for each in ended:
            self._tell_refund(conn, each, now_ms)
        return len(ended)

    def _tell_payment(self, conn: sqlite3.Connection, trade: book.Trade, number: str, amount: int, now_ms: int) -> None:
        if not trade.notify_url:
            return
        notices.add(
            conn,
            self._new_id("notice", now_ms),
            notices.PAYMENT,
            trade.order_no,
            transaction_id=number,
            amount=amount,
            url=trade.notify_url,
            now_ms=now_ms,
        )

    def _tell_refund(self, conn: sqlite3.Connection, refund: book.Refund, now_ms: int) -> None:
        if not refund.notify_url:
            return
        trade = book.get(conn, refund.order_no, now_ms)
        notices.add(
            conn,
            self._new_id("notice", now_ms),
            notices.REFUND,
            refund.order_no,
            transaction_id=trade.transaction_id or "",
            amount=refund.amount,
            url=refund.notify_url,
            now_ms=now_ms,
            refund_no=refund.refund_no,
        )

    def _new_id(self, kind: str, now_ms: int) -> str:
        return self._vendor.new_id(kind, EPOCH + timedelta(milliseconds=now_ms))
