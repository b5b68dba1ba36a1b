"""A private Nginx with the configuration of production: deploy/nginx/hutong.conf, with ports and times of its own."""

import contextlib
import re
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from support.binaries import NGINX, find
from support.lifecycle import HOST, Server, running
from support.processes import User, ordinary_user

TEMPLATE = Path(__file__).parents[2] / "deploy/nginx/hutong.conf"
AROUND = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""


def rendered(port: int, upstreams: Sequence[int], replaced: Mapping[str, str]) -> str:
    """The site of production on another port, before other processes.

    Args:
        port: where it listens.
        upstreams: ports of the API processes.
        replaced: further lines, old to new; each must be there once.
    """
    servers = iter(upstreams)
    site = re.sub(r"server 127\.0\.0\.1:\d+ ", lambda _: f"server {HOST}:{next(servers)} ", TEMPLATE.read_text("utf-8"))
    assert next(servers, None) is None, "the template has fewer processes"
    for old, new in {"listen 80;": f"listen {HOST}:{port};", **replaced}.items():
        assert len(re.findall(rf"^\s*{re.escape(old)}", site, re.MULTILINE)) == 1, old
        site = re.sub(rf"^(\s*){re.escape(old)}", lambda found: found[1] + new, site, count=1, flags=re.MULTILINE)  # noqa: B023
    return site


class Nginx(Server):
    """An Nginx before API processes."""

    name = "Nginx"
    stopping = signal.SIGQUIT
    dying = signal.SIGTERM  # its workers would outlive a kill

    def __init__(self, folder: Path, user: User, upstreams: Sequence[int], replaced: Mapping[str, str]) -> None:
        super().__init__(folder, user)
        self._binary = find(NGINX)
        self._upstreams, self._replaced = upstreams, replaced

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def complaints(self) -> str:
        """What it logged, from warnings up."""
        path = self.folder / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _command(self) -> Sequence[str | Path]:
        site = rendered(self.port, self._upstreams, self._replaced)
        path = self.folder / "nginx.conf"
        path.write_text(AROUND.format(folder=self.folder, site=site))
        return [self._binary, "-p", self.folder, "-c", path]

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1.0):
            return True
        return False


@contextlib.contextmanager
def nginx(upstreams: Sequence[int], replaced: Mapping[str, str] | None = None) -> Iterator[Nginx]:
    """Start a private Nginx before API processes on these ports of loopback."""
    user = ordinary_user()
    with running("nginx", user, lambda folder: Nginx(folder, user, upstreams, replaced or {})) as server:
        yield server
