"""Use cases of the caller's own account: opening it, signing in by username, the profile, deletion."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from hutong.apps.chat.account.members import Members
from hutong.apps.chat.account.rules import normalise_username, username_key
from hutong.apps.chat.account.schemas import UserView
from hutong.apps.chat.envelope import REALM
from hutong.apps.chat.rows import members as rows
from hutong.apps.chat.rows.members import MemberRow
from hutong.kernel.db import Database
from hutong.kernel.identity import Account, User, UserRole
from hutong.kernel.identity.account_rows import get_account
from hutong.kernel.identity.accounts import Accounts, Registration, SignedIn
from hutong.kernel.identity.api_keys import ApiKeys
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.tables import UserStatus
from hutong.kernel.jobs import Jobs
from hutong.kernel.quotas import Quotas
from hutong.kit.clock import Clock, iso_z

ERASE = "chat.account.erase"
"""The job that deletes what a removed user wrote."""


@dataclass(frozen=True, slots=True)
class Person:
    """An account and the member that belongs to it."""

    account: Account
    member: MemberRow


class OwnAccount:
    """What callers do with their own accounts.

    Args:
        db, jobs, clock: the kernel's.
        accounts: of this realm.
        members: whose copies a change drops.
        keys, quotas: which end with an account.
    """

    def __init__(
        self,
        db: Database,
        jobs: Jobs,
        clock: Clock,
        accounts: Accounts,
        members: Members,
        keys: ApiKeys,
        quotas: Quotas,
    ) -> None:
        self._db, self._jobs, self._clock, self._accounts, self._members = db, jobs, clock, accounts, members
        self._keys, self._quotas = keys, quotas

    async def register(self, username: str, wanted: Registration, client: Client) -> SignedIn:
        """Open an account and sign in.

        Raises:
            UsernameTaken, UsernameInvalid: nothing is written.
            EmailTaken, and what else `Accounts.open` raises.
        """
        name, now = normalise_username(username), self._clock.now()
        return await self._accounts.open(wanted, client, partial(_name, name, now))

    async def sign_in(self, name: str, password: str, client: Client) -> SignedIn:
        """Sign in with a username or an e-mail address.

        An unknown username is tried, counted and locked as an address that nobody has, so it is answered like one.

        Raises:
            CredentialsWrong, and what else `Accounts.sign_in` raises.
        """
        email = name if "@" in name else await self._email_of(name)
        signed_in = await self._accounts.sign_in(email, password, client)
        await self._members.forget(signed_in.user.id)
        return signed_in

    async def get(self, user_id: int) -> Person:
        """The account and its member.

        Raises:
            UserUnknown, MemberUnknown.
        """
        return await self._db.read(get_person, user_id)

    async def rename(self, user_id: int, username: str) -> None:
        """Take another username.

        Raises:
            UsernameTaken, UsernameInvalid.
        """
        name = normalise_username(username)
        await self._db.write(rows.rename_member, user_id, name, username_key(name), self._clock.now())
        await self._members.forget(user_id)

    async def remove(self, user_id: int, client: Client) -> None:
        """Delete the account. Tokens and keys end at once; a job deletes what the user wrote, piece by piece.

        Raises:
            UserUnknown.
        """
        await self._accounts.remove(user_id, client, partial(self._remove, user_id))
        await self._members.forget(user_id)

    def _remove(self, user_id: int, conn: Connection) -> None:
        rows.remove_member(conn, user_id)
        self._keys.revoke_all(conn, user_id)
        self._quotas.remove(conn, user_id)
        self._jobs.enqueue(conn, ERASE, {"user_id": str(user_id)})

    async def _email_of(self, name: str) -> str:
        key = username_key(name)
        return (
            await self._db.read(_find_email, key) or f"{hashlib.sha256(key.encode()).hexdigest()[:32]}@unknown.invalid"
        )


def get_person(conn: Connection, user_id: int) -> Person:
    """The account and its member.

    Raises:
        UserUnknown, MemberUnknown.
    """
    return Person(get_account(conn, REALM, user_id), rows.get_member(conn, user_id))


def view(person: Person) -> UserView:
    """The user as they may see themselves."""
    account, member = person.account, person.member
    return UserView(
        id=str(account.id),
        username=member.username,
        email=account.email,
        language=account.language,
        is_active=account.status is UserStatus.ACTIVE,
        is_vip=member.is_vip,
        is_admin=account.role is UserRole.ADMIN,
        created_at=iso_z(account.created_at),
        last_login_at=iso_z(account.last_login_at) if account.last_login_at else None,
    )


def welcome(conn: Connection, new: User) -> None:
    """Make a new user a member, under a name that they may change; operators open accounts, too."""
    name = f"user-{new.id}"
    rows.add_member(conn, new.id, name, name, new.created_at)


def _name(username: str, now: datetime, conn: Connection, account: Account) -> None:
    rows.rename_member(conn, account.id, username, username_key(username), now)


def _find_email(conn: Connection, key: str) -> str | None:
    user_id = rows.find_user_id(conn, key)
    return None if user_id is None else get_account(conn, REALM, user_id).email
