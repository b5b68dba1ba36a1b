"""Accounts of one realm on a real database and store, with a clock that tests move, and the mails that would be sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.engine import Engine

from hutong.host.settings import load_settings
from hutong.host.wiring import Host
from hutong.kernel.assembly import Kernel
from hutong.kernel.audit import list_events
from hutong.kernel.db import Database
from hutong.kernel.http.languages import Language
from hutong.kernel.identity import Accounts, CodePurpose, RealmPolicy, Registration, SignedIn, TokenRealm
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.emails import normalise_email
from hutong.kernel.identity.notices import LockNotices
from hutong.kernel.identity.passwords import Passwords, Verdict
from hutong.kernel.identity.sessions import SessionPolicy, Sessions, TokenPair
from hutong.kernel.mail.service import SEND, Letter
from hutong.kernel.settings import SigningKey
from hutong.kit.clock import ManualClock

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
REALM = "storefront"
GOOD = "a sea of 7 lanterns"
OTHER = "quiet bamboo at 4 o'clock"


class CountedPasswords(Passwords):
    """The real hashing threads, and how many verifications were asked of them; the next one can be held after its end."""

    verified = 0
    hold: asyncio.Event | None = None

    async def verify(self, password: str, stored: str | None) -> Verdict:
        self.verified += 1
        hold, self.hold = self.hold, None
        verdict = await super().verify(password, stored)
        if hold is not None:
            await hold.wait()
        return verdict


class HeldSessions(Sessions):
    """The real sessions; the next one to open can be held before it does."""

    hold: asyncio.Event | None = None

    async def open(self, user_id: int, client: Client) -> TokenPair:
        hold, self.hold = self.hold, None
        if hold is not None:
            await hold.wait()
        return await super().open(user_id, client)


@dataclass
class Desk:
    """Where a realm's accounts are looked after. Move its clock by `step`: the machine number is leased by spans."""

    accounts: Accounts
    sessions: HeldSessions
    kernel: Kernel
    clock: ManualClock
    passwords: CountedPasswords
    welcomed: list[int] = field(default_factory=list)

    @property
    def db(self) -> Database:
        return self.kernel.db

    async def open(self, email: str = "li@example.com", password: str = GOOD) -> int:
        """A registered account; its id."""
        await self.accounts.register(Registration(email, password), client())
        query = "SELECT user_id FROM credentials WHERE identifier = :email"
        return int((await self.row(query, email=normalise_email(email)))[0])

    async def code(self, email: str, purpose: CodePurpose = CodePurpose.LOGIN, by: Client | None = None) -> str:
        """Ask for a code, and read it in the mail."""
        await self.accounts.send_code(email, purpose, by or client())
        return (await self.letters(normalise_email(email)))[-1].values["code"]

    async def mails(self, email: str) -> list[str]:
        """Templates of the mails to an address, oldest first."""
        return [template for template, letter in await self._mails() if letter.to == email]

    async def letters(self, email: str) -> list[Letter]:
        """The mails to an address, oldest first."""
        return [letter for _, letter in await self._mails() if letter.to == email]

    async def _mails(self) -> list[tuple[str, Letter]]:
        jobs = await self.jobs(SEND)
        return [(job["template"], self.kernel.mail._open(job["template"], job["sealed"])) for job in jobs]

    async def jobs(self, task: str) -> list[Any]:
        """Arguments of the jobs of a task that wait, oldest first."""
        query = text("SELECT args FROM jobs WHERE task = :task ORDER BY id")
        rows = await self.db.read(lambda conn: conn.execute(query, {"task": task}).all())
        return [json.loads(row[0]) if isinstance(row[0], str) else row[0] for row in rows]

    @property
    def notices(self) -> LockNotices:
        kernel = self.kernel
        return LockNotices(kernel.db, kernel.jobs, kernel.mail, kernel.clock, kernel.settings.auth)

    async def row(self, query: str, **values: Any) -> Any:
        """The first row of a query."""
        return await self.db.read(lambda conn: conn.execute(text(query), values).one())

    async def events(self, user_id: int) -> list[str]:
        """Kinds of the audit events of a user, oldest first."""
        return [event.kind for event in reversed(await self.db.read(list_events, REALM, user_id))]

    async def sign_in(self, email: str = "li@example.com", password: str = GOOD, by: Client | None = None) -> SignedIn:
        return await self.accounts.sign_in(email, password, by or client())

    async def dump(self) -> str:
        """Everything that SQL and the store hold, as text."""
        rows = await self.db.read(_everything)
        store = self.kernel.store
        keys: Sequence[bytes] = await store.call("KEYS", "*")
        held = [await store.call("DUMP", key) for key in keys]
        return repr((rows, keys, held))


def client(address: str = "203.0.113.7", device_id: str | None = None, language: Language = "en") -> Client:
    """A caller; the same one unless something is given."""
    return Client(address, language, device_id, "tests")


@asynccontextmanager
async def desk_at(data: Path, database_url: str, store_url: str, **auth: Any) -> AsyncIterator[Desk]:
    """A desk with the settings `auth`."""
    clock = ManualClock(NOON)
    settings = load_settings(env="test", data=data, database_url=database_url, store_url=store_url, auth=auth)
    host = Host(settings, clock=clock)
    passwords = CountedPasswords(settings.auth.hash_threads, settings.auth.hash_queue)
    host.kernel.passwords.close()
    object.__setattr__(host.kernel, "passwords", passwords)
    await host.start()
    try:
        yield _desk(host, clock, passwords)
    finally:
        await host.stop()


def _desk(host: Host, clock: ManualClock, passwords: CountedPasswords) -> Desk:
    kernel, welcomed = host.kernel, []
    keys = [SigningKey(kid="2026", secret=SecretStr("kV7mQ2xP9" * 8))]
    tokens = TokenRealm(keys, clock, timedelta(days=1), name=REALM)
    sessions = HeldSessions(tokens, SessionPolicy(), kernel.db, kernel.store, kernel.ids, clock)
    policy = RealmPolicy(REALM, lambda conn, user: welcomed.append(user.id))
    accounts = kernel.open_accounts(policy, sessions)
    return Desk(accounts, sessions, kernel, clock, passwords, welcomed)


@asynccontextmanager
async def statements() -> AsyncIterator[list[str]]:
    """The SQL that this process runs meanwhile, in order."""
    heard: list[str] = []

    def hear(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "machine_leases" not in statement:  # processes of other tests renew theirs when they like
            heard.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


def _everything(conn: Connection) -> list[Any]:
    tables = inspect(conn).get_table_names()
    return [(name, [tuple(row) for row in conn.execute(text(f"SELECT * FROM {name}"))]) for name in tables]
