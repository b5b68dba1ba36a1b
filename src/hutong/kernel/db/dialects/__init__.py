"""What differs between SQLite, PostgreSQL and MariaDB: one module each, the same small set of verbs.

Only `kernel.db` may call it; `sqlalchemy.dialects` may be imported nowhere else.
Its page is docs/kernel/db.md.
"""

from importlib import import_module

from sqlalchemy import Connection, DateTime, Dialect, String, Text

from hutong.kernel.db.dialects.support import DialectSupport

_loaded: dict[str, DialectSupport] = {}


def support(source: Connection | Dialect) -> DialectSupport:
    """The verbs of the dialect that `source` speaks."""
    return named((source.dialect if isinstance(source, Connection) else source).name)


def named(name: str) -> DialectSupport:
    """The verbs of the dialect of this name."""
    found = _loaded.get(name)
    if found is None:
        found = _loaded[name] = import_module(f"{__name__}.{name}").SUPPORT
    return found


def moment(dialect: Dialect) -> DateTime:
    """The type of a moment; for SQLAlchemy's own dialect, which only prints statements, a plain one."""
    return DateTime() if dialect.name == "default" else support(dialect).moment


def long_text(dialect: Dialect) -> String:
    """The type of a text of megabytes; for SQLAlchemy's own dialect, which only prints statements, a plain one."""
    return Text() if dialect.name == "default" else support(dialect).long_text
