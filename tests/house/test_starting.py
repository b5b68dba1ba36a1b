"""What a person reads when Hutong cannot start for its database: one line that says why, and exit status 1."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hutong.host import migrations
from hutong.host.settings import load_settings
from hutong.host.wiring import Host
from support.deadlines import until
from support.installation import Installation
from support.lifecycle import HOST
from support.processes import free_port
from support.servers import PostgreSQL

SERVERS = [pytest.param(f"{kind}_server", marks=pytest.mark.server) for kind in ("postgres", "mariadb")]
Change = Callable[[str], str]


def away(url: str) -> str:
    return re.sub(r":\d+/", f":{free_port()}/", url)


def of_a_stranger(url: str) -> str:
    return re.sub(r"//[^@]*@", "//stranger:wrong-secret@", url)


def of_nothing(url: str) -> str:
    return url.rpartition("/")[0] + "/nothing"


async def complaint(folder: Path, url: str, *words: str) -> str:
    """The one line that a command writes before it ends with status 1."""
    ended = await asyncio.to_thread(Installation(folder, {"HUTONG_DATABASE_URL": url}).run, *words)
    assert ended.returncode == 1, ended.stderr
    (line,) = (ended.stdout + ended.stderr).splitlines()
    return line


@pytest.mark.parametrize("server", SERVERS)
async def test_a_migration_says_why_it_cannot(request: pytest.FixtureRequest, tmp_path: Path, server: str) -> None:
    """The server is away, does not know us, or knows no such database."""
    url = request.getfixturevalue(server).create_database("starting")
    try:
        changes: tuple[Change, ...] = (away, of_a_stranger, of_nothing)
        lines = await asyncio.gather(*(complaint(tmp_path, change(url), "migrate") for change in changes))
    finally:
        request.getfixturevalue(server).drop_database("starting")

    assert [line.partition(":")[0] for line in lines] == ["db.unavailable", "db.refused", "db.refused"]
    assert [word in line.lower() for line, word in zip(lines, ("connect", "stranger", "nothing"), strict=True)] == [
        True
    ] * 3
    assert "wrong-secret" not in " ".join(lines)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader, " * 1000)
    line = await complaint(tmp_path, f"sqlite:///{tmp_path}/letter.txt", "migrate")

    assert line.startswith("db.refused: ")


@pytest.mark.server
async def test_every_process_says_that_the_database_is_away(tmp_path: Path, postgres_server: PostgreSQL) -> None:
    url = away(postgres_server.url)
    commands = (("serve", "--port", "0"), ("worker",), ("up", "--port", "0"), ("ledger", "verify"))
    lines = await asyncio.gather(*(complaint(tmp_path, url, *words) for words in commands))

    assert {line.partition(":")[0] for line in lines} == {"db.unavailable"}


@pytest.mark.server
@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("worker",)])
async def test_a_database_that_goes_away_during_the_start_ends_it(
    tmp_path: Path, postgres_server: PostgreSQL, words: tuple[str, ...]
) -> None:
    """It answered what the schema is, and nothing afterwards."""
    name = f"vanishing_{words[0]}"
    url = postgres_server.create_database(name)
    await asyncio.to_thread(migrations.upgrade, load_settings(env="test", database_url=url))
    async with one_call(postgres_server.port) as port:
        ended = await asyncio.to_thread(
            Installation(tmp_path, {"HUTONG_DATABASE_URL": url.replace(f":{postgres_server.port}/", f":{port}/")}).run,
            *words,
        )
    postgres_server.drop_database(name)

    assert ended.returncode == 1
    assert "db.unavailable: The database does not answer" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


@pytest.mark.server
async def test_a_start_that_is_broken_off_keeps_nothing(tmp_path: Path, postgres_server: PostgreSQL) -> None:
    """Cancelled at any moment, a host lets go of its connections."""
    url = postgres_server.create_database("broken_off")
    settings = load_settings(env="test", data=tmp_path, database_url=url)
    await asyncio.to_thread(migrations.upgrade, settings)
    try:
        for wait in range(0, 60, 3):
            host = Host(settings)
            starting = asyncio.create_task(host.start())
            await asyncio.sleep(wait / 1000)
            starting.cancel()
            (broken_off,) = await asyncio.gather(starting, return_exceptions=True)
            if broken_off is None:  # it was quicker
                await host.stop()
            await until_none_is_connected(postgres_server, "broken_off")
    finally:
        postgres_server.drop_database("broken_off")


async def until_none_is_connected(server: PostgreSQL, database: str) -> None:
    count = f"SELECT COUNT(*) FROM pg_stat_activity WHERE datname = '{database}'"

    async def nobody() -> bool:
        return await asyncio.to_thread(server.execute, count) == "0"

    await until(nobody, 10)


@asynccontextmanager
async def one_call(target: int) -> AsyncIterator[int]:
    """A port that puts one connection through to `target`, and hangs up on every other."""
    calls = 0

    async def put_through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            from_server, to_server = await asyncio.open_connection(HOST, target)
            await asyncio.gather(passed_on(reader, to_server), passed_on(from_server, writer))
        writer.close()

    server = await asyncio.start_server(put_through, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def passed_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
    sink.close()
