"""`hutong migrate`: the one Alembic tree, on whichever database the settings name.

Two migrations at once wait for each other (PostgreSQL: an advisory lock; SQLite: its write lock).
"""

from collections.abc import Callable
from typing import Any, TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from hutong.host.wiring import migrations_folder
from hutong.kernel.db import metadata
from hutong.kernel.db.opening import database_url
from hutong.kernel.settings import KernelSettings

T = TypeVar("T")
ADVISORY_LOCK = 5_141_518
OPTIONS: dict[str, Any] = {"compare_type": True, "compare_server_default": True, "render_as_batch": True}


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for our tree."""
    made = Config()
    made.set_main_option("script_location", str(migrations_folder()))
    made.attributes["connection"] = connection
    return made


def upgrade(settings: KernelSettings, revision: str = "head") -> tuple[str | None, str | None]:
    """Bring the schema up to `revision`. Returns the revisions before and after."""
    return _run(settings, lambda conn: _moved(conn, lambda: command.upgrade(config(conn), revision)))


def downgrade(settings: KernelSettings, revision: str) -> tuple[str | None, str | None]:
    """Take the schema back to `revision` (`-1`, an id, or `base`). Returns the revisions before and after."""
    return _run(settings, lambda conn: _moved(conn, lambda: command.downgrade(config(conn), revision)))


def current(settings: KernelSettings) -> str | None:
    """The revision that the database has."""
    return _run(settings, _revision)


def head() -> str | None:
    """The newest revision of the tree."""
    return ScriptDirectory.from_config(config()).get_current_head()


def drift(settings: KernelSettings) -> list[Any]:
    """How the database differs from the tables in the code; empty when it does not."""
    return _run(settings, lambda conn: list(compare_metadata(MigrationContext.configure(conn, opts=OPTIONS), metadata)))


def _moved(conn: Connection, move: Callable[[], None]) -> tuple[str | None, str | None]:
    before = _revision(conn)
    move()
    return before, _revision(conn)


def _revision(conn: Connection) -> str | None:
    return MigrationContext.configure(conn).get_current_revision()


def _run(settings: KernelSettings, unit: Callable[[Connection], T]) -> T:
    """Run `unit` in one transaction that no other migration shares."""
    url = database_url(settings.resolved_database_url)
    if url.drivername == "sqlite":
        from hutong.kernel.db.dialects.sqlite import run_exclusively

        return run_exclusively(url, unit)
    from hutong.kernel.db.dialects.postgresql import run_once

    def locked(conn: Connection) -> T:
        conn.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        return unit(conn)

    return run_once(url, locked)
