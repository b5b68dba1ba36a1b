"""What a benchmark ran on: processor, system, versions. No names and no paths, so that it may be published."""

import os
import platform
import re
import sqlite3
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from support.binaries import MARIADB, POSTGRESQL, REDIS, Product, ServerMissing, find

PACKAGES = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "pydantic", "sqlalchemy", "asyncpg", "asyncmy")
MORE_PACKAGES = ("redis", "hiredis", "aiohttp", "orjson")
SERVERS = {"PostgreSQL": POSTGRESQL, "MariaDB": MARIADB, "Redis": REDIS}


def described() -> Mapping[str, str]:
    """Machine and versions, by what they are."""
    packages = ", ".join(f"{name} {version(name)}" for name in (*PACKAGES, *MORE_PACKAGES))
    servers = ", ".join(f"{name} {_version(product)}" for name, product in SERVERS.items())
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores, {_memory()}",
        "system": f"{_system()}, {platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        "packages": packages,
        "servers": f"{servers}, SQLite {sqlite3.sqlite_version}",
    }


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform(terse=True)


def _version(product: Product) -> str:
    """The first number that the server's program says of itself."""
    try:
        said = subprocess.run([find(product), "--version"], capture_output=True, text=True, check=False).stdout
    except ServerMissing:
        return "missing"
    found = re.search(r"\d+(\.\d+)+", said)
    return found[0] if found else "?"
