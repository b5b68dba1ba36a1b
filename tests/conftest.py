"""Fixtures for every test: private servers, one empty database each, and a whole Hutong on loopback."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from hutong.host import migrations
from hutong.host.settings import load_settings
from hutong.kernel.db import Database, open_database
from hutong.kernel.store import Store
from support.servers import MariaDB, PostgreSQL, Redis, mariadb, postgres, redis
from support.stand import Stand, standing

DATABASES = ["sqlite", *(pytest.param(name, marks=pytest.mark.server) for name in ("postgresql", "mariadb"))]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgreSQL]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDB]:
    with mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    with redis() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated SQLite file."""
    path = tmp_path_factory.mktemp("template") / "hutong.db"
    migrations.upgrade(load_settings(env="test", database_url=f"sqlite:///{path}"))
    return path.read_bytes()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgreSQL) -> str:
    """Name of a migrated PostgreSQL database."""
    url = postgres_server.create_database("template_hutong")
    migrations.upgrade(load_settings(env="test", database_url=url))
    return "template_hutong"


@pytest.fixture(scope="session")
def mariadb_template(mariadb_server: MariaDB) -> str:
    """Name of a migrated MariaDB database."""
    url = mariadb_server.create_database("template_hutong")
    migrations.upgrade(load_settings(env="test", database_url=url))
    return "template_hutong"


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database; the test runs once for each kind."""
    if request.param == "sqlite":
        path = tmp_path / "hutong.db"
        path.write_bytes(request.getfixturevalue("sqlite_template"))
        yield f"sqlite:///{path}"
        return
    kind = {"postgresql": "postgres"}.get(request.param, request.param)
    server: PostgreSQL | MariaDB = request.getfixturevalue(f"{kind}_server")
    name = f"test_{abs(hash(request.node.nodeid))}"
    yield server.create_database(name, template=request.getfixturevalue(f"{kind}_template"))
    server.drop_database(name)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = open_database(load_settings(env="test", database_url=database_url))
    yield database
    await database.close()


@pytest.fixture
async def store_url(redis_server: Redis) -> str:
    """An empty store."""
    redis_server.flush()
    return redis_server.url


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    opened = Store(store_url)
    yield opened
    await opened.close()


@pytest.fixture
async def stand_up(
    tmp_path: Path, database_url: str, store_url: str
) -> AsyncIterator[Callable[..., "AsyncIterator[Stand]"]]:
    """Starts a whole Hutong with given settings; at the end every promise about the data is checked."""
    async with AsyncExitStack() as stack:

        async def start(**settings: object) -> Stand:
            made = {"data": tmp_path / "data", "database_url": database_url, "store_url": store_url, **settings}
            return await stack.enter_async_context(standing(made))

        yield start  # type: ignore[misc]


@pytest.fixture
async def stand(stand_up: Callable[..., object]) -> Stand:
    """A whole Hutong with an unhurried sandbox and no limits that a test would meet by accident."""
    started: Stand = await stand_up()  # type: ignore[misc]
    return started
