"""Tables of the compatible endpoint: a record of every call that a model answered, and the responses that it keeps."""

from enum import StrEnum

from sqlalchemy import Boolean, Column, Date, Index, Integer, String, Table

from hutong.kernel.db import Enumerated, Id, Json, UtcTime, metadata


class Source(StrEnum):
    """What a model was called for."""

    COMPLETION = "completion"
    RESPONSE = "response"
    REPLY = "reply"


class Outcome(StrEnum):
    """How a call ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    LOST = "lost"


class ResponseStatus(StrEnum):
    """Where a response is; the words are OpenAI's. Those after `in_progress` are final."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    CANCELLED = "cancelled"
    FAILED = "failed"


RUNNING = (ResponseStatus.QUEUED, ResponseStatus.IN_PROGRESS)

chat_usage = Table(
    "chat_usage",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("user_id", Id, nullable=False),
    Column("api_key_id", Id),
    Column("source", Enumerated(Source, 16), nullable=False),
    Column("status", Enumerated(Outcome, 16), nullable=False),
    Column("model", String(128), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("provider_model", String(128), nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("cost_micros", Id, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("day", Date, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index(None, "user_id", "day"),
)
"""One row a call, written with the settlement of its quota; `id` is the reservation's, so there is one at most.

`cost_micros` are micro-units of the currency of `models.yaml`; `day` is the UTC date of `created_at`, for sums.
"""

chat_responses = Table(
    "chat_responses",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("api_key_id", Id),
    Column("reservation_id", Id, nullable=False, unique=True),
    Column("status", Enumerated(ResponseStatus, 16), nullable=False),
    Column("background", Boolean, nullable=False),
    Column("model", String(128), nullable=False),
    Column("previous_id", String(48)),
    Column("request", Json, nullable=False),
    Column("items", Json, nullable=False),
    Column("answer", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False, index=True),
    Column("ended_at", UtcTime),
    Index(None, "user_id", "created_at"),
)
"""`items` is the input as items, `answer` the response object as it is at present: while it runs, as it was saved last."""
