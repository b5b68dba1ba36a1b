"""The profile: cached for ten minutes without the balance, which is always read from its row.

A change leaves an empty mark in the cache for a few seconds. Readers who read the old row before the change find it and
cannot put the old profile back: they add to the cache, they never replace.
"""

from contextlib import suppress
from typing import Any

import orjson
from sqlalchemy import Connection

from hutong.apps.emoji.user.schemas import ProfileView
from hutong.kernel.assembly import Kernel
from hutong.kernel.entitlements import find_active
from hutong.kernel.identity import Identity
from hutong.kernel.store import StoreUnavailable
from hutong.kit.clock import iso_z

CACHE_SECONDS = 600
CHANGED, CHANGED_SECONDS = b"", 5
"""A reader that takes longer than this between its read and its write would have to be a very slow one."""


class Profiles:
    """Profiles of this app's users."""

    def __init__(self, kernel: Kernel, identity: Identity) -> None:
        self._kernel, self._identity = kernel, identity

    async def get(self, user_id: int) -> ProfileView:
        """The profile with the present balance.

        Raises:
            UserUnknown.
        """
        cached = await self._cached(user_id)
        if cached is None:
            cached = await self._load(user_id)
        return ProfileView(**cached, points=await self._kernel.wallet.balance(user_id))

    async def rename(self, user_id: int, nickname: str) -> ProfileView:
        """Change the nickname and return the new profile."""
        await self._identity.rename(user_id, nickname)
        await self.forget(user_id)
        return await self.get(user_id)

    async def forget(self, user_id: int) -> None:
        """Drop the cached profile after something in it changed."""
        try:
            await self._kernel.store.put(_key(user_id), CHANGED, seconds=CHANGED_SECONDS)
        except StoreUnavailable:
            return  # what cannot be dropped cannot be read either; it ends by its time

    async def _cached(self, user_id: int) -> dict[str, Any] | None:
        try:
            content = await self._kernel.store.get(_key(user_id))
        except StoreUnavailable:
            return None
        return orjson.loads(content) if content else None

    async def _load(self, user_id: int) -> dict[str, Any]:
        user = await self._identity.get(user_id)
        now = self._kernel.clock.now()

        def membership(conn: Connection) -> Any:
            return find_active(conn, user_id, now)

        held = await self._kernel.db.read(membership)
        profile = {
            "id": str(user.id),
            "nickname": user.nickname,
            "is_vip": held is not None,
            "vip_type": held.plan if held else None,
            "vip_expire_time": iso_z(held.ends_at) if held and held.ends_at else None,
            "created_at": iso_z(user.created_at),
        }
        left = (held.ends_at - now).total_seconds() if held and held.ends_at else CACHE_SECONDS
        with suppress(StoreUnavailable):
            await self._kernel.store.put_if_absent(
                _key(user_id), orjson.dumps(profile), seconds=max(1.0, min(CACHE_SECONDS, left))
            )
        return profile


def _key(user_id: int) -> str:
    return f"user:{{{user_id}}}"
