"""Queries of pictures, always scoped by their owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from hutong.apps.emoji.pictures.tables import emoji_pictures
from hutong.kernel.db import insert_if_absent
from hutong.kernel.gateway import Box, FaceVerdict, Refusal


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was checked and stored; `checked_at` is None until detection gave a verdict."""

    id: int
    user_id: int
    object_key: str
    sha256: str
    width: int
    height: int
    checked_at: datetime | None
    refusal: Refusal | None
    vendor_code: str | None
    face_bbox: Box | None
    ext_bbox: Box | None
    created_at: datetime


_columns = [emoji_pictures.c[name] for name in Picture.__dataclass_fields__]


def _picture(row: Any) -> Picture:
    return Picture(*row)


def find(conn: Connection, user_id: int, picture_id: int) -> Picture | None:
    """The user's picture."""
    mine = (emoji_pictures.c.id == picture_id, emoji_pictures.c.user_id == user_id)
    row = conn.execute(select(*_columns).where(*mine)).first()
    return _picture(row) if row else None


def keep(conn: Connection, user_id: int, picture_id: int) -> bool:
    """Keep a picture from being removed until this transaction ends. False when it is gone already."""
    mine = (emoji_pictures.c.id == picture_id, emoji_pictures.c.user_id == user_id)
    return conn.execute(select(emoji_pictures.c.id).where(*mine).with_for_update()).first() is not None


def find_checked_twin(conn: Connection, user_id: int, sha256: str) -> Picture | None:
    """A picture of the same user with the same content that has a verdict already."""
    twins = (
        emoji_pictures.c.user_id == user_id,
        emoji_pictures.c.sha256 == sha256,
        emoji_pictures.c.checked_at.is_not(None),
    )
    row = conn.execute(select(*_columns).where(*twins).limit(1)).first()
    return _picture(row) if row else None


def list_older(conn: Connection, after: int, before: int, limit: int) -> list[Picture]:
    """Pictures of all users with ids between `after` and `before` (both excluded), in order: for the house's own use."""
    between = (emoji_pictures.c.id > after, emoji_pictures.c.id < before)
    rows = conn.execute(select(*_columns).where(*between).order_by(emoji_pictures.c.id).limit(limit))
    return [_picture(row) for row in rows]


def known(conn: Connection, picture_ids: Sequence[int]) -> set[int]:
    """Which of these pictures there are, whoever's they are: for the house's own use."""
    return set(conn.execute(select(emoji_pictures.c.id).where(emoji_pictures.c.id.in_(picture_ids))).scalars())


def create(conn: Connection, picture: Picture) -> bool:
    """Add a picture. False when its id is there already (the same direct upload was taken in twice at once)."""
    return insert_if_absent(
        conn, emoji_pictures, {name: getattr(picture, name) for name in Picture.__dataclass_fields__}
    )


def set_verdict(conn: Connection, picture: Picture, verdict: FaceVerdict, now: datetime) -> None:
    """Keep what detection said, so that no picture is paid for twice."""
    mine = (emoji_pictures.c.id == picture.id, emoji_pictures.c.user_id == picture.user_id)
    conn.execute(
        update(emoji_pictures)
        .where(*mine)
        .values(
            checked_at=now,
            refusal=verdict.refusal,
            vendor_code=verdict.vendor_code or None,
            face_bbox=list(verdict.face_bbox) if verdict.face_bbox else None,
            ext_bbox=list(verdict.ext_bbox) if verdict.ext_bbox else None,
        )
    )


def remove(conn: Connection, user_id: int, picture_id: int) -> bool:
    """Forget a picture. Returns whether it was there."""
    mine = (emoji_pictures.c.id == picture_id, emoji_pictures.c.user_id == user_id)
    return conn.execute(emoji_pictures.delete().where(*mine)).rowcount == 1
