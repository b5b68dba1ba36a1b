"""API keys: what a program shows instead of a person's token. Shown once, and kept as a digest only.

`hk-`, 43 digits of base 62 from 256 random bits, and 6 that check them, so that a mistyped key is told from a wrong one, and
a scanner for leaked secrets from noise, without asking anybody. A key is so random that a plain SHA-256 keeps it.
"""

import hashlib
import secrets
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select, update

from hutong.kernel import audit
from hutong.kernel.audit import AuditEvent
from hutong.kernel.db import insert_if_absent
from hutong.kernel.identity.errors import ApiKeyExpiryInvalid, ApiKeyMalformed, ApiKeyNameInvalid, ApiKeysFull
from hutong.kernel.identity.tables import api_keys
from hutong.kit.clock import Clock
from hutong.kit.text import is_printable

MARK = "hk-"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_DIGITS, CHECK_DIGITS = 43, 6
SHOWN = len(MARK) + 4
LENGTH = len(MARK) + RANDOM_DIGITS + CHECK_DIGITS
LONGEST_NAME = 64
MOST_KEYS = 20
USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its owner sees it.

    Args:
        id: by which it is revoked.
        user_id: whose.
        name: that the owner gave it.
        prefix, last_four: first and last characters, by which the owner knows it again.
        created_at, expires_at: None does not expire.
        last_used_at: at most a minute behind.
    """

    id: int
    user_id: int
    name: str
    prefix: str
    last_four: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class ApiKeys:
    """Keys of one realm's users; each function takes the caller's transaction.

    Args:
        realm: whose users.
        ids: makes ids of keys and of audit events.
        clock: says what has expired.
        most: good keys of one user.
    """

    def __init__(self, realm: str, ids: Callable[[], int], clock: Clock, most: int = MOST_KEYS) -> None:
        self._realm, self._ids, self._clock, self._most = realm, ids, clock, most

    def create(
        self, conn: Connection, user_id: int, name: str, expires_at: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """Make a key; the secret is nowhere but in the result.

        Raises:
            ApiKeyNameInvalid, ApiKeyExpiryInvalid.
            ApiKeysFull: the user has `most` keys that are good.
        """
        now, name = self._clock.now(), normalise_key_name(name)
        if expires_at is not None and expires_at <= now:
            raise ApiKeyExpiryInvalid
        secret = new_secret()
        key = ApiKey(self._ids(), user_id, name, secret[:SHOWN], secret[-4:], now, expires_at, None)
        self._free_expired(conn, user_id, now)
        self._insert(conn, key, digest_of(secret))
        self._record(conn, "api_key.created", key.user_id, key.id, now)
        return key, secret

    def list(self, conn: Connection, user_id: int) -> list[ApiKey]:
        """The user's keys, the newest first: those that expired too, those that were revoked not."""
        mine = select(*_columns()).where(*self._mine(user_id), api_keys.c.revoked_at.is_(None))
        return [ApiKey(*row) for row in conn.execute(mine.order_by(api_keys.c.id.desc()))]

    def revoke(self, conn: Connection, user_id: int, key_id: int) -> bool:
        """End a key; every process refuses it within `COPY_SECONDS` of `key_checks`. Returns whether it was there."""
        now = self._clock.now()
        good = (*self._mine(user_id), api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        if conn.execute(update(api_keys).where(*good).values(revoked_at=now, slot=None)).rowcount != 1:
            return False
        self._record(conn, "api_key.revoked", user_id, key_id, now)
        return True

    def revoke_all(self, conn: Connection, user_id: int) -> None:
        """End all keys of a user, as when the account is blocked or deleted."""
        good = (*self._mine(user_id), api_keys.c.revoked_at.is_(None))
        conn.execute(update(api_keys).where(*good).values(revoked_at=self._clock.now(), slot=None))

    def find(self, conn: Connection, digest: str) -> ApiKey | None:
        """The key with this digest, unless it was revoked; it may have expired."""
        one = (api_keys.c.digest == digest, api_keys.c.realm == self._realm, api_keys.c.revoked_at.is_(None))
        row = conn.execute(select(*_columns()).where(*one)).first()
        return ApiKey(*row) if row else None

    def touch(self, conn: Connection, key_id: int, now: datetime) -> None:
        """Note that a key was used, unless somebody noted that less than a minute ago."""
        used = api_keys.c.last_used_at
        due = (api_keys.c.id == key_id, or_(used.is_(None), used <= now - USED_EVERY))
        conn.execute(update(api_keys).where(*due).values(last_used_at=now))

    def _insert(self, conn: Connection, key: ApiKey, digest: str) -> None:
        """Take the lowest free place; whoever loses one to another at this moment takes the next."""
        row = {name: getattr(key, name) for name in ApiKey.__dataclass_fields__}
        taken = set(conn.execute(select(api_keys.c.slot).where(*self._mine(key.user_id))).scalars())
        for slot in range(self._most):
            if slot in taken:
                continue
            if insert_if_absent(conn, api_keys, row | {"realm": self._realm, "digest": digest, "slot": slot}):
                return
        raise ApiKeysFull(details={"most": self._most})

    def _free_expired(self, conn: Connection, user_id: int, now: datetime) -> None:
        expired = (*self._mine(user_id), api_keys.c.slot.is_not(None), api_keys.c.expires_at <= now)
        conn.execute(update(api_keys).where(*expired).values(slot=None))

    def _mine(self, user_id: int) -> tuple[ColumnElement[bool], ...]:
        return api_keys.c.realm == self._realm, api_keys.c.user_id == user_id

    def _record(self, conn: Connection, kind: str, user_id: int, key_id: int, now: datetime) -> None:
        details = {"key_id": str(key_id)}
        audit.record(conn, AuditEvent(self._ids(), self._realm, kind, user_id, now, details=details))


def new_secret() -> str:
    """A key that nobody has seen."""
    body = MARK + _digits(secrets.randbits(256), RANDOM_DIGITS)
    return body + _check(body)


def checked(secret: str) -> str:
    """The digest of something that has the form of a key; asks nobody.

    Raises:
        ApiKeyMalformed: it has not; it was mistyped or cut off, or never was a key of ours.
    """
    body, check = secret[:-CHECK_DIGITS], secret[-CHECK_DIGITS:]
    if len(secret) != LENGTH or not secret.startswith(MARK) or not secret.isascii() or check != _check(body):
        raise ApiKeyMalformed
    return digest_of(secret)


def digest_of(secret: str) -> str:
    """What is kept of a key: its SHA-256 in hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def normalise_key_name(text: str) -> str:
    """The form in which a name is kept: NFC, without blanks around it.

    Raises:
        ApiKeyNameInvalid.
    """
    name = unicodedata.normalize("NFC", text).strip() if is_printable(text) else ""
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ApiKeyNameInvalid
    return name


def forget_revoked(conn: Connection, before: datetime) -> None:
    """Delete keys that were revoked, or expired, before `before`."""
    conn.execute(api_keys.delete().where(or_(api_keys.c.revoked_at < before, api_keys.c.expires_at < before)))


def _check(body: str) -> str:
    return _digits(zlib.crc32(body.encode()), CHECK_DIGITS)


def _digits(number: int, length: int) -> str:
    found = []
    for _ in range(length):
        number, digit = divmod(number, len(DIGITS))
        found.append(DIGITS[digit])
    return "".join(reversed(found))


def _columns() -> list[ColumnElement[Any]]:
    return [api_keys.c[name] for name in ApiKey.__dataclass_fields__]
