"""Ending sessions: in SQL, which decides, and in the store, which makes it felt at once.

The store is told twice. Before, so that a process that dies in between leaves nothing alive that SQL calls ended; after,
because a store that failed over meanwhile may have forgotten, and was sealed by an SQL that did not know yet.
"""

import contextlib
from collections.abc import Sequence

from sqlalchemy import Connection

from hutong.kernel.audit import AuditEvent, record
from hutong.kernel.db import Database
from hutong.kernel.identity.errors import SessionUnknown
from hutong.kernel.identity.sessions import repository
from hutong.kernel.identity.sessions.index import TokenIndex
from hutong.kernel.identity.sessions.tables import EndReason
from hutong.kernel.observability.failpoints import failpoint
from hutong.kernel.store import Store, StoreUnavailable
from hutong.kit.clock import Clock


class Endings:
    """Ends sessions of one realm; needs no signing key.

    What it raises when a server is away, it has done as far as it could: asking again completes it. A session that SQL
    calls ended and the store could not be told of ends within `index.SEAL_SECONDS`.

    Args:
        realm: its name.
        db, store: the truth, and the index of what is alive.
        clock: says when.
    """

    def __init__(self, realm: str, db: Database, store: Store, clock: Clock) -> None:
        self._realm, self._db, self._clock = realm, db, clock
        self._index = TokenIndex(store, clock)

    async def end(
        self, user_id: int, session_id: int, reason: EndReason = EndReason.SIGNED_OUT, event: AuditEvent | None = None
    ) -> None:
        """End one session of a user, and record `event` with it.

        Raises:
            SessionUnknown: it is not the user's, or had ended.
        """
        await self._drop_if_there(user_id, [session_id])
        failpoint("identity.end.dropped")
        ended = await self._db.write(self._end_one, user_id, session_id, reason, event)
        failpoint("identity.end.written")
        await self._index.drop(user_id, [session_id])
        if not ended:
            raise SessionUnknown

    async def end_all(self, user_id: int, keep: int | None = None) -> None:
        """End a user's sessions but `keep`."""
        live, ended = await self._db.read(repository.list_to_end, self._realm, user_id, self._clock.now(), keep)
        await self._drop_if_there(user_id, [*live, *ended])
        failpoint("identity.end_all.dropped")
        now_ended = await self._db.write(self.within, user_id, keep)
        failpoint("identity.end_all.written")
        await self._index.drop(user_id, list({*live, *ended, *now_ended}))

    def within(self, conn: Connection, user_id: int, keep: int | None = None) -> Sequence[int]:
        """End a user's sessions but `keep` in SQL; returns which."""
        now = self._clock.now()
        live, _ = repository.list_to_end(conn, self._realm, user_id, now, keep)
        repository.end_sessions(conn, self._realm, user_id, live, EndReason.REVOKED, now)
        return live

    async def _drop_if_there(self, user_id: int, session_ids: Sequence[int]) -> None:
        """SQL has to know even while the store is away."""
        with contextlib.suppress(StoreUnavailable):
            await self._index.drop(user_id, session_ids)

    def _end_one(
        self, conn: Connection, user_id: int, session_id: int, reason: EndReason, event: AuditEvent | None
    ) -> bool:
        ended = repository.end_sessions(conn, self._realm, user_id, [session_id], reason, self._clock.now()) == 1
        if ended and event is not None:
            record(conn, event)
        return ended
