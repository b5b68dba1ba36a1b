"""How a ledger entry looks to its owner."""

import re

from hutong.apps.emoji.points.schemas import TransactionView
from hutong.kernel.credits.accounts import Entry
from hutong.kit.clock import iso_z

WEEK = re.compile(r"\d{4}-W\d{2}")
TASK_PREFIX, ORDER = "emoji_task:", "order"


def task_ref(task_type: str) -> str:
    """The ledger's `ref_type` of a task."""
    return f"{TASK_PREFIX}{task_type}"


def view(entry: Entry) -> TransactionView:
    """The contract's row for a ledger entry."""
    reference = entry.ref_type or ""
    is_task = reference.startswith(TASK_PREFIX)
    week = entry.period_key if entry.period_key and WEEK.fullmatch(entry.period_key) else None
    return TransactionView(
        id=str(entry.id),
        type=entry.kind.value,
        amount=entry.amount,
        balance_after=entry.balance_after,
        task_type=reference.removeprefix(TASK_PREFIX) if is_task else None,
        task_id=entry.ref_id if is_task else None,
        order_id=entry.ref_id if reference == ORDER else None,
        reward_week=week,
        created_at=iso_z(entry.created_at),
    )
