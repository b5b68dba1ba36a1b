"""Writing and reading the audit trail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from hutong.kernel.audit.tables import audit_events


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that an operator or the user may want to know later.

    Args:
        id: a fresh id.
        realm: of the user.
        kind: in the past tense, as in `session.reuse_detected` or `password.changed`.
        user_id: whom it concerns, if anybody.
        created_at: when.
        address, device_id: of the call that caused it.
        details: JSON-ready facts; never a password, token, code, or their digests.
    """

    id: int
    realm: str
    kind: str
    user_id: int | None
    created_at: datetime
    address: str | None = None
    device_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def record(conn: Connection, event: AuditEvent) -> None:
    """Add an event, in the transaction of what it tells."""
    row = {name: getattr(event, name) for name in AuditEvent.__dataclass_fields__}
    conn.execute(audit_events.insert().values(**row | {"details": dict(event.details)}))


def find_first(conn: Connection, realm: str, kind: str, user_id: int) -> AuditEvent | None:
    """The oldest event of one kind of a user."""
    columns = audit_events.c
    query = select(*(columns[name] for name in AuditEvent.__dataclass_fields__))
    mine = query.where(columns.realm == realm, columns.user_id == user_id, columns.kind == kind)
    row = conn.execute(mine.order_by(columns.created_at, columns.id).limit(1)).first()
    return AuditEvent(*row) if row else None


def list_events(conn: Connection, realm: str, user_id: int, *, limit: int = 100) -> Sequence[AuditEvent]:
    """The newest events of a user, newest first."""
    columns = audit_events.c
    query = select(*(columns[name] for name in AuditEvent.__dataclass_fields__))
    mine = query.where(columns.realm == realm, columns.user_id == user_id)
    newest = mine.order_by(columns.created_at.desc(), columns.id.desc()).limit(limit)
    return [AuditEvent(*row) for row in conn.execute(newest)]
