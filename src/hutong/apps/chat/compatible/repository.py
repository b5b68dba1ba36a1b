"""Rows of the compatible endpoint, scoped by their owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, update

from hutong.apps.chat.compatible.tables import (
    RUNNING,
    Outcome,
    ResponseStatus,
    Source,
    chat_responses,
    chat_usage,
)

LONGEST_CHAIN = 256
"""Responses that one may stand on."""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One call of a model, as it was accounted for.

    Args:
        id: of its reservation.
        user_id, api_key_id: who called; no key: by an access token or in a conversation.
        source, status: what for, and how it ended.
        model, provider, provider_model: by which name, and who answered.
        prompt_tokens, completion_tokens: as charged.
        cost_micros: micro-units of the currency of `models.yaml`.
        request_id: ours.
        created_at: when it was settled.
    """

    id: int
    user_id: int
    api_key_id: int | None
    source: Source
    status: Outcome
    model: str
    provider: str
    provider_model: str
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int
    request_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DayUse:
    """What a user used on one UTC day of one model."""

    day: date
    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int


def add_usage(conn: Connection, row: UsageRow) -> None:
    """Record a call, in the transaction that settles its quota."""
    values = {name: getattr(row, name) for name in UsageRow.__dataclass_fields__}
    conn.execute(chat_usage.insert().values(day=row.created_at.date(), **values))


def list_usage(
    conn: Connection, user_id: int, *, since: date, until: date, offset: int, limit: int
) -> tuple[list[DayUse], int]:
    """Sums by day and model, the newest day first, and how many there are in all.

    Args:
        conn: the unit of work.
        user_id: whose.
        since, until: UTC days, both included.
        offset, limit: of the page.
    """
    rows = chat_usage.c
    mine = (rows.user_id == user_id, rows.day >= since, rows.day <= until)
    sums = (
        func.count(),
        *(
            func.coalesce(func.sum(column), 0)
            for column in (rows.prompt_tokens, rows.completion_tokens, rows.cost_micros)
        ),
    )
    grouped = select(rows.day, rows.model, *sums).where(*mine).group_by(rows.day, rows.model)
    total = conn.execute(select(func.count()).select_from(grouped.subquery())).scalar_one()
    page = grouped.order_by(rows.day.desc(), rows.model).offset(offset).limit(limit)
    return [DayUse(day, model, *map(int, counts)) for day, model, *counts in conn.execute(page)], total


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A row of `chat_responses`."""

    id: str
    user_id: int
    api_key_id: int | None
    reservation_id: int
    status: ResponseStatus
    background: bool
    model: str
    previous_id: str | None
    request: dict[str, Any]
    items: list[Any]
    answer: dict[str, Any]
    created_at: datetime
    ended_at: datetime | None

    @property
    def running(self) -> bool:
        return self.status in RUNNING


_STORED = [chat_responses.c[name] for name in StoredResponse.__dataclass_fields__]


def add_response(conn: Connection, row: StoredResponse) -> None:
    """Keep a response that has begun or ended."""
    conn.execute(
        chat_responses.insert().values(**{name: getattr(row, name) for name in StoredResponse.__dataclass_fields__})
    )


def find_response(conn: Connection, user_id: int, response_id: str) -> StoredResponse | None:
    """A response of a user."""
    row = conn.execute(select(*_STORED).where(*_mine(user_id, response_id))).first()
    return None if row is None else StoredResponse(*row)


def find_by_reservation(conn: Connection, reservation_id: int) -> StoredResponse | None:
    """The response that a reservation was made for; for the sweep, which acts for nobody."""
    row = conn.execute(select(*_STORED).where(chat_responses.c.reservation_id == reservation_id)).first()
    return None if row is None else StoredResponse(*row)


def list_chain(conn: Connection, user_id: int, response_id: str) -> list[StoredResponse]:
    """A response and those that it stands on, the oldest first; empty if it is not there."""
    chain: list[StoredResponse] = []
    next_id: str | None = response_id
    while next_id is not None and len(chain) < LONGEST_CHAIN:
        row = find_response(conn, user_id, next_id)
        if row is None:
            break  # deleted: what came after it stands on nothing before
        chain.append(row)
        next_id = row.previous_id
    return chain[::-1]


def save_answer(conn: Connection, user_id: int, response_id: str, answer: dict[str, Any]) -> bool:
    """Note how far a running response is."""
    return _change(conn, user_id, response_id, answer=answer, status=ResponseStatus.IN_PROGRESS)


def end_response(
    conn: Connection, user_id: int, response_id: str, status: ResponseStatus, answer: dict[str, Any], now: datetime
) -> bool:
    """Move a running response to its end. Returns whether this call did."""
    return _change(conn, user_id, response_id, status=status, answer=answer, ended_at=now)


def remove_response(conn: Connection, user_id: int, response_id: str) -> bool:
    """Delete a response. Returns whether there was one."""
    return conn.execute(chat_responses.delete().where(*_mine(user_id, response_id))).rowcount == 1


def forget_responses(conn: Connection, before: datetime, limit: int) -> int:
    """Delete some that ended before a moment; returns how many."""
    rows = chat_responses.c
    old = select(rows.id).where(rows.created_at < before, rows.status.not_in(RUNNING)).limit(limit)
    ids = conn.execute(old).scalars().all()
    return conn.execute(chat_responses.delete().where(rows.id.in_(ids))).rowcount if ids else 0


def remove_all(conn: Connection, user_id: int) -> None:
    """Forget the responses and records of a user who is deleted."""
    for table in (chat_responses, chat_usage):
        conn.execute(table.delete().where(table.c.user_id == user_id))


def _change(conn: Connection, user_id: int, response_id: str, **values: Any) -> bool:
    running = (*_mine(user_id, response_id), chat_responses.c.status.in_(RUNNING))
    return conn.execute(update(chat_responses).where(*running).values(**values)).rowcount == 1


def _mine(user_id: int, response_id: str) -> Sequence[ColumnElement[bool]]:
    return (chat_responses.c.user_id == user_id, chat_responses.c.id == response_id)
