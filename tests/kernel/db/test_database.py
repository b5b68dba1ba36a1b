"""Units of work, portable types and named statements mean the same on every database."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, select
from sqlalchemy.exc import IntegrityError

from hutong.host.settings import load_settings
from hutong.kernel.db import (
    Connection,
    Database,
    DatabaseUnavailable,
    Id,
    NamedStatement,
    UtcTime,
    add_within,
    after_commit,
    claim_rows,
    insert_if_absent,
    now_plus,
    open_database,
    upsert,
    utc_now,
)
from hutong.kernel.settings import SettingsRefused

own = MetaData()
things = Table(
    "things",
    own,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("name", String(32), unique=True),
    Column("amount", Integer, nullable=False, default=0),
    Column("at", UtcTime),
)


@pytest.fixture
async def tables(db: Database) -> Database:
    await db.write(own.create_all)
    return db


async def test_a_moment_comes_back_as_it_was(tables: Database) -> None:
    """Microseconds and the moment itself, whatever its zone was; naive moments are refused."""
    moment = datetime(2026, 2, 28, 23, 59, 59, 123456, tzinfo=timezone(timedelta(hours=8)))
    await tables.write(lambda conn: conn.execute(things.insert().values(id=1, at=moment)))
    found = await tables.read(lambda conn: conn.execute(select(things.c.at)).scalar_one())

    assert found == moment and found.tzinfo is UTC
    with pytest.raises(Exception, match="without a time zone"):
        await tables.write(lambda conn: conn.execute(things.insert().values(id=2, at=datetime(2026, 1, 1))))  # noqa: DTZ001


async def test_the_databases_clock_can_be_added_to(tables: Database) -> None:
    await tables.write(lambda conn: conn.execute(things.insert().values(id=1, at=now_plus(90.5))))

    def read(conn: Connection) -> list[datetime]:
        return list(conn.execute(select(things.c.at, utc_now())).one())

    stored, now = await tables.read(read)

    assert timedelta(seconds=80) < stored - now <= timedelta(seconds=90.6)


async def test_named_statements_agree(tables: Database) -> None:
    def unit(conn: Connection) -> list[object]:
        row = {"id": 1, "name": "a", "amount": 5}
        return [
            insert_if_absent(conn, things, row),
            insert_if_absent(conn, things, row | {"id": 2}),
            add_within(conn, things.c.amount, things.c.id == 1, -3),
            add_within(conn, things.c.amount, things.c.id == 1, -3),
            add_within(conn, things.c.amount, things.c.id == 9, 1),
            _changed(conn, ["name"], {"id": 3, "name": "a", "amount": 1}, {"amount": things.c.amount + 10}),
            conn.execute(select(things.c.id, things.c.amount)).all(),
        ]

    assert await tables.write(unit) == [True, False, 2, None, None, "upserted", [(1, 12)]]


async def test_hot_statements_run_alone_and_inside_a_unit(tables: Database) -> None:
    statement = NamedStatement("t", {"default": "SELECT amount FROM things WHERE id = :id AND amount >= :least"})
    await tables.write(lambda conn: conn.execute(things.insert().values(id=1, amount=4)))

    assert [tuple(row) for row in await tables.hot(statement, id=1, least=4)] == [(4,)]
    assert [tuple(row) for row in await tables.read(lambda conn: statement.run(conn, id=1, least=4))] == [(4,)]
    assert list(await tables.hot(statement, id=1, least=5)) == []


async def test_an_error_rolls_everything_back_and_calls_no_hook(tables: Database) -> None:
    called: list[str] = []

    def unit(conn: Connection, fail: bool) -> None:
        conn.execute(things.insert().values(id=1 + fail, amount=1))
        after_commit(conn, lambda: called.append("hook"))
        if fail:
            raise RuntimeError

    await tables.write(unit, fail=False)
    with pytest.raises(RuntimeError):
        await tables.write(unit, fail=True)

    assert called == ["hook"]
    assert await tables.read(lambda conn: list(conn.execute(select(things.c.id)).scalars())) == [1]


async def test_rows_claimed_by_one_are_passed_over_by_others(tables: Database) -> None:
    await tables.write(lambda conn: conn.execute(things.insert(), [{"id": n, "amount": 0} for n in range(20)]))

    def unit(conn: Connection) -> list[int]:
        rows = claim_rows(conn, select(things.c.id).where(things.c.amount == 0).order_by(things.c.id).limit(5))
        ids = [row.id for row in rows]
        conn.execute(things.update().where(things.c.id.in_(ids)).values(amount=1))
        return ids

    taken = await asyncio.gather(*(tables.write(unit) for _ in range(6)))

    assert sorted(number for ids in taken for number in ids) == list(range(20))


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "mariadb"])
async def test_a_database_that_is_not_there_is_a_clear_error(scheme: str) -> None:
    away = open_database(load_settings(env="test", database_url=f"{scheme}://nobody@127.0.0.1:1/none"))
    with pytest.raises(DatabaseUnavailable):
        await away.ping()
    with pytest.raises(DatabaseUnavailable):
        await away.hot(NamedStatement("t", {"default": "SELECT 1"}))
    await away.close()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mssql://sa@127.0.0.1/hutong", r"names 'mssql'; use .*mariadb://… or mysql://…"),
        ("mariadb://root@127.0.0.1", "names no database"),
        ("mysql", "is no URL"),
    ],
)
def test_a_url_that_cannot_be_used_says_what_can(url: str, complaint: str) -> None:
    with pytest.raises(SettingsRefused, match=complaint):
        open_database(load_settings(env="test", database_url=url))


async def test_a_commit_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """As on a full disk: that unit fails, and the next ones are done. Only SQLite keeps one connection for all of them."""
    settings = load_settings(env="test", database_url=f"sqlite:///{tmp_path / 'rows.db'}")
    database = open_database(settings)

    def schema(conn: Connection) -> None:
        conn.exec_driver_sql("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        conn.exec_driver_sql("CREATE TABLE children (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)")

    def orphan(conn: Connection) -> None:
        conn.exec_driver_sql("INSERT INTO children VALUES (1)")  # found out when it is committed

    def child(conn: Connection) -> None:
        conn.exec_driver_sql("INSERT INTO parents VALUES (1)")
        conn.exec_driver_sql("INSERT INTO children VALUES (1)")

    await database.write(schema)
    with pytest.raises(IntegrityError):
        await database.write(orphan)
    await database.write(child)
    count = await database.read(lambda conn: conn.exec_driver_sql("SELECT COUNT(*) FROM children").scalar_one())
    await database.close()

    assert count == 1


def _changed(conn: Connection, key: list[str], row: dict[str, object], update: dict[str, object]) -> str:
    upsert(conn, things, key, row, update)
    return "upserted"
