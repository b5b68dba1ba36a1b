"""What tests of sessions share: a user, their clock, and `Sessions` as each process would have them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from pydantic import SecretStr
from sqlalchemy import Connection, select

from hutong.kernel.audit import AuditEvent, list_events
from hutong.kernel.db import Database
from hutong.kernel.http.limits import Limit, Limiter
from hutong.kernel.identity import TokenRealm, User
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.errors import TokenExpired, TokenInvalid, TokenRevoked
from hutong.kernel.identity.sessions import INVARIANTS, SessionPolicy, Sessions
from hutong.kernel.identity.sessions.tables import EndReason, sessions
from hutong.kernel.identity.tables import CredentialKind, UserStatus
from hutong.kernel.identity.users import create_with_credential
from hutong.kernel.observability.invariants import check
from hutong.kernel.settings import SigningKey
from hutong.kernel.store import Store
from hutong.kit.clock import Clock, ManualClock

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
REALM = "storefront"
KEYS = {kid: SigningKey(kid=kid, secret=SecretStr(f"{kid}-{'kV7mQ2xP9' * 8}")) for kid in ("2025", "2026", "2027")}
PHONE = Client("192.0.2.7", "en", device_id="device-0001", agent="Phone/1.0")
LAPTOP = Client("192.0.2.8", "zh-CN", device_id="device-0002", agent="Laptop/2.0")
UNLIMITED = Limit("user", 1_000_000)
DEAD = (TokenRevoked, TokenExpired, TokenInvalid)
numbers = count(7_400_000_000_000_001)


@dataclass
class House:
    """One installation: a database, a store, a clock; any number of processes."""

    db: Database
    store: Store
    clock: Clock = field(default_factory=lambda: ManualClock(NOON))
    policy: SessionPolicy = field(default_factory=SessionPolicy)

    def process(
        self, *kids: str, policy: SessionPolicy | None = None, store: Store | None = None, clock: Clock | None = None
    ) -> Sessions:
        """`Sessions` as another process would have them, with its own memory of tokens."""
        clock = clock or self.clock
        realm = self.realm(*kids, clock=clock)
        return Sessions(realm, policy or self.policy, self.db, store or self.store, lambda: next(numbers), clock)

    def realm(self, *kids: str, clock: Clock | None = None, name: str = REALM) -> TokenRealm:
        keys = [KEYS[kid] for kid in kids or ("2026",)]
        return TokenRealm(keys, clock or self.clock, timedelta(days=1), name=name)

    @property
    def manual(self) -> ManualClock:
        assert isinstance(self.clock, ManualClock)
        return self.clock

    async def user(self, status: UserStatus = UserStatus.ACTIVE) -> int:
        """A new user."""
        number, now = next(numbers), self.clock.now()
        user = User(number, REALM, "Li", status, now.replace(microsecond=0), now)
        assert await self.db.write(create_with_credential, user, CredentialKind.DEVICE, f"device-{number}")
        return number

    async def is_admitted(self, sessions: Sessions, access_token: str) -> bool:
        """Whether the token is good, which raises nothing but what an ended one raises."""
        try:
            await sessions.admit(access_token, Limiter(self.store, self.clock), UNLIMITED)
        except DEAD:
            return False
        return True

    async def alive(self, user_id: int) -> tuple[int, int, int]:
        """How many tokens the store holds: access, refresh, used a moment ago."""
        names = ("access_token", "refresh_token", "refresh_token_old")
        sizes = [await self.store.call("ZCARD", f"{name}:{{{user_id}}}") for name in names]
        return sizes[0], sizes[1], sizes[2]

    async def alarms(self, user_id: int) -> list[AuditEvent]:
        """Replays that were noticed, newest first."""
        return list(await self.db.read(list_events, REALM, user_id))

    async def why(self, session_id: int) -> EndReason | None:
        """Why a session ended; None while it lives."""

        def look(conn: Connection) -> EndReason | None:
            query = select(sessions.c.end_reason).where(sessions.c.id == session_id)
            found: EndReason | None = conn.execute(query).scalar_one()
            return found

        return await self.db.read(look)

    async def promises_are_kept(self) -> bool:
        return await self.db.read(check, INVARIANTS) == []


Make = Callable[..., Sessions]
