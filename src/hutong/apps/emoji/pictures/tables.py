"""Table of the pictures that users gave us. Object keys are stored, never URLs."""

from sqlalchemy import Column, Integer, String, Table

from hutong.kernel.db import Enumerated, Id, Json, UtcTime, metadata
from hutong.kernel.gateway import Refusal

emoji_pictures = Table(
    "emoji_pictures",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("user_id", Id, nullable=False, index=True),
    Column("object_key", String(200), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("checked_at", UtcTime),
    Column("refusal", Enumerated(Refusal, 32)),
    Column("vendor_code", String(64)),
    Column("face_bbox", Json),
    Column("ext_bbox", Json),
    Column("created_at", UtcTime, nullable=False),
)
