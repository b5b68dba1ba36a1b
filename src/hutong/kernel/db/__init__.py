"""The database: engines, units of work, portable types and the few statements that differ between dialects.

Kernel packages and apps call `Database.write` and `Database.read` with a plain function that takes a `Connection` first;
only `dialects/` knows which server it talks to.
Its page is docs/kernel/db.md.
"""

from sqlalchemy import Connection

from hutong.kernel.db.database import Database, DatabaseUnavailable, after_commit
from hutong.kernel.db.opening import open_database
from hutong.kernel.db.statements import (
    NamedStatement,
    NamedSteps,
    add_within,
    claim_rows,
    insert_if_absent,
    now_plus,
    upsert,
    utc_now,
)
from hutong.kernel.db.types import Enumerated, Id, Json, LongText, UtcTime, metadata

__all__ = [
    "Connection",
    "Database",
    "DatabaseUnavailable",
    "Enumerated",
    "Id",
    "Json",
    "LongText",
    "NamedStatement",
    "NamedSteps",
    "UtcTime",
    "add_within",
    "after_commit",
    "claim_rows",
    "insert_if_absent",
    "metadata",
    "now_plus",
    "open_database",
    "upsert",
    "utc_now",
]
