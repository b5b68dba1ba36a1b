"""Who calls: a member with their limits, from a copy in memory or the store where there is one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection

from hutong.apps.chat.envelope import REALM
from hutong.apps.chat.limits import limits_of
from hutong.apps.chat.rows import members as rows
from hutong.apps.chat.rows.errors import MemberUnknown
from hutong.apps.chat.settings import QuotaSettings
from hutong.kernel.db import Database
from hutong.kernel.identity import UserRole, UserUnknown
from hutong.kernel.identity.account_rows import get_account
from hutong.kernel.identity.errors import UserBlocked
from hutong.kernel.identity.tables import UserStatus
from hutong.kernel.quotas import Limits
from hutong.kernel.store import LayeredCopies

COPY = "session"
"""Name of the copies, so that the store's key is `session:{user_id}`. Source: contracts/chat.md "Cache"."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user of this app who may use it.

    Args:
        user_id: of the account.
        username: as typed.
        is_vip: whether the models of VIPs are theirs.
        is_admin: whether other users are theirs to see and change.
        limits: that hold for them.
        session_id: of the token that was shown; 0 for an API key.
    """

    user_id: int
    username: str
    is_vip: bool
    is_admin: bool
    limits: Limits
    session_id: int = 0


class Members:
    """Members, read from SQL at most once in a while.

    Args:
        db: the truth.
        copies: of this kind.
        settings: limits.
    """

    def __init__(self, db: Database, copies: LayeredCopies, settings: QuotaSettings) -> None:
        self._db, self._copies, self._settings = db, copies, settings

    async def get(self, user_id: int, session_id: int = 0) -> Member:
        """The member.

        Raises:
            UserUnknown: there is none.
            UserBlocked: an administrator switched the account off.
        """
        copy = await self._copies.find(user_id)
        if copy is None:
            facts = await self._db.read(self._facts, user_id)
            await self._copies.keep(user_id, orjson.dumps(facts))
        else:
            facts = orjson.loads(copy)
        if not facts["is_active"]:
            raise UserBlocked
        return _member(user_id, session_id, facts)

    async def forget(self, user_id: int) -> None:
        """Drop the copies after something about the member changed."""
        await self._copies.forget(user_id)

    def _facts(self, conn: Connection, user_id: int) -> dict[str, Any]:
        """What a copy holds. Limits are resolved, for a change of the settings comes with new processes."""
        account = get_account(conn, REALM, user_id)
        try:
            member = rows.get_member(conn, user_id)
        except MemberUnknown as error:
            raise UserUnknown from error
        return {
            "username": member.username,
            "is_vip": member.is_vip,
            "is_admin": account.role is UserRole.ADMIN,
            "is_active": account.status is UserStatus.ACTIVE,
            "limits": limits_of(member, self._settings).all(),
        }


def _member(user_id: int, session_id: int, facts: Mapping[str, Any]) -> Member:
    return Member(user_id, facts["username"], facts["is_vip"], facts["is_admin"], Limits(*facts["limits"]), session_id)
