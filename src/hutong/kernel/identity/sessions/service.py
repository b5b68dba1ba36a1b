"""Use cases of sessions. Source: contracts/storefront.md "Tokens"; ADR 0017."""

from collections.abc import Callable

from sqlalchemy import Connection

from hutong.kernel.db import Database
from hutong.kernel.http.limits import Limit, Limiter
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.sessions.pairs import Caller, TokenPair
from hutong.kernel.identity.sessions.repository import SessionView
from hutong.kernel.identity.sessions.settings import SessionPolicy
from hutong.kernel.identity.tokens import TokenRealm
from hutong.kernel.store import Store
from hutong.kit.clock import Clock


class Sessions:
    """Sessions of one realm.

    Every method raises `StoreUnavailable` or `DatabaseUnavailable` (503, `retry_after`) when it cannot know; no token is
    ever taken for good, or for bad, because a server is away.

    Args:
        tokens: of the realm, made with its `name`.
        policy: lifetimes and bounds.
        db, store: the truth, and the index of what is alive.
        ids: makes session ids and ids of audit events.
        clock: issues and expires tokens.
    """

    def __init__(
        self,
        tokens: TokenRealm,
        policy: SessionPolicy,
        db: Database,
        store: Store,
        ids: Callable[[], int],
        clock: Clock,
    ) -> None: ...

    async def open(self, user_id: int, client: Client) -> TokenPair:
        """Sign a user in on a device: a new session with its first pair of tokens.

        Beyond `most_sessions` of the user, the one that was not used for longest ends.

        Raises:
            UserUnknown, UserBlocked.
        """

    async def refresh(self, refresh_token: str, client: Client) -> TokenPair:
        """The next pair of a session; the access token of the one before ends.

        Within `grace_seconds` of that, the same token answers with the same pair again.

        Raises:
            TokenExpired, TokenInvalid: also for a session that reached its absolute end.
            TokenWrongKind: it is no refresh token.
            TokenRevoked: its session has ended.
            RefreshReused: it was used before; its session ends with this, and an audit event says so.
            RefreshBusy: it is being used by too many at once; nothing has changed.
        """

    async def admit(self, access_token: str, limiter: Limiter, limit: Limit) -> Caller:
        """Who calls, in one call of the store that also counts the request against the user.

        A token that ended is not counted, so nobody can use up the limit of its former owner.

        Raises:
            TokenExpired, TokenInvalid.
            TokenWrongKind: it is no access token.
            TokenRevoked: its session has ended, or a newer access token took its place.
            LimitExceeded.
        """

    async def list(self, user_id: int) -> list[SessionView]:
        """The user's live sessions, the one used last first."""

    async def end(self, user_id: int, session_id: int) -> None:
        """End one session of a user: sign-out, or a device taken off the list.

        Raises:
            SessionUnknown: it is not the user's, or has ended.
        """

    async def end_others(self, user_id: int, keep: int) -> None:
        """End all sessions of a user but one."""

    async def end_all(self, user_id: int) -> None:
        """End all sessions of a user: sign-out everywhere, a new password, a block."""

    def end_within(self, conn: Connection, user_id: int, *, keep: int | None = None) -> None:
        """End sessions in the transaction that makes it necessary (a new password, a block).

        Call `end_others` or `end_all` after the commit; without that (a crash in between) their access tokens end within a
        minute, and their refresh tokens at once.
        """
