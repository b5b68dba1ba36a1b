"""An installation under fire: `hutong up` with one more API process and one more worker, behind a balancer.

The second ones are there so that somebody can take over, and, after a pause, be in each other's way.
"""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from aiohttp import ClientError
from sqlalchemy import Connection, select

from faults.places import Place, database_place, environment, paused, store_place
from faults.vendor import Vendor, vendor_open
from faults.wire import Wire, wired
from hutong.host.settings import load_settings
from hutong.host.wiring import Host
from hutong.kernel.db import utc_now
from hutong.kernel.jobs.tables import machine_leases
from hutong.kernel.store.embedded import find_binary
from hutong.kit.errors import HutongError
from support.installation import Installation
from support.processes import free_port
from support.stand import until

NEVER = "100000000"
GENERATION_SECONDS = 15.0
"""A generation that hangs is given up so soon here, so that a run need not wait half an hour for each."""
UNDER_FIRE: Mapping[str, str] = {
    "HUTONG_JOBS__SWEEP_SECONDS": "0.25",
    "HUTONG_EMOJI__POLL_SECONDS": "0.3",
    "HUTONG_EMOJI__GENERATION_SECONDS": str(GENERATION_SECONDS),
    "HUTONG_EMOJI__BLOCKED_PAUSE_SECONDS": "1",
    "HUTONG_DASHSCOPE__IN_FLIGHT": "6",
    "HUTONG_DASHSCOPE__LARGEST_VIDEO": "65536",
    "HUTONG_DASHSCOPE__TIMEOUT": "4",
    "HUTONG_LIMITS__ENABLED": "true",
    **{f"HUTONG_LIMITS__{name}_PER_MINUTE": NEVER for name in ("IP", "USER")},
    **{f"HUTONG_EMOJI__{name}_PER_MINUTE": NEVER for name in ("LOGIN", "UPLOAD", "DETECT", "CREATE")},
}
KINDS = {"api": "serve", "worker": "worker"}
WRAPPER = """#!/bin/sh
# The embedded store, which cannot be started while the file "down" lies beside it.
[ -e "$0.down" ] && exit 1
exec {binary} "$@"
"""


@dataclass(frozen=True)
class Disruption:
    """When something was out of order; seconds since 1970, as the vendor's records have them."""

    kind: str
    begun: float
    ended: float


@dataclass
class Fleet:
    """Every process of the installation, and what it stands on."""

    installation: Installation
    host: Host
    vendor: Vendor
    database: Place
    store: Place
    balancer: Wire
    lease_seconds: float
    second_port: int
    supervisor: "subprocess.Popen[bytes] | None" = None
    extra: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    disruptions: list[Disruption] = field(default_factory=list)
    keeping: bool = False

    @property
    def base(self) -> str:
        """Where clients go."""
        return f"http://127.0.0.1:{self.balancer.port}"

    def now(self) -> float:
        """Seconds since 1970."""
        return self.host.kernel.clock.now().timestamp()

    # -- starting, keeping, stopping --------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the supervisor unless it runs: it ends by itself when the database is away while it starts."""
        if self.supervisor is None or self.supervisor.poll() is not None:
            self._forget_ended()
            self.supervisor = self.installation.up()

    def _forget_ended(self) -> None:
        self.installation.processes = [own for own in self.installation.processes if own.poll() is None]

    async def ready(self, seconds: float = 60.0) -> None:
        """Wait until every process is there and each API process says that all works."""

        async def answers() -> bool:
            with suppress(Exception):
                return self._complete() and all([await self._is_well(port) for port in self.api_ports])
            return False

        try:
            await until(answers, seconds)
        except AssertionError as error:
            told = [await self._told(port) for port in self.api_ports]
            there = {kind: len(self.running(kind)) for kind in ("api", "worker")}
            raise AssertionError(
                f"the fleet is not ready: {error}\n{told} {there}\n{self.installation.log()}"
            ) from error

    @property
    def api_ports(self) -> tuple[int, int]:
        """Where the two API processes are, past the balancer."""
        return self.installation.port, self.second_port

    async def _is_well(self, port: int) -> bool:
        async with self.vendor.client.get(f"http://127.0.0.1:{port}/readyz") as answer:
            parts = (await answer.json())["components"].values()
        return all(part["status"] == "up" for part in parts)

    async def _told(self, port: int) -> str:
        """What an API process says of itself, for whoever wonders."""
        try:
            async with asyncio.timeout(5), self.vendor.client.get(f"http://127.0.0.1:{port}/readyz") as answer:
                return await answer.text()
        except (OSError, TimeoutError, ClientError) as error:
            return repr(error)

    def _complete(self) -> bool:
        return all(len(self.running(kind)) == 2 for kind in ("api", "worker"))

    async def keep(self) -> None:
        """Start again whatever ended, as a machine's service manager does, until cancelled."""
        self.keeping = True
        try:
            while True:
                if self.keeping:
                    self._keep_once()
                await asyncio.sleep(0.2)
        finally:
            self.keeping = False

    def _keep_once(self) -> None:
        self.start()
        if not (self.installation.data / "up.lock").exists():
            return  # the first start makes the schema
        commands = {"serve": ("serve", "--port", str(self.second_port)), "worker": ("worker",)}
        for name, command in commands.items():
            process = self.extra.get(name)
            if process is None or process.poll() is not None:
                self._forget_ended()
                self.extra[name] = self.installation.start(*command)

    def running(self, kind: str) -> list[psutil.Process]:
        """The processes of a kind (`api`, `worker`, `store`), whoever started them."""
        own = [psutil.Process(process.pid) for process in self.extra.values() if process.poll() is None]
        found = []
        for process in {*own, *self.installation.children()}:
            with suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and _is(process, kind):
                    found.append(process)
        return sorted(found, key=lambda process: process.pid)

    async def at_work(self, processes: list[psutil.Process]) -> list[psutil.Process]:
        """Those of them that have taken a machine number, the first thing that they do; all while nobody can say."""
        try:
            holders = await self.host.kernel.db.read(_holders)
        except HutongError:
            return processes
        return [process for process in processes if any(f":{process.pid}:" in holder for holder in holders)]

    def power_loss(self) -> None:
        """Every process ends at the same moment, without a word."""
        self.installation.kill()
        self.extra.clear()

    async def pause(self, processes: list[psutil.Process], kind: str, seconds: float) -> None:
        """Freeze processes for so long."""
        begun = self.now()
        await paused(processes, seconds)
        self.disrupted(kind, begun)

    def disrupted(self, kind: str, begun: float, settled: float = 2.0) -> None:
        """Note that something was out of order from `begun` until `settled` seconds from now."""
        self.disruptions.append(Disruption(kind, begun, self.now() + settled))

    @property
    def store_off(self) -> Path:
        """While this file is there, the embedded store cannot be started."""
        return self.installation.data / "store.sh.down"


def _holders(conn: Connection) -> Sequence[str]:
    return conn.execute(select(machine_leases.c.holder).where(machine_leases.c.expires_at > utc_now())).scalars().all()


def _is(process: psutil.Process, kind: str) -> bool:
    if kind == "store":  # it rewrites its command line
        return process.name() in {"valkey-server", "redis-server"}
    words = process.cmdline()[:12]
    return "hutong" in words and KINDS[kind] in words and "up" not in words


def _environment(fleet_port: int, vendor: Vendor, data: Path, lease: float) -> Mapping[str, str]:
    return {
        **UNDER_FIRE,
        "HUTONG_JOBS__LEASE_SECONDS": str(lease),
        "HUTONG_PUBLIC_URL": f"http://127.0.0.1:{fleet_port}",
        "HUTONG_DASHSCOPE__BASE_URL": vendor.url,
        "HUTONG_STORE_BINARY": str(data / "store.sh"),
    }


def _wrap_store(data: Path) -> None:
    data.mkdir(parents=True, exist_ok=True)
    script = data / "store.sh"
    script.write_text(WRAPPER.format(binary=find_binary()))
    script.chmod(0o755)


@asynccontextmanager
async def fleet_on(
    folder: Path,
    database: str,
    store: str,
    *,
    lease_seconds: float = 1.0,
    data: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Fleet]:
    """A started fleet.

    Args:
        folder: for everything; `data` is the installation's data folder, within it when left out.
        database, store: as in `places`.
        lease_seconds: after which a silent worker loses its jobs.
        settings: more environment of the processes.
    """
    data = data or folder / "data"
    async with AsyncExitStack() as stack:
        rows = await stack.enter_async_context(database_place(database))
        kept = await stack.enter_async_context(store_place(store))
        vendor = await stack.enter_async_context(vendor_open(folder / "vendor"))
        second = free_port()
        installation = Installation(data)
        balancer = await stack.enter_async_context(wired(lambda: [installation.port, second]))
        _wrap_store(data)
        common = _environment(balancer.port, vendor, data, lease_seconds)
        installation.environment = {**common, **environment(rows, kept), **(settings or {})}
        stack.push_async_callback(
            asyncio.to_thread, installation.stop
        )  # the wires, which are cut last, run in this loop
        host = Host(load_settings(env="test", data=data, database_url=rows.direct_url, store_url=kept.direct_url))
        fleet = Fleet(installation, host, vendor, rows, kept, balancer, lease_seconds, second)
        stack.push_async_callback(host.kernel.db.close)
        stack.push_async_callback(host.kernel.store.close)
        fleet.start()
        await _first_start(fleet)
        keeper = asyncio.create_task(fleet.keep())
        stack.push_async_callback(_end_of_keeping, keeper)
        await fleet.ready()
        yield fleet


async def _first_start(fleet: Fleet) -> None:
    """The schema is made by `up`; the others would refuse to start before."""
    end = time.monotonic() + 60
    while not fleet.running("api"):
        assert time.monotonic() < end, fleet.installation.log()
        await asyncio.sleep(0.1)


async def _end_of_keeping(keeper: "asyncio.Task[None]") -> None:
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)
