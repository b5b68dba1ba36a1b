"""Idempotency-Key: the same key and body again gives the first answer, another body is refused, a racer waits.

The key is claimed before the work and completed inside the business transaction, so that an answer is remembered if and
only if its effect was committed. Source: reference/reliability.md I6; contracts/emoji.md (409001, 422009).
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Column, Connection, Integer, String, Table, update

from hutong.kernel.db import Id, Json, UtcTime, insert_if_absent, metadata
from hutong.kit.errors import Conflict, InvalidInput, Unprocessable

KEY = re.compile(r"[\x21-\x7e]{1,255}")

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", Id, primary_key=True, autoincrement=False),
    Column("operation", String(64), primary_key=True),
    Column("key_hash", String(64), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("claim", Id, nullable=False),
    Column("status", Integer),
    Column("answer", Json),
    Column("claimed_at", UtcTime, nullable=False, index=True),
)


class KeyMalformed(InvalidInput):
    """An Idempotency-Key has 1 to 255 visible ASCII characters."""

    code = "idempotency.key_malformed"


class KeyInUse(Conflict):
    """A request with this Idempotency-Key is still being worked on; try again shortly."""

    code = "idempotency.in_use"


class KeyReused(Unprocessable):
    """This Idempotency-Key was used with another request; take a new key."""

    code = "idempotency.reused"


@dataclass(frozen=True, slots=True)
class Claim:
    """One request's hold on a key. `number` fences off a request that was too slow and lost it."""

    user_id: int
    operation: str
    key_hash: str
    body_hash: str
    number: int


@dataclass(frozen=True, slots=True)
class Replay:
    """The answer that the key got first."""

    status: int
    answer: Any


def make_claim(user_id: int, operation: str, key: str, body: Any, number: int) -> Claim:
    """Describe a request.

    Args:
        user_id: keys are each user's own.
        operation: as in `emoji.create`.
        key: the header's value.
        body: JSON-ready request content, compared by its canonical form.
        number: a fresh id.

    Raises:
        KeyMalformed.
    """
    if not KEY.fullmatch(key):
        raise KeyMalformed
    canonical = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return Claim(user_id, operation, _sha(key.encode()), _sha(canonical), number)


def begin(conn: Connection, claim: Claim, now: datetime, lease: float) -> Replay | None:
    """Claim the key. None: go ahead; otherwise the answer to give.

    Args:
        conn: the unit of work.
        claim: of this request.
        now: the moment.
        lease: seconds after which a claim that was not completed is taken over. Its holder is most likely dead; one that
            is only slow cannot complete any more, so nothing is done twice.

    Raises:
        KeyInUse, KeyReused.
    """
    row = {
        "user_id": claim.user_id,
        "operation": claim.operation,
        "key_hash": claim.key_hash,
        "body_hash": claim.body_hash,
        "claim": claim.number,
        "claimed_at": now,
    }
    if insert_if_absent(conn, idempotency_keys, row):
        return None
    found = conn.execute(idempotency_keys.select().where(_same(claim))).first()
    if found is None:  # its holder gave it up a moment ago
        raise KeyInUse(retry_after=1)
    if found.body_hash != claim.body_hash:
        raise KeyReused
    if found.status is not None:
        return Replay(found.status, found.answer)
    if now - found.claimed_at < timedelta(seconds=lease):
        raise KeyInUse(retry_after=1)
    _take_over(conn, claim, found.claim, now)
    return None


def _take_over(conn: Connection, claim: Claim, holder: int, now: datetime) -> None:
    mine = update(idempotency_keys).where(_same(claim), idempotency_keys.c.claim == holder)
    if conn.execute(mine.values(claim=claim.number, claimed_at=now)).rowcount != 1:
        raise KeyInUse(retry_after=1)


def complete(conn: Connection, claim: Claim, status: int, answer: Any) -> None:
    """Remember the answer, in the transaction that has the effect.

    Raises:
        KeyInUse: the claim was lost to another request; the transaction must not commit.
    """
    held = update(idempotency_keys).where(
        _same(claim), idempotency_keys.c.claim == claim.number, idempotency_keys.c.status.is_(None)
    )
    if conn.execute(held.values(status=status, answer=answer)).rowcount != 1:
        raise KeyInUse(retry_after=1)


def abandon(conn: Connection, claim: Claim) -> None:
    """The request failed and changed nothing: the key may be used again."""
    held = (_same(claim), idempotency_keys.c.claim == claim.number, idempotency_keys.c.status.is_(None))
    conn.execute(idempotency_keys.delete().where(*held))


def forget_old(conn: Connection, before: datetime) -> int:
    """Delete keys older than `before`; returns how many."""
    return conn.execute(idempotency_keys.delete().where(idempotency_keys.c.claimed_at < before)).rowcount


def _same(claim: Claim) -> Any:
    columns = idempotency_keys.c
    return (
        (columns.user_id == claim.user_id)
        & (columns.operation == claim.operation)
        & (columns.key_hash == claim.key_hash)
    )


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
