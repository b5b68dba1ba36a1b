"""`hutong migrate`: the one Alembic tree, on whichever database the settings name.

Two migrations at once wait for each other. On MariaDB and MySQL a migration that fails stays half done, says so, and goes
on from there when it is run again (docs/kernel/db.md); elsewhere it leaves nothing.
"""

import re
from collections.abc import Callable
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from hutong.host.wiring import migrations_folder
from hutong.kernel.db import metadata
from hutong.kernel.db.opening import run_alone
from hutong.kernel.settings import KernelSettings

_TYPED = re.compile(r"^('(?:[^']|'')*')::[\w\s().,\"]+$")
_TRUTHS = {"true": "1", "false": "0"}


def _defaults_differ(
    _context: Any, _there: Any, _wanted: Any, found: str | None, _default: Any, rendered: str | None
) -> bool | None:
    """Whether a default of the database differs from the code's; None leaves it to Alembic.

    Alembic takes `false` for another default than 0, as which MariaDB and SQLite keep it; and it compares texts on PostgreSQL
    by a statement that a quote in them breaks.
    """
    if found is None or rendered is None:
        return None
    there, wanted = _bare(found), _bare(rendered)
    return False if there == wanted else True if "'" in there + wanted else None


def _bare(default: str) -> str:
    """A default without the quotes and the type that some databases tell it with."""
    text = _TYPED.sub(r"\1", default.strip())
    quoted = len(text) > 1 and text[0] == text[-1] == "'"
    text = text[1:-1].replace("''", "'").replace("\\'", "'") if quoted else text
    return _TRUTHS.get(text.lower(), text)


OPTIONS: dict[str, Any] = {"compare_type": True, "compare_server_default": _defaults_differ, "render_as_batch": True}


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for our tree."""
    made = Config()
    made.set_main_option("script_location", str(migrations_folder()))
    made.attributes["connection"] = connection
    return made


def upgrade(settings: KernelSettings, revision: str = "head") -> tuple[str | None, str | None]:
    """Bring the schema up to `revision`. Returns the revisions before and after."""
    return run_alone(
        settings, lambda conn: _moved(conn, lambda: command.upgrade(config(conn), revision)), changing=True
    )


def downgrade(settings: KernelSettings, revision: str) -> tuple[str | None, str | None]:
    """Take the schema back to `revision` (`-1`, an id, or `base`). Returns the revisions before and after."""
    return run_alone(
        settings, lambda conn: _moved(conn, lambda: command.downgrade(config(conn), revision)), changing=True
    )


def current(settings: KernelSettings) -> str | None:
    """The revision that the database has."""
    return run_alone(settings, _revision)


def head() -> str | None:
    """The newest revision of the tree."""
    return ScriptDirectory.from_config(config()).get_current_head()


def drift(settings: KernelSettings) -> list[Any]:
    """How the database differs from the tables in the code; empty when it does not."""
    return run_alone(
        settings, lambda conn: list(compare_metadata(MigrationContext.configure(conn, opts=OPTIONS), metadata))
    )


def _moved(conn: Connection, move: Callable[[], None]) -> tuple[str | None, str | None]:
    before = _revision(conn)
    move()
    return before, _revision(conn)


def _revision(conn: Connection) -> str | None:
    return MigrationContext.configure(conn).get_current_revision()
