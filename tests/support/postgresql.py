"""A private PostgreSQL."""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from support.binaries import POSTGRESQL, companion, find
from support.deadlines import wait_until
from support.lifecycle import HOST, START_SECONDS, Server, StartFailed, running
from support.processes import User, ordinary_user, run

LOCALE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
FILE_COPY_SINCE = 15


class PostgreSQL(Server):
    """A PostgreSQL cluster whose superuser `postgres` needs no password."""

    name = "PostgreSQL"
    stopping = signal.SIGINT  # "fast": end the sessions, then stop
    dying = signal.SIGQUIT  # "immediate": as a crash, but the server removes its shared memory

    def __init__(self, folder: Path, user: User, *, durable: bool) -> None:
        """Create the cluster in `folder`."""
        super().__init__(folder, user)
        self._durable = durable
        self._binary = find(POSTGRESQL)
        self._psql = companion(self._binary, "psql")
        self._data = folder / "data"
        # Small WAL segments: a cluster costs 1 MB of disk for them instead of 16.
        words = ["-U", "postgres", "-A", "trust", "-E", "UTF8", f"--locale={LOCALE}", "--wal-segsize=1", "--no-sync"]
        run([companion(self._binary, "initdb"), "-D", self._data, *words], log=folder / "initdb.log", user=user)

    @property
    def url(self) -> str:
        """The address of the database `postgres`."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """Return the address of a database."""
        return f"postgresql://postgres@{HOST}:{self.port}/{name}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of `template` if given (nobody may be connected to that); return its address."""
        statement = f'CREATE DATABASE "{name}"'
        if template is not None:
            statement += f' TEMPLATE "{template}"'
            if self.version >= FILE_COPY_SINCE:
                statement += " STRATEGY file_copy"
        self.execute(statement)
        return self.database_url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Run a statement through psql and return what it prints."""
        command: list[str | Path] = [self._psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        command += ["-h", HOST, "-p", str(self.port), "-U", "postgres", database]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{statement}: {done.stderr.strip()}")
        return done.stdout.strip()

    @property
    def version(self) -> int:
        """The major version."""
        found = re.match(r"\d+", (self._data / "PG_VERSION").read_text())
        return int(found.group()) if found else 0

    def start(self) -> None:
        """Start the server; after a crash, try again until the last processes of the old one are gone."""
        wait_until(self._start, START_SECONDS, what="the crashed server's shared memory is free")

    def _start(self) -> bool:
        try:
            super().start()
        except StartFailed as failure:
            if "pre-existing shared memory" not in str(failure):
                raise
            (self.folder / "log").write_text("")  # else the next failure would be read as this one
            return False
        return True

    def _command(self) -> Sequence[str | Path]:
        settings = [f"listen_addresses={HOST}", f"unix_socket_directories={self.folder}", "max_connections=200"]
        # A crash leaves shared memory behind; as a file it goes with the folder.
        settings.append("dynamic_shared_memory_type=mmap")
        if not self._durable:
            settings += ["fsync=off", "full_page_writes=off"]
        flags = [word for setting in settings for word in ("-c", setting)]
        return [self._binary, "-D", self._data, "-p", str(self.port), *flags]

    def _is_ready(self) -> bool:
        """Read the status that the server keeps on line 8 of its pid file, under the pid on line 1."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"
        return False


@contextlib.contextmanager
def postgres(*, durable: bool = False) -> Iterator[PostgreSQL]:
    """Start a private PostgreSQL."""
    user = ordinary_user()
    with running("pg", user, lambda folder: PostgreSQL(folder, user, durable=durable)) as server:
        yield server
