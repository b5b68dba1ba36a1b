"""Records of replies, among those of all calls that a model answered, so that sums by day and model are whole."""

from datetime import datetime

from sqlalchemy import Connection

from hutong.apps.chat.compatible.repository import UsageRow, add_usage
from hutong.apps.chat.compatible.tables import Outcome, Source
from hutong.apps.chat.replies.opening import Ending
from hutong.apps.chat.replies.rules import Cause
from hutong.apps.chat.rows.messages import Message

OUTCOMES = {Cause.WHOLE: Outcome.COMPLETE, Cause.STOPPED: Outcome.STOPPED, Cause.LOST: Outcome.LOST}
"""Everything else broke off."""


def record_reply(
    conn: Connection, reservation_id: int, user_id: int, reply: Message, ending: Ending, now: datetime
) -> None:
    """Record a reply that was charged, in the transaction that settles its quota."""
    receipt = ending.receipt
    if receipt is None:
        return
    add_usage(
        conn,
        UsageRow(
            id=reservation_id,
            user_id=user_id,
            api_key_id=None,
            source=Source.REPLY,
            status=OUTCOMES.get(ending.cause, Outcome.INTERRUPTED),
            model=str(reply.model),
            provider=receipt.provider,
            provider_model=receipt.provider_model,
            prompt_tokens=receipt.usage.prompt,
            completion_tokens=receipt.usage.completion,
            cost_micros=receipt.cost,
            request_id=ending.request_id[:64],
            created_at=now,
        ),
    )
