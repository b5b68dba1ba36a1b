"""What one API process and one worker process do from start to end."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import uvicorn
from prometheus_client import start_http_server

from hutong.host.asgi import HostApp
from hutong.host.connections import BoundedConnection
from hutong.host.draining import DrainingServer
from hutong.host.settings import Settings
from hutong.host.web_sockets import BoundedSocket
from hutong.host.wiring import Host
from hutong.kernel.observability import logs

BACKLOG = 2048
COLLECT_AFTER = (20_000, 20, 20)
"""New objects, and young and middle collections, after which the next generation is looked through."""
KEEP_ALIVE_SECONDS = 75
"""How long an idle connection is kept; a load balancer in front must let go of its own earlier."""
WIRE: Mapping[str, Any] = {
    "http": BoundedConnection,
    "ws": BoundedSocket,
    "ws_max_size": 1024 * 1024,
    "ws_ping_interval": 20.0,
    "ws_ping_timeout": 20.0,
    "ws_per_message_deflate": False,  # tens of KiB for each socket, and small frames become no smaller
    "lifespan": "on",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,  # uvicorn would believe anybody on this machine; see kernel.http.addresses
    "timeout_keep_alive": KEEP_ALIVE_SECONDS,
}
"""How uvicorn speaks HTTP and WebSocket for an app of this host, in production and in tests."""


def serve(settings: Settings, apps: Sequence[str], host: str, port: int) -> None:
    """Serve the apps until SIGTERM or SIGINT, then drain (see `hutong.host.draining`).

    Args:
        settings: of this process.
        apps: names; one alone is served at `/`, none means all, each under its name.
        host, port: where to listen.

    Raises:
        OSError: the port is taken.
        HutongError: it cannot start, as when the database is away.
    """
    logs.configure(settings.log.level, settings.log.format, process="api")
    street = Host(settings, apps, alone=len(apps) == 1)
    with bound_socket(host, port) as listener:
        drain = int(settings.http.drain_seconds)
        app = HostApp(street)
        config = uvicorn.Config(app, loop="uvloop", backlog=BACKLOG, timeout_graceful_shutdown=drain, **WIRE)
        try:
            _Server(config, street.kernel.health, settings.http.notice_seconds).run(sockets=[listener])
        except SystemExit:  # all that uvicorn says about an app that does not start
            if app.failure is None:
                raise
    if app.failure is not None:
        raise app.failure


class _Server(DrainingServer):
    """The server of one API process, which spares the collector once everything is loaded."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        spare_the_collector()


def spare_the_collector() -> None:
    """Have the garbage collector look past what is loaded by now, and look less often.

    Requests leave hardly any cycles, but every full collection walks over all routes, models and modules: without this
    it takes a sixth of the processor time of a request (benchmarks/balance.py).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket with an address; made here so that a taken port is found before anything starts.

    It listens only once the app can answer: a load balancer that is refused takes the next server at once, while one
    that is let in would wait for the start.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def work(settings: Settings, apps: Sequence[str], metrics_port: int = 0, metrics_host: str = "127.0.0.1") -> None:
    """Run jobs until SIGTERM or SIGINT, then let running ones finish.

    Args:
        settings: of this process.
        apps: whose jobs; none means all.
        metrics_port: serves /metrics there when not 0.
        metrics_host: address that it serves them on.
    """
    logs.configure(settings.log.level, settings.log.format, process="worker")
    if metrics_port:
        start_http_server(metrics_port, addr=metrics_host)
    with contextlib.suppress(KeyboardInterrupt):
        _runner()(_work(settings, apps))


async def _work(settings: Settings, apps: Sequence[str]) -> None:
    host = Host(settings, apps)
    await host.start()
    worker = host.worker()
    spare_the_collector()
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
