"""Tables of the kernel's jobs. Rows are private to this package."""

from enum import StrEnum

from sqlalchemy import Column, Index, Integer, String, Table, Text

from hutong.kernel.db import Enumerated, Id, Json, UtcTime, metadata


class JobState(StrEnum):
    """Where a job stands; finished jobs have no row, given-up ones are dead letters."""

    QUEUED = "queued"
    RUNNING = "running"


jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("task", String(64), nullable=False),
    Column("args", Json, nullable=False),
    Column("state", Enumerated(JobState, 16), nullable=False),
    Column("dedup_key", String(128), unique=True),
    Column("run_at", UtcTime, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("token", Integer, nullable=False),
    Column("requested", Integer, nullable=False),
    Column("worker", String(64)),
    Column("lease_until", UtcTime),
    Column("last_error", Text),
    Column("created_at", UtcTime, nullable=False),
    Index(None, "state", "run_at"),
)

dead_jobs = Table(
    "dead_jobs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("task", String(64), nullable=False),
    Column("args", Json, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("died_at", UtcTime, nullable=False, index=True),
)

schedules = Table(
    "schedules",
    metadata,
    Column("task", String(64), primary_key=True),
    Column("next_at", UtcTime, nullable=False),
)

machine_leases = Table(
    "machine_leases",
    metadata,
    Column("machine", Integer, primary_key=True, autoincrement=False),
    Column("holder", String(64), nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("last_ms", Id, nullable=False),
)
