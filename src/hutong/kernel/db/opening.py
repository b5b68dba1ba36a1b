"""From a URL to a `Database`."""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from hutong.kernel.db.database import Database
from hutong.kernel.settings import KernelSettings, SettingsRefused


def database_url(text: str) -> URL:
    """The parsed URL, `postgres://` accepted for `postgresql://`.

    Raises:
        SettingsRefused: it is no database URL that Hutong knows.
    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SettingsRefused("HUTONG_DATABASE_URL is no URL; try postgresql://user:password@host/name") from error
    name = {"postgres": "postgresql"}.get(url.get_backend_name(), url.get_backend_name())
    if name not in {"sqlite", "postgresql"}:
        raise SettingsRefused(f"HUTONG_DATABASE_URL names {name!r}; use sqlite:///… or postgresql://…")
    return url.set(drivername=name)


def open_database(settings: KernelSettings) -> Database:
    """The database of these settings; nothing connects until the first use."""
    url = database_url(settings.resolved_database_url)
    if url.drivername == "sqlite":
        from hutong.kernel.db.dialects.sqlite import SqliteDatabase

        return SqliteDatabase(url, settings.database.readers)
    from hutong.kernel.db.dialects.postgresql import PostgresDatabase

    return PostgresDatabase(
        url, settings.database.pool, settings.database.hot_pool, settings.database.statement_seconds
    )
