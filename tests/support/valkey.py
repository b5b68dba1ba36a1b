"""A private Redis or Valkey, alone or as a cluster whose slots can be moved."""

import contextlib
import shutil
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from redis import Redis as Client

from support.binaries import REDIS, find
from support.deadlines import wait_until
from support.lifecycle import HOST, Server, running
from support.processes import User, free_port

SLOTS = 16384
LOG_FOLDER, KEPT = "appendonlydir", "kept"
CLUSTER_SECONDS = 60.0
NODE_TIMEOUT_MS = 15_000


class Redis(Server):
    """A Redis or Valkey server on a TCP port and on a unix socket."""

    name = "Redis"

    def __init__(self, folder: Path, binary: Path | None, *, cluster: bool, durable: bool) -> None:
        """Prepare a server in `folder`; `cluster` turns the cluster's rules on."""
        super().__init__(folder, User())
        self._binary = binary or find(REDIS)
        self._cluster = cluster
        self._durable = durable
        self.node_timeout_ms = NODE_TIMEOUT_MS
        self.bus_port = free_port()
        self.socket = folder / "s"

    @property
    def url(self) -> str:
        """The address over TCP."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def store_url(self) -> str:
        """The address for Hutong."""
        return self.url

    @property
    def unix_url(self) -> str:
        """The address over the unix socket."""
        return f"unix://{self.socket}?db=0"

    def client(self) -> Client:
        """Return a new blocking client of this one server; close it, or use it as a context manager."""
        return Client(unix_socket_path=str(self.socket))

    def flush(self) -> None:
        """Remove every key."""
        with self.client() as client:
            client.flushall()

    def keep_a_copy(self) -> None:
        """Put aside what the disk holds now, stopping for it; the server has to be a durable one."""
        self.stop()
        shutil.rmtree(self.folder / KEPT, ignore_errors=True)
        shutil.copytree(self.folder / LOG_FOLDER, self.folder / KEPT)
        self.start()

    def come_back_older(self) -> None:
        """Crash, and come back as the copy has it: what was written since is lost."""
        self.kill()
        shutil.rmtree(self.folder / LOG_FOLDER)
        shutil.move(self.folder / KEPT, self.folder / LOG_FOLDER)
        self.start()

    def restart(self) -> None:
        """Restart; a node of a cluster is back once it calls the cluster whole."""
        super().restart()
        if self._cluster:
            wait_until(self.is_in_whole_cluster, CLUSTER_SECONDS, every=0.02, what="the node is back in its cluster")

    def is_in_whole_cluster(self, nodes: int = 1) -> bool:
        """Tell whether this node knows at least so many nodes and who serves each slot."""
        with self.client() as client:
            answer = client.execute_command("CLUSTER INFO")
        return bool(answer["cluster_state"] == "ok" and int(answer["cluster_known_nodes"]) >= nodes)

    def _command(self) -> Sequence[str | Path]:
        words = ["--port", str(self.port), "--bind", HOST, "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        words += ["--dir", str(self.folder), "--daemonize", "no", "--save", "", "--appendonly", "yes"]
        words += ["--appendfsync", "always" if self._durable else "no"]
        if self._cluster:
            words += ["--cluster-enabled", "yes", "--cluster-port", str(self.bus_port)]
            # Also how long an introduction may take before it is forgotten; a busy machine needs the time.
            words += ["--cluster-node-timeout", str(self.node_timeout_ms)]
            words += ["--repl-diskless-sync-delay", "0"]  # a second replica to share the transfer never comes
        return [self._binary, *words]

    def _is_ready(self) -> bool:
        """Ask by hand: a server that still loads its data accepts connections and answers -LOADING."""
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1.0) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
        return False


class RedisCluster:
    """Some masters that share the slots, and replicas of the first of them."""

    def __init__(self, nodes: Sequence[Redis], replicas: Sequence[Redis] = ()) -> None:
        """Join started nodes."""
        self.nodes = tuple(nodes)
        self.replicas = tuple(replicas)

    @property
    def url(self) -> str:
        """The address of the first node; a cluster client finds the others."""
        return self.nodes[0].url

    @property
    def store_url(self) -> str:
        """The address for Hutong."""
        return f"redis+cluster://{','.join(f'{HOST}:{node.port}' for node in self.nodes)}"

    def join(self, node_timeout_ms: int) -> None:
        """Share out the slots, introduce the nodes to each other, and wait until each calls the cluster whole."""
        share = SLOTS / len(self.nodes)
        for number, node in enumerate(self.nodes):
            with node.client() as client:
                client.execute_command("CLUSTER ADDSLOTSRANGE", round(number * share), round((number + 1) * share) - 1)
        first = self.nodes[0]
        for node in self._all:
            with node.client() as client:
                client.execute_command("CLUSTER MEET", HOST, first.port, first.bus_port)
        wait_until(self.is_whole, CLUSTER_SECONDS, every=0.02, what="every node calls the cluster whole")
        for node in self._all:
            node.node_timeout_ms = node_timeout_ms
            with node.client() as client:
                client.config_set("cluster-node-timeout", node_timeout_ms)
        for master, replica in zip(self.nodes, self.replicas, strict=False):
            self._replicate(master, replica)

    def is_whole(self) -> bool:
        """Tell whether every node knows every other and who serves each slot."""
        return all(node.is_in_whole_cluster(len(self._all)) for node in self._all)

    def flush(self) -> None:
        """Remove every key of every master."""
        for node in self.nodes:
            node.flush()

    def owner(self, slot: int) -> Redis:
        """The node that serves a slot, as the first node that runs knows."""
        for asked in self._all:
            with contextlib.suppress(ConnectionError, FileNotFoundError), asked.client() as client:
                for first, last, master, *_ in client.execute_command("CLUSTER SLOTS"):
                    if first <= slot <= last:
                        return next(node for node in self._all if node.port == master[1])
        raise LookupError(f"nobody serves slot {slot}")

    def open_slot(self, slot: int, source: Redis, target: Redis) -> None:
        """Begin to move a slot: its missing keys are asked for at `target`."""
        with source.client() as giving, target.client() as taking:
            taking.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", self._id(source))
            giving.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", self._id(target))

    def move_key(self, slot: int, source: Redis, target: Redis) -> bool:
        """Move one of the slot's keys; False when none was left."""
        with source.client() as client:
            keys = client.execute_command("CLUSTER GETKEYSINSLOT", slot, 1)
            if keys:
                client.execute_command("MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", *keys)
            return bool(keys)

    def give_slot(self, slot: int, source: Redis, target: Redis) -> None:
        """End the move of a slot without keys: `target` serves it from now on."""
        owner = self._id(target)
        for node in (target, source, *self.nodes):
            with node.client() as client:
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", owner)

    def move_slot(self, slot: int, source: Redis, target: Redis) -> None:
        """Move a slot with its keys, one by one, as `redis-cli --cluster reshard` does."""
        self.open_slot(slot, source, target)
        while self.move_key(slot, source, target):
            pass
        self.give_slot(slot, source, target)

    def take_back(self, old: Redis, heir: Redis) -> None:
        """Let a master that came back as a replica of its heir take over from it."""
        with old.client() as client:
            wait_until(
                lambda: client.info("replication").get("master_link_status") == "up", CLUSTER_SECONDS, what="it follows"
            )
            # Without a vote: the others do not give a second one so soon after the last.
            client.execute_command("CLUSTER FAILOVER TAKEOVER")
            wait_until(lambda: client.info("replication")["role"] == "master", CLUSTER_SECONDS, what="it leads again")

    @property
    def _all(self) -> Sequence[Redis]:
        return (*self.nodes, *self.replicas)

    @staticmethod
    def _id(node: Redis) -> str:
        with node.client() as client:
            return str(client.execute_command("CLUSTER MYID").decode())

    def _replicate(self, master: Redis, replica: Redis) -> None:
        with replica.client() as client:
            client.execute_command("CLUSTER REPLICATE", self._id(master))

            def follows() -> bool:
                return bool(client.info("replication").get("master_link_status") == "up")

            wait_until(follows, CLUSTER_SECONDS, every=0.02, what="the replica follows its master")


@contextlib.contextmanager
def redis(*, binary: Path | None = None, cluster: bool = False, durable: bool = False) -> Iterator[Redis]:
    """Start a private Redis; with `cluster` it is a cluster of one, which refuses commands across slots."""

    def make(folder: Path) -> Redis:
        return Redis(folder, binary, cluster=cluster, durable=durable)

    with running("redis", User(), make) as server:
        if cluster:
            RedisCluster([server]).join(NODE_TIMEOUT_MS)
        yield server


@contextlib.contextmanager
def redis_cluster(
    masters: int = 3, replicas: int = 0, *, node_timeout_ms: int = NODE_TIMEOUT_MS, binary: Path | None = None
) -> Iterator[RedisCluster]:
    """Start a cluster; the first `replicas` masters have a replica each, which takes over after `node_timeout_ms`."""

    def make(folder: Path) -> Redis:
        return Redis(folder, binary, cluster=True, durable=False)

    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(running("redis", User(), make)) for _ in range(masters + replicas)]
        cluster = RedisCluster(nodes[:masters], nodes[masters:])
        cluster.join(node_timeout_ms)
        yield cluster
