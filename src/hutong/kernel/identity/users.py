"""Queries of users and credentials, for `Identity` only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select, update

from hutong.kernel.db import insert_if_absent
from hutong.kernel.identity.errors import UserUnknown
from hutong.kernel.identity.tables import CredentialKind, UserRole, UserStatus, credentials, users
from hutong.kit.paging import Page, PageRequest


@dataclass(frozen=True, slots=True)
class User:
    """A user of one realm."""

    id: int
    realm: str
    nickname: str
    status: UserStatus
    tokens_valid_from: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """A user in an operator's list; without an e-mail address if they sign in by device."""

    id: int
    email: str | None
    nickname: str
    status: UserStatus
    role: UserRole
    login_count: int
    last_login_at: datetime | None
    locked_until: datetime | None
    created_at: datetime


_columns = [users.c[name] for name in User.__dataclass_fields__]


def get_user(conn: Connection, realm: str, user_id: int) -> User:
    """The user.

    Raises:
        UserUnknown: not in this realm.
    """
    row = conn.execute(select(*_columns).where(users.c.id == user_id, users.c.realm == realm)).first()
    if row is None:
        raise UserUnknown
    return User(*row)


def find_by_credential(conn: Connection, realm: str, kind: CredentialKind, identifier: str) -> User | None:
    """Who signs in with this credential."""
    same = (credentials.c.realm == realm, credentials.c.kind == kind, credentials.c.identifier == identifier)
    query = select(*_columns).join(credentials, credentials.c.user_id == users.c.id).where(*same)
    row = conn.execute(query).first()
    return User(*row) if row else None


def create_with_credential(conn: Connection, user: User, kind: CredentialKind, identifier: str) -> bool:
    """Add a user together with a credential. Returns False, nothing written, when the credential is taken."""
    claim = {
        "realm": user.realm,
        "kind": kind,
        "identifier": identifier,
        "user_id": user.id,
        "created_at": user.created_at,
    }
    if not insert_if_absent(conn, credentials, claim):
        return False
    row = {name: getattr(user, name) for name in User.__dataclass_fields__}
    conn.execute(users.insert().values(**row, updated_at=user.created_at))
    return True


def rename(conn: Connection, realm: str, user_id: int, nickname: str, now: datetime) -> None:
    """Give a user another nickname.

    Raises:
        UserUnknown: not in this realm.
    """
    mine = (users.c.id == user_id, users.c.realm == realm)
    if conn.execute(update(users).where(*mine).values(nickname=nickname, updated_at=now)).rowcount != 1:
        raise UserUnknown


def revoke_tokens(conn: Connection, realm: str, user_id: int, moment: datetime) -> None:
    """Every token issued before `moment` is worth nothing.

    Raises:
        UserUnknown: not in this realm.
    """
    mine = (users.c.id == user_id, users.c.realm == realm)
    if conn.execute(update(users).where(*mine).values(tokens_valid_from=moment)).rowcount != 1:
        raise UserUnknown


def set_status(conn: Connection, realm: str, user_id: int, status: UserStatus, now: datetime) -> None:
    """Block a user, or let them in again.

    Raises:
        UserUnknown: not in this realm.
    """
    mine = (users.c.id == user_id, users.c.realm == realm)
    changed = {"status": status, "updated_at": now}
    if conn.execute(update(users).where(*mine).values(**changed)).rowcount != 1:
        raise UserUnknown


def list_users(conn: Connection, realm: str, request: PageRequest) -> Page[Listed]:
    """Users of a realm, the newest first."""
    total = conn.execute(select(func.count()).select_from(users).where(users.c.realm == realm)).scalar_one()
    newest = _listed(realm).order_by(users.c.id.desc()).limit(request.page_size).offset(request.offset)
    return Page([Listed(*row) for row in conn.execute(newest)], total, request.page, request.page_size)


def get_listed(conn: Connection, realm: str, user_id: int) -> Listed:
    """One user as in the list.

    Raises:
        UserUnknown: not in this realm.
    """
    row = conn.execute(_listed(realm).where(users.c.id == user_id)).first()
    if row is None:
        raise UserUnknown
    return Listed(*row)


def _listed(realm: str) -> Select[Any]:
    columns = [credentials.c.identifier if name == "email" else users.c[name] for name in Listed.__dataclass_fields__]
    by_email = and_(credentials.c.user_id == users.c.id, credentials.c.kind == CredentialKind.EMAIL)
    return select(*columns).select_from(users.outerjoin(credentials, by_email)).where(users.c.realm == realm)
