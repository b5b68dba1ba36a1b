"""Private PostgreSQL, MariaDB and Redis servers for tests and benchmarks.

Each is a context manager that starts the machine's own binary on a free port of 127.0.0.1 in a temporary folder:

    with postgres() as server:
        url = server.create_database("orders")

By default nothing is synced to disk, for speed: what was acknowledged survives a killed server, not a power cut.
`durable=True` asks for the settings of production.
"""

from support.binaries import ServerMissing
from support.lifecycle import Server, StartFailed
from support.mariadb import MariaDB, mariadb
from support.postgresql import PostgreSQL, postgres
from support.valkey import Redis, RedisCluster, redis, redis_cluster

__all__ = [
    "MariaDB",
    "PostgreSQL",
    "Redis",
    "RedisCluster",
    "Server",
    "ServerMissing",
    "StartFailed",
    "mariadb",
    "postgres",
    "redis",
    "redis_cluster",
]
