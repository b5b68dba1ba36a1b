"""What one API process and one worker process do from start to end."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import uvicorn
from prometheus_client import start_http_server

from hutong.host.asgi import HostApp
from hutong.host.connections import BoundedConnection
from hutong.host.settings import Settings
from hutong.host.wiring import Host
from hutong.kernel.observability import logs
from hutong.kernel.observability.health import HealthRegistry

BACKLOG = 2048
WIRE: Mapping[str, Any] = {
    "http": BoundedConnection,
    "ws": "none",
    "lifespan": "on",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,  # uvicorn would believe any local client; kernel.http.addresses decides
    "timeout_keep_alive": 75,
}
"""How uvicorn speaks HTTP for an app of this host, in production and in tests."""


class _Server(uvicorn.Server):
    """uvicorn's server, which says that it drains before it stops taking connections."""

    def __init__(self, config: uvicorn.Config, health: HealthRegistry) -> None:
        super().__init__(config)
        self._health = health

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._health.draining = True
        super().handle_exit(sig, frame)


def serve(settings: Settings, apps: Sequence[str], host: str, port: int) -> None:
    """Serve the apps until SIGTERM or SIGINT, then let running requests finish.

    Args:
        settings: of this process.
        apps: names; one alone is served at `/`, none means all, each under its name.
        host, port: where to listen.

    Raises:
        OSError: the port is taken.
    """
    logs.configure(settings.log.level, settings.log.format, process="api")
    street = Host(settings, apps, alone=len(apps) == 1)
    with listening_socket(host, port) as listener:
        drain = int(settings.http.drain_seconds)
        config = uvicorn.Config(HostApp(street), loop="uvloop", timeout_graceful_shutdown=drain, **WIRE)
        _Server(config, street.kernel.health).run(sockets=[listener])


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens; made here so that a taken port is found before anything starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(BACKLOG)
    return listener


def work(settings: Settings, apps: Sequence[str], metrics_port: int = 0) -> None:
    """Run jobs until SIGTERM or SIGINT, then let running ones finish.

    Args:
        settings: of this process.
        apps: whose jobs; none means all.
        metrics_port: serves /metrics there when not 0.
    """
    logs.configure(settings.log.level, settings.log.format, process="worker")
    if metrics_port:
        start_http_server(metrics_port, addr="127.0.0.1")
    with contextlib.suppress(KeyboardInterrupt):
        _runner()(_work(settings, apps))


async def _work(settings: Settings, apps: Sequence[str]) -> None:
    host = Host(settings, apps)
    await host.start()
    worker = host.worker()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    try:
        await worker.run()
    finally:
        await host.stop()


def _runner() -> Any:
    import uvloop

    return uvloop.run
