"""What administrators do with accounts: look at them, switch them on and off, make VIPs, set limits. Each change is audited."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from hutong.apps.chat.account.members import Member, Members
from hutong.apps.chat.account.schemas import LimitsView, MemberChange, MemberView
from hutong.apps.chat.account.service import Person, get_person, view
from hutong.apps.chat.envelope import REALM
from hutong.apps.chat.limits import limits_of
from hutong.apps.chat.rows import members as rows
from hutong.apps.chat.settings import QuotaSettings
from hutong.kernel import audit
from hutong.kernel.audit import AuditEvent
from hutong.kernel.db import Database
from hutong.kernel.identity.account_rows import find_by_part_of_email, list_accounts
from hutong.kernel.identity.accounts import Accounts
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.sessions import Sessions
from hutong.kernel.quotas import COUNTERS
from hutong.kit.clock import Clock, iso_z
from hutong.kit.errors import Conflict
from hutong.kit.paging import Page, PageRequest

CHANGED = "member.changed"
BY_EMAIL = 200
"""Users that are found by their address at most; whoever looks for one types more of it."""


class OneselfOff(Conflict):
    """You cannot switch off your own account."""

    code = "chat.oneself_off"


class Administration:
    """What administrators do with accounts.

    Args:
        db, clock, ids: the kernel's.
        accounts, sessions: of this realm.
        members: whose copies a change drops.
        settings: the installation's limits.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        ids: Callable[[], int],
        accounts: Accounts,
        sessions: Sessions,
        members: Members,
        settings: QuotaSettings,
    ) -> None:
        self._db, self._clock, self._ids, self._settings = db, clock, ids, settings
        self._accounts, self._sessions, self._members = accounts, sessions, members

    async def list(self, request: PageRequest, part: str | None) -> Page[MemberView]:
        """Users, the newest first; those in whose username or address `part` stands."""
        return (await self._db.read(_list, request, part)).map(self.view)

    async def get(self, user_id: int) -> MemberView:
        """One user.

        Raises:
            UserUnknown, MemberUnknown.
        """
        return self.view(await self._db.read(get_person, user_id))

    async def change(self, by: Member, user_id: int, change: MemberChange, client: Client) -> MemberView:
        """Change a user.

        Raises:
            UserUnknown, MemberUnknown.
            OneselfOff: nobody locks themselves out.
        """
        if change.is_active is False and by.user_id == user_id:
            raise OneselfOff
        await self._db.write(self._change, by, user_id, change, client)
        if change.is_active is False:
            await self._sessions.end_all(user_id)
        await self._members.forget(user_id)
        return await self.get(user_id)

    def _change(self, conn: Connection, by: Member, user_id: int, change: MemberChange, client: Client) -> None:
        now, values = self._clock.now(), _values(change)
        rows.change_member(conn, user_id, values, now)
        if change.is_active is not None:
            self._accounts.set_active(conn, user_id, now, active=change.is_active)
        details = {"by": str(by.user_id), "set": change.model_dump(exclude_unset=True)}
        event = AuditEvent(
            self._ids(), REALM, CHANGED, user_id, now, client.address[:64], client.device_id, details=details
        )
        audit.record(conn, event)

    def view(self, person: Person) -> MemberView:
        """A user as administrators see them."""
        account, member = person.account, person.member
        limits = limits_of(member, self._settings)
        return MemberView(
            **view(person).model_dump(),
            limits=LimitsView(**{name: getattr(limits, name) for name in COUNTERS}),
            own_limits=[name for name in COUNTERS if getattr(member, name) is not None],
            login_count=account.login_count,
            locked_until=iso_z(account.locked_until) if account.locked_until else None,
        )


def _values(change: MemberChange) -> dict[str, Any]:
    """The columns that a change sets."""
    values: dict[str, Any] = {} if change.is_vip is None else {"is_vip": change.is_vip}
    return values | (change.limits.model_dump(exclude_unset=True) if change.limits else {})


def _list(conn: Connection, request: PageRequest, part: str | None) -> Page[Person]:
    wanted = None if part is None else part.strip().casefold()
    by_email = find_by_part_of_email(conn, REALM, wanted, limit=BY_EMAIL) if wanted else ()
    page = rows.list_members(conn, request, part=wanted, also=by_email)
    accounts = list_accounts(conn, REALM, [member.user_id for member in page.items])
    persons = [Person(accounts[one.user_id], one) for one in page.items if one.user_id in accounts]
    return Page(persons, page.total, page.page, page.page_size)
