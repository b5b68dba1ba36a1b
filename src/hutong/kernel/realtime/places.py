"""How many sockets one user has, on all processes together; the places of a process that died fall free by themselves."""

import asyncio
from collections.abc import Sequence

from hutong.kernel.observability.logs import logger
from hutong.kernel.store import Script, Store, StoreUnavailable

LEASE_SECONDS = 45.0
AT_ONCE = 100
_log = logger("realtime.places")

_NOW = """
    local time = redis.call('TIME')
    local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
"""

TAKE = Script(
    "realtime.take_place",
    _NOW
    + """
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
    if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
    redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]), ARGV[3])
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    return 1
    """,
)
"""ARGV: lease ms, places, the socket's id. 1, or 0 if all are taken."""

RENEW = Script(
    "realtime.renew_places",
    _NOW
    + """
    for at = 2, #ARGV do redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]), ARGV[at]) end
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    return #ARGV - 1
    """,
)
"""ARGV: lease ms, ids."""


class Places:
    """Places for sockets. Without a store only those of this process are counted.

    Args:
        store: counts.
        realm: whose users they are.
        most: places of one user.
        lease_seconds: after which the places of a process that died are free.
    """

    def __init__(self, store: Store, realm: str, most: int, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store, self._realm, self._most = store, realm, most
        self.lease_seconds = lease_seconds
        self._here: dict[int, list[str]] = {}

    async def take(self, user_id: int, socket_id: str) -> bool:
        """Take a place, if there is one; `leave` gives it back."""
        here = self._here.setdefault(user_id, [])
        if len(here) >= self._most:
            return False
        here.append(socket_id)  # before the store is asked: several may come at once
        try:
            taken = await self._store.run(TAKE, [self._key(user_id)], (self._lease, self._most, socket_id))
        except StoreUnavailable:
            return True
        except BaseException:
            self._forget(user_id, socket_id)
            raise
        if not taken:
            self._forget(user_id, socket_id)
        return bool(taken)

    async def leave(self, user_id: int, socket_id: str) -> None:
        """Give a place back."""
        self._forget(user_id, socket_id)
        try:
            await self._store.call("ZREM", self._key(user_id), socket_id)
        except StoreUnavailable:
            return  # its lease runs out

    async def renew(self) -> None:
        """Keep all places of this process, also those that the store has lost."""
        users = list(self._here)
        for begin in range(0, len(users), AT_ONCE):
            await asyncio.gather(*(self._renew(user) for user in users[begin : begin + AT_ONCE]))

    async def _renew(self, user_id: int) -> None:
        ids: Sequence[str] = tuple(self._here.get(user_id, ()))
        if not ids:
            return
        try:
            await self._store.run(RENEW, [self._key(user_id)], (self._lease, *ids))
        except StoreUnavailable:
            _log.debug("places are not renewed", user=user_id)

    def _forget(self, user_id: int, socket_id: str) -> None:
        here = self._here.get(user_id, [])
        if socket_id in here:
            here.remove(socket_id)
        if not here:
            self._here.pop(user_id, None)

    @property
    def _lease(self) -> int:
        return int(self.lease_seconds * 1000)

    def _key(self, user_id: int) -> str:
        return f"sockets:{self._realm}:{{{user_id}}}"
