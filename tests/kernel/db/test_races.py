"""What several connections do at once means the same on every database, and no caller sees a lost conflict."""

import asyncio

import pytest
from sqlalchemy import CheckConstraint, Column, Integer, MetaData, String, Table, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from hutong.host.settings import load_settings
from hutong.kernel.db import (
    Connection,
    Database,
    DatabaseUnavailable,
    Id,
    NamedStatement,
    add_within,
    claim_rows,
    insert_if_absent,
    open_database,
    upsert,
)

own = MetaData()
purses = Table(
    "purses",
    own,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("owner", String(64), unique=True),
    Column("amount", Id, nullable=False),
    Column("taken", Integer, nullable=False, default=0),
    CheckConstraint("taken >= 0", name="taken_not_negative"),
)


@pytest.fixture
async def tables(db: Database) -> Database:
    await db.write(own.create_all)
    return db


def new(number: int, amount: int = 0, owner: str | None = None) -> dict[str, object]:
    return {"id": number, "amount": amount, "owner": owner, "taken": 0}


async def test_of_many_that_insert_the_same_key_one_does(tables: Database) -> None:
    rows = [new(number, owner="same") for number in range(20)]
    inserted = await asyncio.gather(*(tables.write(insert_if_absent, purses, row) for row in rows))

    assert sorted(inserted) == [False] * 19 + [True]


async def test_only_a_taken_key_is_no_error(tables: Database) -> None:
    """A missing value and a broken CHECK are, and both are IntegrityErrors."""
    for wrong in ({"amount": None}, {"taken": -1}):
        with pytest.raises(IntegrityError):
            await tables.write(insert_if_absent, purses, new(1) | wrong)

    assert await tables.read(lambda conn: conn.execute(select(func.count()).select_from(purses)).scalar_one()) == 0


async def test_keys_are_compared_byte_by_byte(tables: Database) -> None:
    """Case, accents, width and trailing blanks make another key, and so do the characters outside the first plane."""
    keys = ["device", "Device", "device ", "dévice", "ｄevice", "device\t", "🎈", "🎉", ""]
    inserted = [await tables.write(insert_if_absent, purses, new(number, owner=key)) for number, key in enumerate(keys)]
    found = [
        await tables.read(lambda conn, key=key: conn.execute(select(purses.c.id).where(purses.c.owner == key)).all())  # type: ignore[misc]
        for key in keys
    ]

    assert all(inserted)
    assert found == [[(number,)] for number in range(len(keys))]


@pytest.mark.parametrize(("lowest", "start"), [(0, 10), (-10, 0), (2**62, 2**62 + 10)])
async def test_twenty_spenders_never_pass_the_bound(tables: Database, lowest: int, start: int) -> None:
    """Each of them learns the balance that it made itself."""
    await tables.write(lambda conn: conn.execute(purses.insert().values(**new(1, start))))

    def spend(conn: Connection) -> int | None:
        return add_within(
            conn, purses.c.amount, purses.c.id == 1, -1, lowest=lowest, also={"taken": purses.c.taken + 1}
        )

    seen = await asyncio.gather(*(tables.write(spend) for _ in range(20)))
    left = await tables.read(lambda conn: conn.execute(select(purses.c.amount, purses.c.taken)).one())

    assert sorted(after for after in seen if after is not None) == list(range(lowest, start))
    assert tuple(left) == (lowest, 10)


async def test_workers_share_rows_out_among_them(tables: Database) -> None:
    """Nobody gets a row twice, none is left, and finishing goes on beside claiming."""
    await tables.write(lambda conn: conn.execute(purses.insert(), [new(number) for number in range(200)]))
    handed_out: list[int] = []

    def claim(conn: Connection) -> list[int]:
        rows = claim_rows(conn, select(purses.c.id).where(purses.c.taken == 0).order_by(purses.c.id).limit(7))
        ids = [row.id for row in rows]
        conn.execute(update(purses).where(purses.c.id.in_(ids)).values(taken=1))
        return ids

    async def work() -> None:
        while ids := await tables.write(claim):
            handed_out.extend(ids)
            await tables.write(lambda conn: conn.execute(purses.delete().where(purses.c.id.in_(ids))))

    while await tables.read(lambda conn: conn.execute(select(purses.c.id).limit(1)).first()):
        await asyncio.gather(*(work() for _ in range(6)))

    assert sorted(handed_out) == list(range(200))


async def test_deadlocks_are_tried_again_unseen(tables: Database) -> None:
    """Pairs that lock two rows in opposite order: where rows are locked, some must lose, and none may notice."""
    await tables.write(lambda conn: conn.execute(purses.insert(), [new(1), new(2)]))
    calls = 0

    def move(conn: Connection, first: int, second: int) -> None:
        nonlocal calls
        calls += 1
        for number, change in ((first, 1), (second, -1)):
            conn.execute(update(purses).where(purses.c.id == number).values(amount=purses.c.amount + change))

    for _ in range(3):
        await asyncio.gather(tables.write(move, 1, 2), tables.write(move, 2, 1))
    amounts = await tables.read(lambda conn: conn.execute(select(purses.c.amount)).scalars().all())

    assert list(amounts) == [0, 0]
    assert (calls > 6) is tables.capabilities.row_locks


async def test_a_row_that_is_written_as_it_was_counts_as_changed(tables: Database) -> None:
    """Compare-and-set asks how many rows were found, not how many bytes differ."""
    await tables.write(lambda conn: conn.execute(purses.insert().values(**new(1, 5))))
    same = update(purses).where(purses.c.id == 1).values(amount=5)

    assert await tables.write(lambda conn: conn.execute(same).rowcount) == 1


async def test_upserts_in_parallel_all_count(tables: Database) -> None:
    def count_up(conn: Connection, number: int) -> None:
        upsert(conn, purses, ["owner"], new(number, 1, "one"), {"amount": purses.c.amount + 1})

    await asyncio.gather(*(tables.write(count_up, number) for number in range(20)))

    assert await tables.read(lambda conn: conn.execute(select(purses.c.amount)).scalars().all()) == [20]


async def test_a_hot_statement_that_fails_leaves_its_connection_usable(tables: Database) -> None:
    """Violated keys reach the caller as everywhere, nothing of the statement stays, no lock is held on."""
    insert = NamedStatement("t", {"default": "INSERT INTO purses (id, amount, taken) VALUES (:id, :amount, 0)"})
    await tables.hot(insert, id=1, amount=1)
    for _ in range(12):  # more often than there are connections
        with pytest.raises(IntegrityError):
            await tables.hot(insert, id=1, amount=2)
    await tables.hot(insert, id=2, amount=2)
    count = NamedStatement("t", {"default": "SELECT COUNT(*), SUM(amount) FROM purses WHERE owner IS NULL"})

    assert [tuple(map(int, row)) for row in await tables.hot(count)] == [(2, 3)]


@pytest.fixture
def impatient(database_url: str) -> Database:
    """The same database with a short limit."""
    return open_database(load_settings(env="test", database_url=database_url, database={"statement_seconds": 2}))


NAP = NamedStatement("t", {"postgresql": "SELECT pg_sleep(:nap)", "mysql": "SELECT SLEEP(:nap)"})


@pytest.mark.server
@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
async def test_what_takes_too_long_is_a_clear_error_and_does_no_harm(impatient: Database) -> None:
    attempts = (
        impatient.hot(NAP, nap=30),
        impatient.read(lambda conn: NAP.run(conn, nap=30)),
        impatient.write(lambda conn: NAP.run(conn, nap=30)),
    )
    async with asyncio.timeout(6):
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 3
    await impatient.ping()
    await impatient.hot(NAP, nap=0)
    await impatient.close()


@pytest.mark.server
@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
async def test_a_lock_that_is_held_too_long_is_tried_for_again(tables: Database, impatient: Database) -> None:
    """The wait for a lock ends early on MariaDB, so that the attempts together take about one statement's limit."""
    await tables.write(lambda conn: conn.execute(purses.insert().values(**new(1))))
    held, calls = asyncio.Event(), 0
    loop = asyncio.get_running_loop()

    def hold(conn: Connection) -> None:
        add_within(conn, purses.c.amount, purses.c.id == 1, 1)
        loop.call_soon(held.set)
        NAP.run(conn, nap=1.5)

    def want(conn: Connection) -> int | None:
        nonlocal calls
        calls += 1
        return add_within(conn, purses.c.amount, purses.c.id == 1, 1)

    holder = asyncio.create_task(tables.write(hold))
    await held.wait()
    assert await impatient.write(want) == 2
    assert calls > 1
    await holder
    await impatient.close()


@pytest.mark.server
@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
async def test_the_limit_is_each_statements_not_the_units(impatient: Database) -> None:
    def unit(conn: Connection) -> str:
        for _ in range(3):
            NAP.run(conn, nap=1.3)
        return "done"

    assert await impatient.write(unit) == "done"
    await impatient.close()


@pytest.mark.server
@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
async def test_who_waited_for_a_lock_sees_what_was_written_meanwhile(tables: Database) -> None:
    """Also after a first look: what is chosen under a lock must not be chosen by an older picture."""
    await tables.write(lambda conn: conn.execute(purses.insert().values(**new(1))))
    held, loop = asyncio.Event(), asyncio.get_running_loop()

    def hold(conn: Connection) -> None:
        add_within(conn, purses.c.amount, purses.c.id == 1, 1)
        loop.call_soon(held.set)
        NAP.run(conn, nap=0.5)
        conn.execute(purses.insert().values(**new(2)))

    def look_lock_look(conn: Connection) -> list[int]:
        rows = select(func.count()).select_from(purses)
        before = conn.execute(rows).scalar_one()
        add_within(conn, purses.c.amount, purses.c.id == 1, 1)
        return [before, conn.execute(rows).scalar_one()]

    holder = asyncio.create_task(tables.write(hold))
    await held.wait()
    seen = await tables.write(look_lock_look)
    await holder

    assert seen == [1, 2]


async def test_an_error_of_the_statement_is_not_taken_for_an_absent_server(tables: Database) -> None:
    with pytest.raises(DBAPIError):
        await tables.write(lambda conn: conn.execute(text("SELECT nothing FROM nowhere")))
    with pytest.raises(Exception, match="nowhere"):
        await tables.hot(NamedStatement("t", {"default": "SELECT nothing FROM nowhere"}))
