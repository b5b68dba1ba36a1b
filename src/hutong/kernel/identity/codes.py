"""Codes by mail: six digits, kept as a keyed digest, good for one purpose, one address, minutes, a few tries and one use.

They lie in SQL, so that neither a lost store nor a second process makes one good twice. Tries are counted apart for whoever
asked for the code (the same IP address or device) and for everybody else: a stranger who guesses does not use up the
owner's tries. Source: contracts/storefront.md; OWASP ASVS 5.0 §6.5, §6.6; ADR 0018.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, select, update

from hutong.kernel.db import insert_if_absent
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.digests import Digests
from hutong.kernel.identity.errors import CodeExhausted, CodeExpired, CodeInvalid, CodeTooSoon
from hutong.kernel.identity.tables import CodePurpose, email_codes
from hutong.kernel.settings import AuthSettings
from hutong.kit.errors import HutongError

DIGITS = 6
_CODE = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Issued:
    """A code as it goes into the mail."""

    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Row:
    """A code as it is kept."""

    digest: str
    asked_from: str
    asked_on: str | None
    own_tries: int
    other_tries: int
    expires_at: datetime
    used_at: datetime | None


class Codes:
    """Codes of one realm."""

    def __init__(self, realm: str, settings: AuthSettings, digests: Digests) -> None:
        self._realm, self._digests, self._tries = realm, digests, settings.code_tries
        self._lives = timedelta(minutes=settings.code_minutes)
        self._pause = timedelta(seconds=settings.code_pause_seconds)

    def issue(self, conn: Connection, purpose: CodePurpose, email: str, client: Client, now: datetime) -> Issued:
        """A new code in place of the one before, with all its tries.

        Raises:
            CodeTooSoon: the one before was issued a moment ago; of several calls at once, one is not too soon.
        """
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
        row = {
            "digest": self._digest(purpose, email, code),
            "asked_from": client.address[:64],
            "asked_on": client.device_id,
            "own_tries": 0,
            "other_tries": 0,
            "sent_at": now,
            "expires_at": now + self._lives,
            "used_at": None,
        }
        key = {"realm": self._realm, "purpose": purpose, "email": email}
        again = update(email_codes).where(*self._named(purpose, email), email_codes.c.sent_at <= now - self._pause)
        if conn.execute(again.values(**row)).rowcount != 1 and not insert_if_absent(conn, email_codes, key | row):
            raise self._too_soon(conn, purpose, email, now)
        return Issued(code, now + self._lives)

    def spend(
        self, conn: Connection, purpose: CodePurpose, email: str, code: str, client: Client, now: datetime
    ) -> HutongError | None:
        """Try a code, and use it up if it is right: of many calls at once with the right one, a single one gets None.

        The refusal is returned, not raised, because the try has to be committed.
        """
        row = self._find(conn, purpose, email)
        if row is None or row.used_at is not None or _CODE.fullmatch(code) is None:
            return CodeInvalid()
        own = row.asked_from == client.address[:64] or (row.asked_on is not None and row.asked_on == client.device_id)
        if not self._count(conn, purpose, email, row, now, own=own):
            return self._refusal(row, now) if own else CodeInvalid()
        if not hmac.compare_digest(row.digest, self._digest(purpose, email, code)):
            return CodeInvalid()
        live = (*self._named(purpose, email), email_codes.c.digest == row.digest, email_codes.c.used_at.is_(None))
        used = conn.execute(update(email_codes).where(*live).values(used_at=now)).rowcount
        return None if used == 1 else CodeInvalid()

    def _count(
        self, conn: Connection, purpose: CodePurpose, email: str, row: _Row, now: datetime, *, own: bool
    ) -> bool:
        """Count one try of this very code, unless it is used, over or has had all its tries."""
        tries = email_codes.c.own_tries if own else email_codes.c.other_tries
        columns = email_codes.c
        live = (columns.digest == row.digest, columns.used_at.is_(None), columns.expires_at > now, tries < self._tries)
        counted = update(email_codes).where(*self._named(purpose, email), *live).values({tries: tries + 1})
        return conn.execute(counted).rowcount == 1

    def _refusal(self, row: _Row, now: datetime) -> HutongError:
        """Why a code cannot be tried, for whoever asked for it."""
        if row.expires_at <= now:
            return CodeExpired()
        return CodeExhausted() if row.own_tries >= self._tries else CodeInvalid()

    def _find(self, conn: Connection, purpose: CodePurpose, email: str) -> _Row | None:
        columns = [email_codes.c[name] for name in _Row.__dataclass_fields__]
        row = conn.execute(select(*columns).where(*self._named(purpose, email))).first()
        return _Row(*row) if row else None

    def _too_soon(self, conn: Connection, purpose: CodePurpose, email: str, now: datetime) -> CodeTooSoon:
        sent = conn.execute(select(email_codes.c.sent_at).where(*self._named(purpose, email))).scalar_one_or_none()
        left = (sent + self._pause - now).total_seconds() if sent else 0.0
        return CodeTooSoon(retry_after=max(1.0, left))

    def _digest(self, purpose: CodePurpose, email: str, code: str) -> str:
        return self._digests.of("code", self._realm, purpose.value, email, code)

    def _named(self, purpose: CodePurpose, email: str) -> tuple[ColumnElement[bool], ...]:
        columns = email_codes.c
        return columns.realm == self._realm, columns.purpose == purpose, columns.email == email
