"""A store that is there but cannot serve is as good as none: callers see `StoreUnavailable`, soon, and go on."""

import asyncio
import os
import re
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import pytest
from redis.exceptions import ResponseError

from hutong.kernel.http.limits import HIT, Limit, Limiter, LimitExceeded
from hutong.kernel.store import Store, StoreUnavailable
from hutong.kit.clock import SystemClock
from support.deadlines import wait_until
from support.processes import free_port
from support.servers import Redis, redis
from support.stand import until

Break = Callable[[Redis], None]


def _memory_is_full(server: Redis) -> None:
    with server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)


def _disk_is_broken(server: Redis) -> None:
    """Snapshots fail, because a folder stands in their place."""
    (server.folder / "dump.rdb").mkdir()
    with server.client() as client:
        client.config_set("save", "3600 1")
        client.bgsave()
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", what="the snapshot failed")


def _is_a_replica(server: Redis) -> None:
    with server.client() as client:
        client.replicaof("127.0.0.1", str(free_port()))


def _is_a_replica_without_data(server: Redis) -> None:
    with server.client() as client:
        client.config_set("replica-serve-stale-data", "no")
        client.replicaof("127.0.0.1", str(free_port()))


def _has_too_few_replicas(server: Redis) -> None:
    with server.client() as client:
        client.config_set("min-replicas-to-write", 1)


def _wants_a_password(server: Redis) -> None:
    with server.client() as client:
        client.config_set("requirepass", "another")
        client.client_kill_filter(_type="normal", skipme=True)


def _is_frozen(server: Redis) -> None:
    os.kill(server.pid, signal.SIGSTOP)


def _is_gone(server: Redis) -> None:
    server.kill()


BROKEN: list[Break] = [
    _memory_is_full,
    _disk_is_broken,
    _is_a_replica,
    _is_a_replica_without_data,
    _has_too_few_replicas,
    _wants_a_password,
    _is_frozen,
    _is_gone,
]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    store = Store(url)
    yield store
    await store.close()


async def is_unavailable(store: Store) -> None:
    """Writes by command and by script fail as they should, and limits are counted here instead."""
    with pytest.raises(StoreUnavailable):
        await store.put("k", "v", seconds=9)
    with pytest.raises(StoreUnavailable):
        await store.run(HIT, ["{k}:1", "{k}:2"], [1000])
    assert await _lets_pass(Limiter(store, SystemClock()), 12) < 12


async def _lets_pass(limiter: Limiter, hits: int) -> int:
    """How many of so many hits pass a limit of three."""
    replies = [limiter.hit(Limit("test", 3), "somebody") for _ in range(hits)]
    refusals = [reply for reply in await asyncio.gather(*replies, return_exceptions=True) if reply is not None]
    assert all(isinstance(refusal, LimitExceeded) for refusal in refusals), refusals
    return hits - len(refusals)


@pytest.mark.parametrize("make_broken", BROKEN)
@pytest.mark.parametrize("connected", [True, False], ids=["connected before", "connecting anew"])
async def test_a_store_that_cannot_serve_is_unavailable(make_broken: Break, connected: bool) -> None:
    with redis() as server:
        async with opened(server.url) as store:
            if connected:
                await store.put("k", "v", seconds=9)
            make_broken(server)
            start = time.monotonic()
            await is_unavailable(store)
            assert time.monotonic() - start < 4, "only the first call waits; the others fail at once"


async def test_a_store_that_runs_somebody_elses_endless_script_is_unavailable() -> None:
    with redis() as server, ExitStack() as stack, server.client() as client:
        client.config_set("lua-time-limit", 50)
        stack.enter_context(_endless_script(server))
        async with opened(server.url) as store:

            async def is_busy() -> bool:
                try:
                    await store.get("k")
                except StoreUnavailable as error:
                    return "BUSY" in error.message
                return False

            await until(is_busy, 10)
            await is_unavailable(store)


@contextmanager
def _endless_script(server: Redis) -> Iterator[None]:
    def run() -> None:
        with server.client() as client, pytest.raises(ResponseError, match="killed"):
            client.eval("while true do end", 0)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        with server.client() as client:
            client.script_kill()
        thread.join(10)


async def test_a_server_without_room_for_another_connection_is_unavailable() -> None:
    with redis() as server, server.client() as client:
        client.config_set("maxclients", 1)
        async with opened(server.url) as store:
            await is_unavailable(store)


@pytest.mark.parametrize(
    "reply", ["LOADING Redis is loading the dataset in memory", "ERR max number of clients reached"]
)
async def test_a_server_that_only_says_no_is_unavailable(reply: str) -> None:
    """Loading takes no time worth waiting for in a test; so this server says it by itself."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while commands := await reader.read(65536):
            writer.write(f"-{reply}\r\n".encode() * len(re.findall(rb"(?:^|\r\n)\*\d", commands)))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with opened(f"redis://127.0.0.1:{port}") as store:
        await is_unavailable(store)
        with pytest.raises(StoreUnavailable):
            await store.ping()
        with pytest.raises(StoreUnavailable):
            await store.read_group("s", "g", "c", count=1, block_ms=10)
    server.close()


async def test_a_reader_of_a_frozen_store_gives_up() -> None:
    with redis() as server:
        async with opened(server.url) as store:
            await store.read_group("{s}", "g", "c", count=1, block_ms=10)
            await store.read_group("{s}", "g", "c", count=1, block_ms=10)
            os.kill(server.pid, signal.SIGSTOP)
            start = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await store.read_group("{s}", "g", "c", count=1, block_ms=200)
            assert 2 < time.monotonic() - start < 5
            os.kill(server.pid, signal.SIGCONT)

            async def hears() -> bool:
                """What is added before the server notices that the first reader is gone goes to that one."""
                await store.append("{s}", {"n": "1"})
                return bool(await store.read_group("{s}", "g", "c", count=1, block_ms=100))

            await until(hears, 10)


async def test_a_mistake_of_ours_is_not_taken_for_an_absent_store(store: Store) -> None:
    await store.append("{k}", {"n": "1"})

    with pytest.raises(Exception, match="WRONGTYPE"):
        await store.get("{k}")
