"""From a URL to a `Database`."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from hutong.kernel.db.database import Database
from hutong.kernel.settings import KernelSettings, SettingsRefused

T = TypeVar("T")
DIALECTS = frozenset({"sqlite", "postgresql", "mysql"})
ALIASES = {"postgres": "postgresql", "mariadb": "mysql"}


def database_url(text: str) -> URL:
    """The parsed URL, under the name of its dialect: `postgres://` is `postgresql://`, `mariadb://` is `mysql://`.

    Raises:
        SettingsRefused: it is no database URL that Hutong knows.
    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SettingsRefused("HUTONG_DATABASE_URL is no URL; try postgresql://user:password@host/name") from error
    name = ALIASES.get(url.get_backend_name(), url.get_backend_name())
    if name not in DIALECTS:
        raise SettingsRefused(
            f"HUTONG_DATABASE_URL names {name!r}; use sqlite:///…, postgresql://…, mariadb://… or mysql://…"
        )
    if name != "sqlite" and not url.database:
        raise SettingsRefused(f"HUTONG_DATABASE_URL names no database; write {name}://user:password@host/name")
    return url.set(drivername=name)


def open_database(settings: KernelSettings) -> Database:
    """The database of these settings; nothing connects until the first use."""
    url = database_url(settings.resolved_database_url)
    if url.drivername == "sqlite":
        from hutong.kernel.db.dialects.sqlite import SqliteDatabase

        return SqliteDatabase(url, settings.database.readers)
    chosen = settings.database
    limits = (chosen.pool, chosen.hot_pool, chosen.statement_seconds, chosen.overflow)
    if url.drivername == "mysql":
        from hutong.kernel.db.dialects.mysql import MysqlDatabase

        return MysqlDatabase(url, *limits)
    from hutong.kernel.db.dialects.postgresql import PostgresDatabase

    return PostgresDatabase(url, *limits)


def run_alone(settings: KernelSettings, unit: Callable[[Connection], T], *, changing: bool = False) -> T:
    """Run `unit` in one transaction that no other call of this shares; for migrations, outside any event loop.

    Args:
        settings: name the database.
        unit: gets the connection.
        changing: whether it changes the schema. Not every database can do that in a transaction.

    Raises:
        DatabaseUnavailable: the database cannot be reached, or refuses us.
        SchemaHalfChanged: such a database stopped half-way.
    """
    url, dialect = _dialect(settings)
    return cast(T, (dialect.migrate if changing else dialect.run_alone)(url, unit))


def extend_alone(settings: KernelSettings, unit: Callable[[Connection], T]) -> T:
    """Run `unit`, which adds to the schema, as `run_alone` does.

    If it fails, it leaves nothing, or, where the database commits every CREATE and ALTER at once, what was done before.

    Raises:
        SchemaHalfChanged: a migration waits to be finished first.
    """
    url, dialect = _dialect(settings)
    return cast(T, dialect.extend(url, unit))


def _dialect(settings: KernelSettings) -> tuple[URL, ModuleType]:
    url = database_url(settings.resolved_database_url)
    return url, import_module(f"hutong.kernel.db.dialects.{url.drivername}")
