"""Use cases of sessions: what is granted goes to the store, then to SQL, then to the client; what ends, see `Endings`.

So a token that a client holds is one that SQL knew after the store did, and whatever dies in between leaves either the old
pair good or the new one, which nobody has yet. Source: contracts/storefront.md "Tokens"; ADR 0017.
"""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from hutong.kernel.audit import AuditEvent
from hutong.kernel.db import Database
from hutong.kernel.http.limits import Limit, Limiter
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.errors import (
    RefreshBusy,
    RefreshReused,
    SessionUnknown,
    TokenExpired,
    TokenRevoked,
)
from hutong.kernel.identity.sessions import repository
from hutong.kernel.identity.sessions.endings import Endings
from hutong.kernel.identity.sessions.index import Rotation, TokenIndex
from hutong.kernel.identity.sessions.pairs import Caller, Signed, TokenPair, Turn, new_turn, sign
from hutong.kernel.identity.sessions.repository import Confirmed, NewSession, Renewal, SessionView, Standing
from hutong.kernel.identity.sessions.settings import SessionPolicy
from hutong.kernel.identity.sessions.tables import EndReason
from hutong.kernel.identity.tokens import Claims, TokenRealm
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.store import Copies, Store, StoreUnavailable
from hutong.kit.clock import Clock
from hutong.kit.errors import HutongError
from hutong.kit.tasks import Shared

BUSY_SECONDS = 1.0
SEALINGS = 3
REUSE_DETECTED = "session.reuse_detected"


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
    ) -> None:
        if not tokens.name:
            raise ValueError("the tokens of sessions carry their realm: give TokenRealm a name")
        self._tokens, self._policy, self._db, self._ids, self._clock = tokens, policy, db, ids, clock
        self._realm = tokens.name
        self._index = TokenIndex(store, clock)
        self._endings = Endings(tokens.name, db, store, clock)
        self._sealing: Shared[tuple[int, bytes], None] = Shared()

    async def open(self, user_id: int, client: Client) -> TokenPair:
        """Sign a user in on a device: a new session with its first pair of tokens.

        Beyond `most_sessions` of the user, the one that was not used for longest ends.

        Raises:
            UserUnknown, UserBlocked.
        """
        now = self._clock.now()
        signed = sign(self._tokens, self._first_turn(user_id, int(now.timestamp())))
        await self._index.open(signed, self._policy)
        failpoint("identity.open.stored")
        turn = signed.turn
        new = NewSession(
            turn.session_id, self._realm, user_id, turn.stamp, now, _at(turn.refresh_until), _at(turn.lasts_until)
        )
        try:
            evicted = await self._db.write(repository.add_session, new, client, self._policy.most_sessions)
        except HutongError:
            await self._drop_if_there(user_id, turn.session_id)
            raise
        failpoint("identity.open.written")
        await self._drop_if_there(user_id, *evicted)
        return signed.pair

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
        claims = self._tokens.verify(refresh_token, "refresh")
        standing = await self._standing(claims)
        if standing is None:
            await self._index.drop(claims.user_id, [claims.session_id])
            raise TokenRevoked
        successor = sign(self._tokens, self._next_turn(claims))
        newest = standing.counter <= claims.counter
        rotation = await self._index.rotate(claims, successor, self._policy, newest_in_sql=newest)
        failpoint("identity.refresh.rotated")
        if rotation.outcome == "rotated":
            return await self._hand_out(claims, successor, client)
        if rotation.outcome == "again":
            return await self._hand_out(claims, self._same(rotation), client)
        return await self._refuse(rotation, claims, standing, client)

    async def admit(self, access_token: str, limiter: Limiter, limit: Limit, *, copies: Copies | None = None) -> Caller:
        """Who calls, in one call of the store that also counts the request against the user.

        A token that ended is not counted, so nobody can use up the limit of its former owner.

        Args:
            access_token: as sent.
            limiter, limit: what counts, and what is allowed.
            copies: a copy of the caller's that the same call is to bring.

        Raises:
            TokenExpired, TokenInvalid.
            TokenWrongKind: it is no access token.
            TokenRevoked: its session has ended, or a newer access token took its place.
            LimitExceeded.
        """
        claims = self._tokens.verify(access_token)
        tally = limiter.tally(limit, str(claims.user_id))
        copy = None if copies is None else copies.key(claims.user_id)
        for _ in range(SEALINGS):
            admission = await self._index.admit(claims, tally, copy)
            if admission.verdict == "admitted":
                if tally is not None:
                    tally.judge(*admission.counted)
                return Caller(claims.user_id, claims.session_id, claims.issued_at, claims.expires_at, admission.copy)
            if admission.verdict == "ended":
                raise TokenRevoked
            asking = claims.session_id, admission.history
            await self._sealing.do(asking, partial(self._seal, claims, admission.history))
        raise StoreUnavailable("the store changes faster than it can be asked", retry_after=1)

    async def list(self, user_id: int) -> list[SessionView]:
        """The user's live sessions, the one used last first."""
        return await self._db.read(repository.list_live, self._realm, user_id, self._clock.now())

    async def end(self, user_id: int, session_id: int) -> None:
        """End one session of a user: sign-out, or a device taken off the list.

        Raises:
            SessionUnknown: it is not the user's, or has ended.
        """
        await self._endings.end(user_id, session_id)

    async def end_others(self, user_id: int, keep: int) -> None:
        """End all sessions of a user but one."""
        await self._endings.end_all(user_id, keep)

    async def end_all(self, user_id: int) -> None:
        """End all sessions of a user: sign-out everywhere, a new password, a block."""
        await self._endings.end_all(user_id)

    def end_within(self, conn: Connection, user_id: int, *, keep: int | None = None) -> None:
        """End sessions in the transaction that makes it necessary (a new password, a block).

        Call `end_others` or `end_all` after the commit; without that (a crash in between) their access tokens end within a
        minute, and their refresh tokens at once.
        """
        self._endings.within(conn, user_id, keep)

    async def _standing(self, claims: Claims) -> Standing | None:
        return await self._db.read(repository.find_standing, self._realm, claims.user_id, claims.session_id)

    def _first_turn(self, user_id: int, now: int) -> Turn:
        lasts_until = now + self._policy.absolute_seconds
        return new_turn(self._policy, self._tokens.signing, now, user_id, self._ids(), 0, lasts_until)

    def _next_turn(self, claims: Claims) -> Turn:
        now, counter = int(self._clock.now().timestamp()), claims.counter + 1
        whose = (claims.user_id, claims.session_id)
        return new_turn(self._policy, self._tokens.signing, now, *whose, counter, claims.lasts_until)

    def _same(self, rotation: Rotation) -> Signed:
        """The successor that was made already, made again.

        Raises:
            RefreshBusy: another process signs with a key that this one does not have; it will answer.
        """
        try:
            signed = sign(self._tokens, rotation.turn)
        except KeyError as error:
            raise RefreshBusy(retry_after=BUSY_SECONDS) from error
        if signed.refresh_digest != rotation.digest:
            raise RefreshBusy(retry_after=BUSY_SECONDS)
        return signed

    async def _hand_out(self, claims: Claims, signed: Signed, client: Client) -> TokenPair:
        """Give a pair away once SQL knows it."""
        turn, now = signed.turn, self._clock.now()
        renewal = Renewal(
            self._realm, turn.user_id, turn.session_id, turn.counter, turn.stamp, now, _at(turn.refresh_until)
        )
        confirmed = await self._db.write(repository.confirm, renewal, client)
        failpoint("identity.refresh.written")
        if confirmed is Confirmed.PASSED_BY:
            raise RefreshBusy(retry_after=BUSY_SECONDS)
        if confirmed is Confirmed.NO:
            await self._end_family(claims, EndReason.LOST)
            raise TokenRevoked
        return signed.pair

    async def _refuse(self, rotation: Rotation, claims: Claims, standing: Standing, client: Client) -> TokenPair:
        """Say why a refresh token gets no successor, and end its session where that follows.

        Raises:
            RefreshBusy, TokenExpired, RefreshReused, TokenRevoked: one of them, always.
        """
        if rotation.outcome == "busy":
            raise RefreshBusy(retry_after=BUSY_SECONDS)
        if rotation.outcome == "expired":
            raise TokenExpired
        if rotation.outcome == "reused" or self._is_replay(claims, standing):
            await self._end_family(claims, EndReason.REUSED, self._alarm(claims, standing, client))
            raise RefreshReused
        await self._end_family(claims, EndReason.LOST)
        raise TokenRevoked

    def _is_replay(self, claims: Claims, standing: Standing) -> bool:
        """Whether a token that the store does not know was used before, and not just a moment ago: SQL counts too."""
        behind = standing.counter - claims.counter
        grace = timedelta(seconds=self._policy.grace_seconds)
        return behind > 1 or (behind == 1 and self._clock.now() > standing.last_used_at + grace)

    def _alarm(self, claims: Claims, standing: Standing, client: Client) -> AuditEvent:
        return AuditEvent(
            id=self._ids(),
            realm=self._realm,
            kind=REUSE_DETECTED,
            user_id=claims.user_id,
            created_at=self._clock.now(),
            address=client.address,
            device_id=client.device_id,
            details={
                "session_id": str(claims.session_id),
                "presented": claims.counter,
                "newest": max(standing.counter, claims.counter + 1),
            },
        )

    async def _end_family(self, claims: Claims, reason: EndReason, event: AuditEvent | None = None) -> None:
        """End a session whose tokens cannot be trusted any more; of several that notice, one does."""
        with contextlib.suppress(SessionUnknown):
            await self._endings.end(claims.user_id, claims.session_id, reason, event)

    async def _seal(self, claims: Claims, history: bytes) -> None:
        """Ask SQL about a session, because the store may have lost its end.

        Raises:
            TokenRevoked: it has ended.
        """
        standing = await self._standing(claims)
        if standing is None:
            await self._index.drop(claims.user_id, [claims.session_id])
            raise TokenRevoked
        if not await self._index.seal(claims, history, standing.counter):
            raise TokenRevoked

    async def _drop_if_there(self, user_id: int, *session_ids: int) -> None:
        """Nobody holds these tokens, or SQL calls them ended and their seals run out: without a store, that is enough."""
        with contextlib.suppress(StoreUnavailable):
            await self._index.drop(user_id, session_ids)


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
