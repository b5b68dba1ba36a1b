"""The inbox of vendors' reports: stored once, applied in the same transaction or by a job, whatever the order they come in.

What is kept is what was read of a report, with the customer's id at the vendor masked, and a digest of its bytes.
Source: DESIGN §2.5; reference/identity_orders.md O07, O11.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from hutong.kernel.db import after_commit, insert_if_absent
from hutong.kernel.observability.logs import logger
from hutong.kernel.orders import payments, refunds, repository
from hutong.kernel.orders.payments import Applied, Report
from hutong.kernel.orders.ports import Money, Notice, Payment, RefundFound, RefundState
from hutong.kernel.orders.repository import Office
from hutong.kernel.orders.rules import LatePolicy, masked
from hutong.kernel.orders.tables import NoticeState, payment_notices

NoticeRow = Row[Any]
FIRST_RETRY = timedelta(seconds=5)
LONGEST = {"notice_id": 128, "event": 64, "transaction_id": 64, "order_no": 64, "refund_no": 64, "currency": 3}
_log = logger("orders.notices")


@dataclass(frozen=True, slots=True)
class Inbox:
    """Whose reports these are, and what becomes of late payments."""

    realm: str
    late_payment: LatePolicy


def fits(notice: Notice) -> bool:
    """Whether a report can be stored: a vendor's numbers have their lengths, and an amount is none below zero."""
    named = [("notice_id", notice.notice_id), ("event", notice.event)]
    moneys = []
    if (payment := notice.payment) is not None:
        named += [("transaction_id", payment.transaction_id), ("order_no", payment.order_no)]
        moneys.append(payment.money)
    if (refund := notice.refund) is not None:
        named.append(("refund_no", refund.refund_no))
        moneys += [refund.money] if refund.money else []
    named += [("currency", money.currency) for money in moneys]
    return all(0 < len(text) <= LONGEST[name] for name, text in named) and all(
        0 <= money.amount < 2**63 for money in moneys
    )


def take(conn: Connection, office: Office, inbox: Inbox, channel: str, notice: Notice, body_hash: str) -> Applied:
    """Store a report and apply it; one that was applied before changes nothing."""
    _lock_its_order(conn, notice)
    row = _row(office, inbox, channel, notice, body_hash)
    if not insert_if_absent(conn, payment_notices, row):
        known = _find(conn, channel, notice.notice_id)
        if known.state is NoticeState.APPLIED:
            return Applied.DUPLICATE
        row["id"] = known.id
    applied = _apply(conn, office, inbox, channel, notice)
    if applied is Applied.UNKNOWN:
        _keep_for_later(conn, office, inbox, row)
    else:
        _mark(conn, row["id"], NoticeState.APPLIED, applied.value, office.clock.now())
    return applied


def retry(conn: Connection, office: Office, inbox: Inbox, notice_id: int, keep_seconds: float) -> datetime | None:
    """Apply a report that waits. Returns when it came if it has to wait on, None when nothing is left to do."""
    row = conn.execute(select(payment_notices).where(payment_notices.c.id == notice_id)).first()
    if row is None or row.state is not NoticeState.WAITING:
        return None
    notice = _notice(row)
    _lock_its_order(conn, notice)
    applied = _apply(conn, office, inbox, row.channel, notice)
    now = office.clock.now()
    if applied is not Applied.UNKNOWN:
        _mark(conn, row.id, NoticeState.APPLIED, applied.value, now)
        return None
    if now - row.received_at < timedelta(seconds=keep_seconds):
        return row.received_at  # type: ignore[no-any-return]
    _mark(conn, row.id, NoticeState.ORPHANED, applied.value, now)
    after_commit(conn, lambda: _log.error("a report about something unknown was given up", notice=row.notice_id))
    return None


def oldest_waiting(conn: Connection, realm: str) -> datetime | None:
    """When the oldest report came that is not applied yet."""
    waiting = (payment_notices.c.state == NoticeState.WAITING, payment_notices.c.realm == realm)
    found: datetime | None = conn.execute(select(func.min(payment_notices.c.received_at)).where(*waiting)).scalar()
    return found


def list_notices(conn: Connection, order_no: str) -> list[NoticeRow]:
    """The reports of payments of an order, the first first."""
    mine = select(payment_notices).where(payment_notices.c.order_no == order_no)
    return list(conn.execute(mine.order_by(payment_notices.c.id)))


def _lock_its_order(conn: Connection, notice: Notice) -> None:
    """Reports of one order queue up for its row, not for each other's: none of them can deadlock."""
    if notice.payment is not None:
        repository.lock(conn, notice.payment.order_no)
    elif notice.refund is not None and (found := refunds.find(conn, notice.refund.refund_no)) is not None:
        repository.lock(conn, found.order_no)


def _apply(conn: Connection, office: Office, inbox: Inbox, channel: str, notice: Notice) -> Applied:
    if notice.payment is not None:
        report = Report(channel, notice.payment, notice.notice_id)
        return payments.apply(conn, office, inbox.realm, report, inbox.late_payment)
    if notice.refund is not None:
        known = refunds.settle(conn, office, notice.refund, notice.notice_id)
        return Applied.REFUND if known else Applied.UNKNOWN
    return Applied.NOTHING


def _keep_for_later(conn: Connection, office: Office, inbox: Inbox, row: dict[str, Any]) -> None:
    task = repository.task_name(inbox.realm, "apply_notice")
    args, run_at = {"notice": str(row["id"])}, office.clock.now() + FIRST_RETRY
    office.jobs.enqueue_once(conn, task, f"{task}:{row['id']}", args, run_at=run_at)
    after_commit(conn, lambda: _log.warning("a report about something unknown waits", notice=row["notice_id"]))


def _find(conn: Connection, channel: str, notice_id: str) -> NoticeRow:
    same = (payment_notices.c.channel == channel, payment_notices.c.notice_id == notice_id)
    return conn.execute(select(payment_notices).where(*same)).one()


def _mark(conn: Connection, row_id: int, state: NoticeState, outcome: str, now: datetime) -> None:
    marked = update(payment_notices).where(payment_notices.c.id == row_id)
    conn.execute(marked.values(state=state, outcome=outcome, applied_at=now))


def _row(office: Office, inbox: Inbox, channel: str, notice: Notice, body_hash: str) -> dict[str, Any]:
    payment = notice.payment
    return {
        "id": office.ids(),
        "realm": inbox.realm,
        "channel": channel,
        "notice_id": notice.notice_id,
        "event": notice.event,
        "order_no": payment.order_no if payment else None,
        "content": _content(notice),
        "body_hash": body_hash,
        "state": NoticeState.WAITING,
        "received_at": office.clock.now(),
    }


def _content(notice: Notice) -> dict[str, Any]:
    """A report as JSON. The customer's id is of no use later, and personal."""
    content: dict[str, Any] = {}
    if (payment := notice.payment) is not None:
        content["payment"] = {
            "order_no": payment.order_no,
            "transaction_id": payment.transaction_id,
            "amount": payment.money.amount,
            "currency": payment.money.currency,
            "paid_at": payment.paid_at.isoformat(),
            "payer": masked(payment.payer),
        }
    if (refund := notice.refund) is not None:
        content["refund"] = {
            "state": refund.state.value,
            "refund_no": refund.refund_no,
            "channel_refund_id": refund.channel_refund_id,
            "amount": refund.money.amount if refund.money else None,
            "currency": refund.money.currency if refund.money else None,
            "reason": refund.reason,
        }
    return content


def _notice(row: NoticeRow) -> Notice:
    """A stored report, without the customer's id."""
    paid, given_back = row.content.get("payment"), row.content.get("refund")
    return Notice(
        notice_id=row.notice_id,
        event=row.event,
        payment=_payment(paid) if paid else None,
        refund=_refund(given_back) if given_back else None,
    )


def _payment(content: dict[str, Any]) -> Payment:
    money = Money(content["amount"], content["currency"])
    return Payment(content["order_no"], content["transaction_id"], money, datetime.fromisoformat(content["paid_at"]))


def _refund(content: dict[str, Any]) -> RefundFound:
    money = None if content["amount"] is None else Money(content["amount"], content["currency"])
    state, number = RefundState(content["state"]), content["channel_refund_id"]
    return RefundFound(state, content["refund_no"], number, money, content["reason"])
