"""The store on a cluster of three masters, one of them with a replica: moved slots, lost masters, passwords."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count

import pytest

from hutong.kernel.http.limits import HIT
from hutong.kernel.observability import metrics
from hutong.kernel.store import Store, StoreUnavailable
from hutong.kernel.store.cluster import slot_of
from support.servers import Redis, RedisCluster, redis, redis_cluster
from support.stand import until

STREAM = "{bell}"
TAGS = [f"{{{number}}}" for number in range(60)]
pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with redis_cluster(masters=3, replicas=1, node_timeout_ms=1000) as started:
        yield started


@pytest.fixture
async def store(cluster: RedisCluster) -> AsyncIterator[Store]:
    opened = Store(cluster.store_url)
    await opened.ping()
    yield opened
    await opened.close()


def tag_at(cluster: RedisCluster, node: Redis) -> str:
    """A tag whose slot this master serves."""
    for tag in TAGS:
        if cluster.owner(slot_of(tag.encode())) is node:
            return tag
    raise LookupError(node.port)


async def is_well(store: Store) -> bool:
    try:
        await store.ping()
        for tag in TAGS:
            await store.put(f"{tag}:well", "yes", seconds=60)
    except StoreUnavailable:
        return False
    return True


async def test_every_node_learns_a_script(store: Store, cluster: RedisCluster) -> None:
    """A hash is known to those nodes that were sent the source; each gets it when it says that it does not know."""
    for node in cluster.nodes:
        with node.client() as client:
            client.script_flush()

    hits = await asyncio.gather(*(store.run(HIT, [f"{tag}:now", f"{tag}:then"], [60_000]) for tag in TAGS))

    assert hits == [[1, 0]] * len(TAGS)
    for node in cluster.nodes:
        with node.client() as client:
            assert client.script_exists(HIT.sha) == [True]


class Traffic:
    """Calls on keys of one slot: scripts with two keys, values, and a stream with a reader."""

    def __init__(self, store: Store, tag: str) -> None:
        self.store, self.tag = store, tag
        self.stopping = asyncio.Event()
        self.rung = 0
        self.heard: set[int] = set()

    async def hit(self) -> None:
        for number in count():
            await self.store.run(HIT, [f"{self.tag}:hits", f"{self.tag}:hits:{number % 3}"], [600_000])
            await self.store.put(f"{self.tag}:v:{number % 7}", str(number), seconds=600)
            assert await self.store.get(f"{self.tag}:v:{number % 7}") is not None
            if self.stopping.is_set():
                return

    async def ring(self) -> None:
        for number in count():
            await self.store.append(f"{self.tag}:bell", {"n": str(number)})
            self.rung = number + 1
            await asyncio.sleep(0.002)
            if self.stopping.is_set():
                return

    async def listen(self) -> None:
        while not self.stopping.is_set() or len(self.heard) < self.rung:
            entries = await self.store.read_group(f"{self.tag}:bell", "g", "c", count=100, block_ms=100)
            self.heard.update(int(fields[b"n"]) for _, fields in entries)
            await self.store.finish(f"{self.tag}:bell", "g", [entry for entry, _ in entries])


async def test_slots_move_under_traffic_without_a_failed_call(store: Store, cluster: RedisCluster) -> None:
    """Its keys leave a slot one by one, to each of the masters and back."""
    traffic = Traffic(store, tag_at(cluster, cluster.nodes[1]))
    slot = slot_of(traffic.tag.encode())
    failures = _failures()
    for number in range(12):  # a call with keys on both sides is tried again for a second and a half
        await store.put(f"{traffic.tag}:filler:{number}", "x", seconds=600)

    async def move() -> None:
        for source, target in ((1, 2), (2, 0), (0, 1)):
            await asyncio.to_thread(cluster.move_slot, slot, cluster.nodes[source], cluster.nodes[target])
        traffic.stopping.set()

    async with asyncio.timeout(40), asyncio.TaskGroup() as group:
        for work in (traffic.hit, traffic.hit, traffic.hit, traffic.ring, traffic.listen, move):
            group.create_task(work())

    assert _failures() == failures
    assert traffic.heard == set(range(traffic.rung))
    assert cluster.owner(slot) is cluster.nodes[1]


def _failures() -> float:
    return sum(sample.value for metric in metrics.store_failures.collect() for sample in metric.samples)


async def test_a_lost_master_without_a_replica_takes_its_keys_along_and_brings_them_back(
    store: Store, cluster: RedisCluster
) -> None:
    node = cluster.nodes[2]
    tag = tag_at(cluster, node)
    await store.put(f"{tag}:kept", "yes", seconds=600)
    node.kill()

    with pytest.raises(StoreUnavailable):
        await store.get(f"{tag}:kept")
    with pytest.raises(StoreUnavailable):
        await store.ping()
    with pytest.raises(StoreUnavailable):
        await store.read_group(f"{tag}:s", "g", "c", count=1, block_ms=10)

    await until(lambda: _refuses(store, tag_at(cluster, cluster.nodes[1])), 15)  # the others refuse everything by then
    await asyncio.to_thread(node.restart)
    await until(lambda: is_well(store), 15)
    assert await store.get(f"{tag}:kept") == b"yes"


async def _refuses(store: Store, tag: str) -> bool:
    try:
        await store.get(tag)
    except StoreUnavailable as error:
        return "CLUSTERDOWN" in error.message
    return False


async def test_a_frozen_master_costs_one_wait_and_the_others_serve(store: Store, cluster: RedisCluster) -> None:
    """Shorter than the cluster needs to call it lost."""
    node = cluster.nodes[1]
    gone, here = tag_at(cluster, node), tag_at(cluster, cluster.nodes[0])
    with node.client() as client:
        client.config_set("cluster-node-timeout", 60_000)
    os.kill(node.pid, signal.SIGSTOP)
    try:
        answer = asyncio.create_task(store.get(gone))
        await store.put(f"{here}:k", "v", seconds=60)
        start = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await answer
        with pytest.raises(StoreUnavailable):
            await store.get(gone)
        assert time.monotonic() - start < 3
    finally:
        os.kill(node.pid, signal.SIGCONT)
        with node.client() as client:
            client.config_set("cluster-node-timeout", cluster.nodes[0].node_timeout_ms)
    await until(lambda: is_well(store), 15)


async def test_a_replica_takes_over_from_a_lost_master(store: Store, cluster: RedisCluster) -> None:
    """Calls for its keys fail until then; nothing has to be restarted, and the old master may come back as a replica."""
    lost, heir = cluster.nodes[0], cluster.replicas[0]
    tag = tag_at(cluster, lost)
    reading = asyncio.create_task(store.read_group(f"{tag}:bell", "g", "c", count=1, block_ms=500))
    await reading
    lost.kill()
    try:
        await until(lambda: is_well(store), 20)
        with heir.client() as client:
            assert client.info("replication")["role"] == "master"
        await store.append(f"{tag}:bell", {"n": "1"})

        async def hears() -> bool:
            return bool(await store.read_group(f"{tag}:bell", "g", "c", count=1, block_ms=100))

        await until(hears, 10)
    finally:
        await asyncio.to_thread(lost.restart)
    await until(lambda: is_well(store), 15)
    await asyncio.to_thread(cluster.take_back, lost, heir)
    await until(lambda: is_well(store), 15)


async def test_a_node_of_a_cluster_is_not_taken_for_a_single_server(cluster: RedisCluster) -> None:
    opened = Store(cluster.nodes[0].url)
    with pytest.raises(StoreUnavailable, match=r"redis\+cluster://"):
        await opened.get(tag_at(cluster, cluster.nodes[1]))
    await opened.close()


async def test_a_single_server_is_not_taken_for_a_cluster() -> None:
    with redis() as server:
        opened = Store(server.url.replace("redis://", "redis+cluster://").removesuffix("/0"))
        for ask in (opened.ping, lambda: opened.get("k")):
            await _is_unavailable(ask)
        await opened.close()


async def test_every_node_is_given_the_password() -> None:
    with redis(cluster=True) as server:
        with server.client() as client:
            data, cluster = "+@read +@write +@stream +@scripting +ping", "+asking +cluster|slots +cluster|info"
            client.execute_command(f"ACL SETUSER hutong on >p@ss ~* {data} {cluster}")
            client.execute_command("ACL SETUSER default off")
        hosts = f"127.0.0.1:{server.port}"
        known, unknown = Store(f"redis+cluster://hutong:p%40ss@{hosts}"), Store(f"redis+cluster://hutong:x@{hosts}")
        assert await known.run(HIT, ["{k}:1", "{k}:2"], [1000]) == [1, 0]
        assert await known.read_group(STREAM, "g", "c", count=1, block_ms=1) == []
        await known.ping()
        await _is_unavailable(unknown.ping)
        await known.close()
        await unknown.close()


async def test_a_cluster_whose_first_nodes_are_away_is_found_through_the_others(cluster: RedisCluster) -> None:
    nodes = cluster.store_url.removeprefix("redis+cluster://")
    opened = Store(f"redis+cluster://127.0.0.1:1,{nodes.rpartition(',')[2]}")
    assert await is_well(opened)
    await opened.close()


async def test_a_cluster_that_is_gone_fails_at_once() -> None:
    opened = Store("redis+cluster://127.0.0.1:1,127.0.0.1:2")
    start = time.monotonic()
    for _ in range(50):
        await _is_unavailable(lambda: opened.get("k"))
    assert time.monotonic() - start < 1
    await opened.close()


async def _is_unavailable(ask: Callable[[], Awaitable[object]]) -> None:
    with pytest.raises(StoreUnavailable):
        await ask()
