"""The profile: cached for ten minutes without the balance, which is always read from its row."""

from typing import Any

import orjson
from sqlalchemy import Connection

from hutong.apps.emoji.user.schemas import ProfileView
from hutong.kernel.assembly import Kernel
from hutong.kernel.entitlements import find_active
from hutong.kernel.identity import Identity
from hutong.kernel.store import Copies
from hutong.kit.clock import iso_z

CACHE_SECONDS = 600


class Profiles:
    """Profiles of this app's users."""

    def __init__(self, kernel: Kernel, identity: Identity) -> None:
        self._kernel, self._identity = kernel, identity
        self._copies = Copies(kernel.store, "user", CACHE_SECONDS)

    async def get(self, user_id: int) -> ProfileView:
        """The profile with the present balance.

        Raises:
            UserUnknown.
        """
        copy = await self._copies.find(user_id)
        profile = orjson.loads(copy) if copy else await self._load(user_id)
        return ProfileView(**profile, points=await self._kernel.wallet.balance(user_id))

    async def rename(self, user_id: int, nickname: str) -> ProfileView:
        """Change the nickname and return the new profile."""
        await self._identity.rename(user_id, nickname)
        await self.forget(user_id)
        return await self.get(user_id)

    async def forget(self, user_id: int) -> None:
        """Drop the cached profile after something in it changed."""
        await self._copies.forget(user_id)

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
        left = (held.ends_at - now).total_seconds() if held and held.ends_at else None
        await self._copies.keep(user_id, orjson.dumps(profile), at_most=left)
        return profile
