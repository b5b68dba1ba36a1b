"""The suite's own servers: they answer, they survive a crash with their data, and they never outlive the tests."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis as Client
from redis.asyncio import RedisCluster as ClusterClient
from redis.exceptions import ResponseError

from support.binaries import MARIADB, POSTGRESQL, ServerMissing, find, valkey_wheel
from support.deadlines import wait_until
from support.servers import mariadb, postgres, redis, redis_cluster

TESTS = Path(__file__).parents[1]

OUTLIVED = """
import sys, time
sys.path.insert(0, sys.argv[1])
from support.servers import mariadb, postgres, redis
with {name}() as server:
    print(server.pid, server.folder, flush=True)
    time.sleep(600)
"""


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie that waits for its parent does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")


@pytest.mark.server
@pytest.mark.slow
async def test_postgresql_answers_copies_and_survives_a_crash() -> None:
    with postgres() as server:
        template = server.create_database("template")
        async with connected(template) as connection:
            await connection.execute("CREATE TABLE note (text text)")
            await connection.execute("INSERT INTO note VALUES ('胡同')")
        copy = server.create_database("copy", template="template")
        server.kill()
        assert not is_alive(server.pid)
        server.restart()
        async with connected(copy) as connection:
            assert await connection.fetchval("SELECT text FROM note") == "胡同"
            server.drop_database("copy")
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await asyncpg.connect(copy)


@pytest.mark.server
@pytest.mark.slow
def test_mariadb_answers_copies_and_survives_a_crash() -> None:
    with mariadb() as server:
        server.create_database("template")
        server.execute("CREATE TABLE owner (id BIGINT PRIMARY KEY)", "template")
        server.execute("CREATE TABLE note (text TEXT, owner BIGINT REFERENCES owner (id))", "template")
        server.execute("INSERT INTO owner VALUES (1); INSERT INTO note VALUES ('胡同', 1)", "template")
        server.create_database("copy", template="template")
        server.kill()
        server.restart()
        assert server.execute("SELECT text FROM note", "copy") == "胡同"
        with pytest.raises(RuntimeError, match="foreign key"):
            server.execute("INSERT INTO note VALUES ('', 2)", "copy")
        server.drop_database("copy")
        assert "copy" not in server.execute("SHOW DATABASES").split()


@pytest.mark.parametrize("durable", [False, True])
async def test_redis_answers_and_survives_a_crash(durable: bool) -> None:
    with redis(binary=valkey_wheel(), durable=durable) as server:
        async with Client.from_url(server.url) as client:
            await client.set("lane", "胡同")
        server.kill()
        server.restart()
        async with Client.from_url(server.unix_url) as client:
            assert await client.get("lane") == "胡同".encode()
            server.flush()
            assert await client.dbsize() == 0


async def test_a_cluster_of_one_refuses_a_command_across_slots() -> None:
    with redis(binary=valkey_wheel(), cluster=True) as server:
        server.kill()
        server.restart()
        async with Client.from_url(server.url) as client:
            await client.mset({"{lane}:a": 1, "{lane}:b": 2})
            with pytest.raises(ResponseError, match="slot"):
                await client.mset({"a": 1, "b": 2})


@pytest.mark.server
async def test_a_redis_cluster_spreads_its_keys() -> None:
    with redis_cluster(masters=3) as cluster:
        async with ClusterClient.from_url(cluster.url) as client:
            for number in range(30):
                await client.set(f"lane:{number}", number)
        for node in cluster.nodes:
            with node.client() as client_of_node:
                assert client_of_node.dbsize() > 0
        cluster.flush()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param("postgres", marks=pytest.mark.server), pytest.param("mariadb", marks=pytest.mark.server), "redis"],
)
@pytest.mark.parametrize("watchdog", [False, True])
def test_a_killed_test_run_leaves_no_server_behind(name: str, watchdog: bool) -> None:
    environment = dict(os.environ)
    if watchdog:  # what stands in for the kernel's help outside Linux
        environment["HUTONG_TEST_WATCHDOG"] = "1"
    command = [sys.executable, "-c", OUTLIVED.format(name=name), str(TESTS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        pid, folder = child.stdout.readline().split()
        assert is_alive(int(pid))
        child.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_alive(int(pid)), seconds=30, what=f"{name} has ended")
    subprocess.run(["rm", "-rf", folder], check=True)


def test_stopping_removes_process_and_folder() -> None:
    with redis(binary=valkey_wheel()) as server:
        assert server.folder.is_dir()
    assert not is_alive(server.pid)
    assert not server.folder.exists()


@pytest.mark.parametrize("product", [POSTGRESQL, MARIADB])
def test_a_missing_server_names_the_command_that_installs_it(product: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(ServerMissing, match=r"install\.sh.*(apt-get|brew) install.*HUTONG_TEST_"):
        find(product)


@pytest.mark.parametrize("start", [postgres, mariadb, redis])
def test_a_wrong_setting_is_named(
    start: Callable[[], AbstractContextManager[Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("HUTONG_TEST_POSTGRES_BIN", "HUTONG_TEST_MARIADB_BIN", "HUTONG_TEST_REDIS_BIN"):
        monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(ServerMissing, match="names"), start():
        pass
