"""Queries of accounts: users of a realm with their e-mail address. For `Accounts` and its neighbours only."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, select, update

from hutong.kernel.http.languages import Language
from hutong.kernel.identity.errors import UserUnknown
from hutong.kernel.identity.rules import default_nickname
from hutong.kernel.identity.tables import CredentialKind, UserRole, UserStatus, credentials, email_codes, users


@dataclass(frozen=True, slots=True)
class Account:
    """A user with an e-mail address.

    Args:
        id: of the user.
        email: normalised.
        nickname, language: as chosen; no language means whatever the client prefers.
        status, role: set by operators.
        email_confirmed_at: when a code from a mail to the address was first typed in.
        login_count, last_login_at: of sign-ins by password and by code.
        failed_login_attempts, locked_until: of sign-ins by password elsewhere than on known devices.
        created_at: when it was opened.
    """

    id: int
    email: str
    nickname: str
    language: Language | None
    status: UserStatus
    role: UserRole
    email_confirmed_at: datetime | None
    login_count: int
    last_login_at: datetime | None
    failed_login_attempts: int
    locked_until: datetime | None
    created_at: datetime

    def is_locked(self, now: datetime) -> bool:
        """Whether sign-in by password is closed at `now`, except on a known device."""
        return self.locked_until is not None and self.locked_until > now


@dataclass(frozen=True, slots=True)
class Secret:
    """What a password is compared with, and which of the user's passwords it is."""

    user_id: int
    password_hash: str | None
    version: int


_columns = [credentials.c.identifier if name == "email" else users.c[name] for name in Account.__dataclass_fields__]
_by_email = (credentials.c.user_id == users.c.id, credentials.c.kind == CredentialKind.EMAIL)


def _accounts(realm: str) -> Select[Any]:
    return select(*_columns).where(*_by_email, users.c.realm == realm, credentials.c.realm == realm)


def get_account(conn: Connection, realm: str, user_id: int) -> Account:
    """The account.

    Raises:
        UserUnknown: not in this realm, or a user without an e-mail address.
    """
    row = conn.execute(_accounts(realm).where(users.c.id == user_id)).first()
    if row is None:
        raise UserUnknown
    return Account(*row)


def find_account(conn: Connection, realm: str, email: str) -> Account | None:
    """The account of a normalised address."""
    row = conn.execute(_accounts(realm).where(credentials.c.identifier == email)).first()
    return Account(*row) if row else None


def find_secret(conn: Connection, realm: str, email: str) -> Secret | None:
    """What a password for this (normalised) address is compared with."""
    row = conn.execute(_secrets(realm).where(credentials.c.identifier == email)).first()
    return Secret(*row) if row else None


def get_secret(conn: Connection, realm: str, user_id: int) -> Secret:
    """What a password of this user is compared with.

    Raises:
        UserUnknown: not in this realm, or a user without an e-mail address.
    """
    row = conn.execute(_secrets(realm).where(users.c.id == user_id)).first()
    if row is None:
        raise UserUnknown
    return Secret(*row)


def _secrets(realm: str) -> Select[Any]:
    columns = (users.c.id, users.c.password_hash, users.c.password_version)
    return select(*columns).where(*_by_email, users.c.realm == realm, credentials.c.realm == realm)


def count_sign_in(conn: Connection, realm: str, user_id: int, now: datetime, *, verified: Secret | None = None) -> bool:
    """Count a sign-in of a user who may.

    Args:
        conn: the unit of work.
        realm, user_id: name the user.
        now: the present moment.
        verified: what the password was compared with, of a sign-in by password.

    Returns:
        False, nothing written, if the user is blocked or was given another password meanwhile.
    """
    mine = [users.c.id == user_id, users.c.realm == realm, users.c.status == UserStatus.ACTIVE]
    if verified is not None:
        mine.append(users.c.password_version == verified.version)
    values = {"login_count": users.c.login_count + 1, "last_login_at": now, "updated_at": now}
    return conn.execute(update(users).where(*mine).values(**values)).rowcount == 1


def replace_hash(conn: Connection, realm: str, verified: Secret, fresh: str) -> None:
    """A better hash of the same password, unless somebody has replaced the old one already."""
    mine = (users.c.id == verified.user_id, users.c.realm == realm, users.c.password_hash == verified.password_hash)
    conn.execute(update(users).where(*mine).values(password_hash=fresh))


def copy_failures(conn: Connection, realm: str, user_id: int, failures: int, locked_until: datetime | None) -> None:
    """Show in the user's row what was counted for their address; 0 is nobody's id and changes nothing."""
    copied = {"failed_login_attempts": failures, "locked_until": locked_until}
    conn.execute(update(users).where(users.c.id == user_id, users.c.realm == realm).values(**copied))


def set_password(
    conn: Connection, realm: str, user_id: int, hashed: str | None, now: datetime, *, instead_of: Secret | None = None
) -> bool:
    """Give a user another password, or none. Returns False, nothing written, if `instead_of` is not their password any more."""
    mine = [users.c.id == user_id, users.c.realm == realm]
    if instead_of is not None:
        mine.append(users.c.password_version == instead_of.version)
    changed = {"password_hash": hashed, "password_version": users.c.password_version + 1, "updated_at": now}
    return conn.execute(update(users).where(*mine).values(**changed)).rowcount == 1


def confirm_email(conn: Connection, realm: str, user_id: int, now: datetime) -> None:
    """Somebody has read a mail to the user's address; the first time is kept."""
    unknown = (users.c.id == user_id, users.c.realm == realm, users.c.email_confirmed_at.is_(None))
    conn.execute(update(users).where(*unknown).values(email_confirmed_at=now))


def set_language(conn: Connection, realm: str, user_id: int, language: Language | None, now: datetime) -> None:
    """Choose a language, or none.

    Raises:
        UserUnknown: not in this realm.
    """
    mine = (users.c.id == user_id, users.c.realm == realm)
    if conn.execute(update(users).where(*mine).values(language=language, updated_at=now)).rowcount != 1:
        raise UserUnknown


def set_role(conn: Connection, realm: str, user_id: int, role: UserRole, now: datetime) -> None:
    """Make a user an administrator, or an ordinary user again.

    Raises:
        UserUnknown: not in this realm.
    """
    mine = (users.c.id == user_id, users.c.realm == realm)
    if conn.execute(update(users).where(*mine).values(role=role, updated_at=now)).rowcount != 1:
        raise UserUnknown


def list_accounts(conn: Connection, realm: str, user_ids: Collection[int]) -> Mapping[int, Account]:
    """The accounts of these users, by their ids; who has none is left out."""
    found = (Account(*row) for row in conn.execute(_accounts(realm).where(users.c.id.in_(user_ids))))
    return {account.id: account for account in found}


def find_by_part_of_email(conn: Connection, realm: str, part: str, *, limit: int) -> Sequence[int]:
    """Ids of some accounts, the newest, in whose (normalised) address `part` stands."""
    mine = (credentials.c.realm == realm, credentials.c.kind == CredentialKind.EMAIL)
    query = select(credentials.c.user_id).where(*mine, credentials.c.identifier.contains(part, autoescape=True))
    return conn.execute(query.order_by(credentials.c.user_id.desc()).limit(limit)).scalars().all()


def remove_account(conn: Connection, realm: str, user_id: int, email: str, now: datetime) -> None:
    """Take from a user all that tells who they were; an empty, blocked row stays, for what refers to its id.

    Their address is free again.
    """
    conn.execute(delete(credentials).where(credentials.c.realm == realm, credentials.c.user_id == user_id))
    conn.execute(delete(email_codes).where(email_codes.c.realm == realm, email_codes.c.email == email))
    empty = {
        "nickname": default_nickname(user_id),
        "status": UserStatus.BLOCKED,
        "role": UserRole.USER,
        "language": None,
        "password_hash": None,
        "password_version": users.c.password_version + 1,
        "email_confirmed_at": None,
        "last_login_at": None,
        "updated_at": now,
    }
    conn.execute(update(users).where(users.c.id == user_id, users.c.realm == realm).values(**empty))
