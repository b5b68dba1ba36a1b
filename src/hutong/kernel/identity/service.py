"""Use cases of identity: sign in by device, tell who a token belongs to, end a user's tokens."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from hutong.kernel.db import Database
from hutong.kernel.http.limits import Bar, Limit, Limiter
from hutong.kernel.identity import epochs, rules, users
from hutong.kernel.identity.epochs import Epochs
from hutong.kernel.identity.errors import TokenInvalid, UserBlocked
from hutong.kernel.identity.tables import CredentialKind, UserStatus
from hutong.kernel.identity.tokens import Claims, TokenRealm
from hutong.kernel.identity.users import User
from hutong.kit.clock import Clock

OnCreated = Callable[[Connection, User], None]


@dataclass(frozen=True, slots=True)
class RealmPolicy:
    """A realm's name and what happens, in the same transaction, when it gains a user."""

    name: str
    on_created: OnCreated


class Identity:
    """Sign-in and tokens of one realm."""

    def __init__(
        self,
        policy: RealmPolicy,
        tokens: TokenRealm,
        db: Database,
        epoch_cache: Epochs,
        ids: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._policy, self._tokens, self._db, self._epochs, self._ids, self._clock = (
            policy,
            tokens,
            db,
            epoch_cache,
            ids,
            clock,
        )

    @property
    def realm(self) -> str:
        return self._policy.name

    @property
    def lifetime(self) -> timedelta:
        """How long an issued token is good."""
        return self._tokens.lifetime

    async def sign_in_device(self, device_id: str) -> tuple[User, str]:
        """The user of a device, made on the first call, and a fresh token.

        Two first calls at once make one user: the credential's key decides.

        Raises:
            DeviceIdInvalid, UserBlocked.
        """
        identifier = rules.normalise_device_id(device_id)
        user = await self._db.read(users.find_by_credential, self.realm, CredentialKind.DEVICE, identifier)
        if user is None:
            user = await self._db.write(self._find_or_create, identifier)
        if user.status is UserStatus.BLOCKED:
            raise UserBlocked
        return user, self.issue(user.id)

    def _find_or_create(self, conn: Connection, identifier: str) -> User:
        now, user_id = self._clock.now(), self._ids()
        valid_from = now.replace(microsecond=0)
        user = User(user_id, self.realm, rules.default_nickname(user_id), UserStatus.ACTIVE, valid_from, now)
        if users.create_with_credential(conn, user, CredentialKind.DEVICE, identifier):
            self._policy.on_created(conn, user)
            return user
        found = users.find_by_credential(conn, self.realm, CredentialKind.DEVICE, identifier)
        assert found is not None
        return found

    def issue(self, user_id: int) -> str:
        """A fresh access token."""
        return self._tokens.issue(user_id)[0]

    async def verify(self, token: str) -> Claims:
        """What a token says, if it is good and its user's tokens were not ended since.

        Raises:
            TokenExpired, TokenInvalid.
        """
        claims = self._tokens.verify(token)
        if claims.issued_at < await self._epochs.valid_from(self.realm, claims.user_id):
            raise TokenInvalid
        return claims

    async def admit(self, token: str, limiter: Limiter, limit: Limit) -> Claims:
        """`verify`, and count the request against the user: in one call of the store where that knows the epoch.

        A token that was ended is not counted, so nobody can use up the limit of its former owner.

        Raises:
            TokenExpired, TokenInvalid, LimitExceeded.
        """
        claims = self._tokens.verify(token)
        bar = Bar(epochs.key(self.realm, claims.user_id), claims.issued_at)
        reached = await limiter.hit_over(limit, str(claims.user_id), bar)
        if reached is None:
            claims = await self.verify(token)
            await limiter.hit(limit, str(claims.user_id))
        elif not reached:
            raise TokenInvalid
        return claims

    async def get(self, user_id: int) -> User:
        """The user's row.

        Raises:
            UserUnknown.
        """
        return await self._db.read(users.get_user, self.realm, user_id)

    async def rename(self, user_id: int, nickname: str) -> None:
        """Change a nickname.

        Raises:
            UserUnknown.
        """
        await self._db.write(users.rename, self.realm, user_id, nickname, self._clock.now())

    async def end_tokens(self, user_id: int) -> None:
        """Every token issued until now is refused everywhere within seconds."""
        moment = self._clock.now() + timedelta(seconds=1)
        await self._db.write(users.revoke_tokens, self.realm, user_id, moment.replace(microsecond=0))
        await self._epochs.refresh(self.realm, user_id)

    async def block(self, user_id: int) -> None:
        """The user may not sign in any more and is signed out everywhere."""
        await self._db.write(users.set_status, self.realm, user_id, UserStatus.BLOCKED, self._clock.now())
        await self.end_tokens(user_id)
