"""A private MariaDB."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from support.binaries import MARIADB, companion, find
from support.lifecycle import HOST, Server, running
from support.processes import User, ordinary_user, run

END = "-- the next table --"
GREETING = 10  # the protocol version, fifth byte of what a MariaDB that accepts clients says first


class MariaDB(Server):
    """A MariaDB whose `root` needs no password."""

    name = "MariaDB"

    def __init__(self, folder: Path, user: User, *, durable: bool) -> None:
        """Create the system tables in `folder`."""
        super().__init__(folder, user)
        self._durable = durable
        self._binary = find(MARIADB)
        self._client = companion(self._binary, "mariadb", "mysql")
        self._data = folder / "data"
        install = companion(self._binary, "mariadb-install-db", "mysql_install_db")
        words = ["--no-defaults", f"--datadir={self._data}", "--auth-root-authentication-method=normal"]
        words += ["--skip-test-db", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0"]
        run([install, *words], log=folder / "install.log", user=user)

    @property
    def url(self) -> str:
        """The address of the server, no database chosen."""
        return self.database_url("")

    def database_url(self, name: str) -> str:
        """Return the address of a database."""
        return f"mysql://root@{HOST}:{self.port}/{name}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of the tables and rows of `template` if given; return its address."""
        self.execute(f"CREATE DATABASE `{name}`")
        if template is not None:
            self.execute(self._copy(template), name)
        return self.database_url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected."""
        drop = f"SET lock_wait_timeout = 1; DROP DATABASE IF EXISTS `{name}`"
        try:
            self.execute(drop)
        except RuntimeError:  # a transaction that nobody ended holds its tables
            there = self.execute(f"SELECT id FROM information_schema.processlist WHERE db = '{name}'").split()
            self.execute("".join(f"KILL {number};" for number in there))
            self.execute(drop)

    def execute(self, statement: str, database: str = "") -> str:
        """Run a statement through the server's own client and return what it prints."""
        command: list[str | Path] = [self._client, "--no-defaults", "-N", "-B", "--raw", "-u", "root"]
        command += ["-h", HOST, "-P", str(self.port), database]
        done = subprocess.run(command, input=statement, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{statement}: {done.stderr.strip()}")
        return done.stdout.strip()

    def _copy(self, template: str) -> str:
        """Return the statements that rebuild a database's tables: MariaDB has no templates of its own."""
        collation, *tables = self.execute("SELECT @@collation_database; SHOW TABLES", template).splitlines()
        asked = "".join(f"SHOW CREATE TABLE `{table}`; SELECT '{END}';" for table in tables)
        definitions = [words.split("\t", 1)[1] for words in self.execute(asked, template).split(END) if words]
        first = [f"ALTER DATABASE COLLATE {collation}", "SET foreign_key_checks = 0", *definitions]
        rows = [f"INSERT INTO `{table}` SELECT * FROM `{template}`.`{table}`" for table in tables]
        return ";\n".join([*first, "START TRANSACTION", *rows, "COMMIT"])

    def _command(self) -> Sequence[str | Path]:
        # 2 hands every commit to the operating system and leaves the disk to it.
        flush = 1 if self._durable else 2
        words = [f"--datadir={self._data}", f"--socket={self.folder}/s", f"--pid-file={self.folder}/pid"]
        words += [f"--port={self.port}", f"--bind-address={HOST}", "--skip-log-bin", "--skip-name-resolve"]
        words += ["--character-set-server=utf8mb4", f"--innodb-flush-log-at-trx-commit={flush}"]
        words += [f"--innodb-doublewrite={int(self._durable)}", "--innodb-buffer-pool-size=64M"]
        return [self._binary, "--no-defaults", *words]

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1.0) as connection:
            greeting = connection.recv(5)
            return len(greeting) == 5 and greeting[4] == GREETING
        return False


@contextlib.contextmanager
def mariadb(*, durable: bool = False) -> Iterator[MariaDB]:
    """Start a private MariaDB."""
    user = ordinary_user()
    with running("my", user, lambda folder: MariaDB(folder, user, durable=durable)) as server:
        yield server
