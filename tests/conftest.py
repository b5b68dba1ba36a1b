"""Fixtures for every test: private servers, one empty database each, and a whole Hutong on loopback."""

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import support.hypotheses  # noqa: F401 - chooses the profile of property tests
from hutong.host import migrations
from hutong.host.settings import load_settings
from hutong.kernel.db import Database, open_database
from hutong.kernel.store import Store
from support.log_setup import logging_as_it_was
from support.servers import MariaDB, PostgreSQL, Redis, RedisCluster, mariadb, postgres, redis, redis_cluster
from support.stand import Stand, standing

STORES = {"redis": "redis_server", "cluster": "redis_masters"}
HERE = Path(__file__).parent
ON_A_CLUSTER_TOO = [
    HERE / folder for folder in ("apps/emoji/flows", "apps/storefront/flows", "kernel/jobs", "kernel/realtime")
]
DATABASES = ["sqlite", *(pytest.param(name, marks=pytest.mark.server) for name in ("postgresql", "mariadb"))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The kernel and flows run on every database, the rest on SQLite and PostgreSQL; flows and jobs on a cluster too."""
    if _leaves_open(metafunc, "store_kind") and metafunc.definition.path.parent in ON_A_CLUSTER_TOO:
        kinds = ["redis", pytest.param("cluster", marks=pytest.mark.server)]
        metafunc.parametrize("store_kind", kinds, indirect=True)
    if _leaves_open(metafunc, "database_url"):
        metafunc.parametrize("database_url", DATABASES if _is_everywhere(metafunc) else DATABASES[:2], indirect=True)


def _is_everywhere(metafunc: pytest.Metafunc) -> bool:
    path = metafunc.definition.path
    return path.is_relative_to(HERE / "kernel") or path.parent.name == "flows"


def _leaves_open(metafunc: pytest.Metafunc, fixture: str) -> bool:
    """Whether a test uses the fixture and does not choose its parameters by itself."""
    chosen = [str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize")]
    return fixture in metafunc.fixturenames and not any(fixture in names for names in chosen)


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """A command that a test runs sets up the logs of this process: the next test has them as they were."""
    with logging_as_it_was():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test logged goes from its process to the one that reports, as UTF-8, whatever the test made up."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The cluster is combined with PostgreSQL only: whoever runs the one runs the other."""
    params = {
        item: item.callspec.params for item in items if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    }
    alone = [
        item
        for item, chosen in params.items()
        if chosen.get("store_kind") == "cluster" and chosen.get("database_url", "postgresql") != "postgresql"
    ]
    config.hook.pytest_deselected(items=alone)
    items[:] = [item for item in items if item not in alone]


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
def redis_masters() -> Iterator[RedisCluster]:
    """A cluster of three."""
    with redis_cluster(masters=3) as cluster:
        yield cluster


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


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database; `pytest_generate_tests` says of which kinds."""
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
def store_kind(request: pytest.FixtureRequest) -> str:
    """A single server, unless `pytest_generate_tests` says otherwise."""
    return str(getattr(request, "param", "redis"))


@pytest.fixture
def store_server(store_kind: str, request: pytest.FixtureRequest) -> Redis | RedisCluster:
    """A server or a cluster, without keys."""
    server: Redis | RedisCluster = request.getfixturevalue(STORES[store_kind])
    server.flush()
    return server


@pytest.fixture
def store_url(store_server: Redis | RedisCluster) -> str:
    """An empty store."""
    return store_server.store_url


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
