"""The per-user epoch: tokens issued before it are refused. Kept in SQL, cached in the store.

The store may be flushed or away: the answer then comes from SQL, never "yes" by default. Source: DESIGN §2.17.
"""

from sqlalchemy import Connection

from hutong.kernel.db import Database
from hutong.kernel.identity import users
from hutong.kernel.identity.errors import UserUnknown
from hutong.kernel.identity.tables import UserStatus
from hutong.kernel.store import Store, StoreUnavailable

CACHE_SECONDS = 60
NEVER = 2**62
"""Later than any token: the epoch of a user who is gone or blocked."""


class Epochs:
    """Since when a user's tokens count, in seconds since 1970."""

    def __init__(self, db: Database, store: Store) -> None:
        self._db = db
        self._store = store

    async def valid_from(self, realm: str, user_id: int) -> int:
        """The epoch of a user; `NEVER` for one who is unknown or blocked."""
        try:
            cached = await self._store.get(key(realm, user_id))
            if cached is not None:
                return int(cached)
        except StoreUnavailable:
            return await self._db.read(_epoch, realm, user_id)
        epoch = await self._db.read(_epoch, realm, user_id)
        await self._remember(realm, user_id, epoch)
        return epoch

    async def refresh(self, realm: str, user_id: int) -> None:
        """Put the epoch that SQL has now over the cached one, after it was changed."""
        epoch = await self._db.read(_epoch, realm, user_id)
        try:
            await self._store.put(key(realm, user_id), str(epoch), seconds=CACHE_SECONDS)
        except StoreUnavailable:
            return  # readers without a store read SQL; a copy that survives ends by its time

    async def _remember(self, realm: str, user_id: int, epoch: int) -> None:
        """Cache what was read, unless `refresh` put something newer there meanwhile."""
        try:
            await self._store.put_if_absent(key(realm, user_id), str(epoch), seconds=CACHE_SECONDS)
        except StoreUnavailable:
            return


def key(realm: str, user_id: int) -> str:
    """Where the store keeps a user's epoch."""
    return f"epoch:{realm}:{{{user_id}}}"


def _epoch(conn: Connection, realm: str, user_id: int) -> int:
    try:
        user = users.get_user(conn, realm, user_id)
    except UserUnknown:
        return NEVER
    return NEVER if user.status is UserStatus.BLOCKED else int(user.tokens_valid_from.timestamp())
