"""The transactions of accounts, each one short function over a connection. What was wrong is returned where the try itself
has to be committed, and raised where nothing may be.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from hutong.kernel import audit
from hutong.kernel.audit import AuditEvent
from hutong.kernel.identity import account_rows, rules, users
from hutong.kernel.identity.account_rows import Account, Secret
from hutong.kernel.identity.allowances import Allowances
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.codes import Codes
from hutong.kernel.identity.devices import KnownDevices
from hutong.kernel.identity.errors import CodeInvalid, CredentialsWrong, EmailTaken, UserBlocked
from hutong.kernel.identity.lockout import Attempt, Lockout
from hutong.kernel.identity.notices import LockNotices
from hutong.kernel.identity.service import RealmPolicy
from hutong.kernel.identity.sessions import Sessions
from hutong.kernel.identity.tables import CodePurpose, CredentialKind, UserRole, UserStatus
from hutong.kernel.identity.users import User
from hutong.kernel.mail import Mail, moment_text
from hutong.kernel.mail.catalogue import CODE, EXISTS, PASSWORD_CHANGED, UNKNOWN, WELCOME
from hutong.kernel.settings import AuthSettings
from hutong.kit.errors import HutongError

REGISTERED = "account.registered"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that is to be opened.

    Args:
        email: normalised.
        nickname: None makes one up.
        hashed: of the password; None for an account that only mail codes open.
        role: what the user may do.
    """

    email: str
    nickname: str | None = None
    hashed: str | None = None
    role: UserRole = UserRole.USER


@dataclass(frozen=True, slots=True)
class ByCode:
    """Who signed in by a code, and whether sessions from before have to end."""

    account: Account
    taken_back: bool


@dataclass(frozen=True)
class Transactions:
    """What accounts write.

    Args:
        policy: the realm, and what comes with a new user.
        settings: what applies to it.
        ids: makes ids of users and events.
        mail, sessions: of the installation, and of the realm.
        lockout, codes, allowances, devices, notices: of the realm.
    """

    policy: RealmPolicy
    settings: AuthSettings
    ids: Callable[[], int]
    mail: Mail
    sessions: Sessions
    lockout: Lockout
    codes: Codes
    allowances: Allowances
    devices: KnownDevices
    notices: LockNotices

    @property
    def realm(self) -> str:
        return self.policy.name

    # Opening an account

    def register(
        self, conn: Connection, new: NewAccount, code: str | None, client: Client, now: datetime
    ) -> HutongError | None:
        """Open an account, or tell the owner of the one there is; the caller cannot see which."""
        if self.settings.register_needs_code:
            attempt = self.lockout.begin(conn, new.email, client, now, by_code=True)
            refusal = self._spent(conn, attempt, CodePurpose.REGISTER, code or "", now)
            if refusal is not None:
                return refusal
        account = self.create(conn, new, client, now)
        if account is not None and self.settings.register_needs_code:
            account_rows.confirm_email(conn, self.realm, account.id, now)
        known = account_rows.find_account(conn, self.realm, new.email)
        language = (known and known.language) or client.language
        if self.allowances.take_notice(conn, new.email, now):
            self.mail.enqueue(conn, WELCOME if account else EXISTS, new.email, language, {})
        return None

    def open(
        self,
        conn: Connection,
        new: NewAccount,
        code: str | None,
        also: Callable[[Connection, Account], None],
        client: Client,
        now: datetime,
    ) -> Account | HutongError:
        """Open an account whose owner is signed in at once; an address that is taken is told, and its owner gets a mail.

        Raises:
            Whatever `also`, which writes what the app keeps of a user, raises; nothing is written then.
        """
        if self.settings.register_needs_code:
            attempt = self.lockout.begin(conn, new.email, client, now, by_code=True)
            refusal = self._spent(conn, attempt, CodePurpose.REGISTER, code or "", now)
            if refusal is not None:
                return refusal
        account = self.create(conn, new, client, now)
        if self.allowances.take_notice(conn, new.email, now):
            self.mail.enqueue(conn, WELCOME if account else EXISTS, new.email, client.language, {})
        if account is None:
            return EmailTaken()
        also(conn, account)
        if self.settings.register_needs_code:
            account_rows.confirm_email(conn, self.realm, account.id, now)
        account_rows.count_sign_in(conn, self.realm, account.id, now)
        self.devices.remember(conn, new.email, client, account.id, now)
        return account_rows.get_account(conn, self.realm, account.id)

    def create(self, conn: Connection, new: NewAccount, client: Client | None, now: datetime) -> Account | None:
        """Open an account; None, nothing written, if there is one with this address."""
        user_id = self.ids()
        nickname = new.nickname or rules.default_nickname(user_id)
        user = User(user_id, self.realm, nickname, UserStatus.ACTIVE, now.replace(microsecond=0), now)
        if not users.create_with_credential(conn, user, CredentialKind.EMAIL, new.email):
            return None
        if new.hashed is not None:
            account_rows.set_password(conn, self.realm, user_id, new.hashed, now)
        if new.role is not UserRole.USER:
            account_rows.set_role(conn, self.realm, user_id, new.role, now)
        self.policy.on_created(conn, user)
        self._record(conn, REGISTERED, user_id, client, now)
        return account_rows.get_account(conn, self.realm, user_id)

    # Signing in by password

    def begin_sign_in(
        self, conn: Connection, email: str, client: Client, now: datetime
    ) -> tuple[Attempt, Secret | None]:
        """Count a try, and read what to compare the password with.

        Raises:
            SignInLocked.
        """
        attempt = self.lockout.begin(conn, email, client, now)
        return attempt, account_rows.find_secret(conn, self.realm, email)

    def fail_sign_in(self, conn: Connection, attempt: Attempt, secret: Secret | None, now: datetime) -> None:
        """The password was wrong, or there is no such account: the same is written."""
        user_id = secret.user_id if secret else None
        if self.lockout.failed(conn, attempt, user_id, now):
            self.notices.enqueue(conn, self.realm, user_id)

    def finish_sign_in(
        self, conn: Connection, attempt: Attempt, verified: Secret, fresh: str | None, now: datetime
    ) -> Account | HutongError:
        """The password was right; unless the user is blocked, or it was changed meanwhile, they are in."""
        if not account_rows.count_sign_in(conn, self.realm, verified.user_id, now, verified=verified):
            self.lockout.give_back(conn, attempt)
            blocked = users.get_user(conn, self.realm, verified.user_id).status is UserStatus.BLOCKED
            return UserBlocked() if blocked else CredentialsWrong()
        if fresh is not None:
            account_rows.replace_hash(conn, self.realm, verified, fresh)
        self.lockout.succeeded(conn, attempt, verified.user_id, now)
        self._record(conn, "account.signed_in", verified.user_id, attempt.client, now, {"by": "password"})
        return account_rows.get_account(conn, self.realm, verified.user_id)

    def give_back(self, conn: Connection, attempt: Attempt) -> None:
        """A try that was counted was not made."""
        self.lockout.give_back(conn, attempt)

    # Codes by mail

    def send_code(self, conn: Connection, email: str, purpose: CodePurpose, client: Client, now: datetime) -> None:
        """Write a code and the job that mails it; the same is written whether or not there is an account.

        Raises:
            CodeTooSoon, CodesUsedUp.
        """
        self.allowances.take_code(conn, email, client, now)
        issued = self.codes.issue(conn, purpose, email, client, now)
        account = account_rows.find_account(conn, self.realm, email)
        minutes = str(math.ceil(self.settings.code_minutes))
        template, values = CODE, {"purpose": purpose.value, "code": issued.code, "minutes": minutes}
        if purpose is CodePurpose.RESET and account is None:
            template, values = UNKNOWN, {}
        self.mail.enqueue(conn, template, email, client.language, values, until=issued.expires_at)
        user_id = account.id if account else None
        self._record(conn, "code.sent", user_id, client, now, {"purpose": purpose.value})

    def sign_in_with_code(
        self, conn: Connection, email: str, code: str, client: Client, now: datetime
    ) -> "ByCode | HutongError":
        """Use up a code and sign in, opening an account if there is none.

        Raises:
            SignInLocked: too many wrong codes from this IP address.
        """
        attempt = self.lockout.begin(conn, email, client, now, by_code=True)
        refusal = self._spent(conn, attempt, CodePurpose.LOGIN, code, now)
        if refusal is not None:
            return refusal
        account = account_rows.find_account(conn, self.realm, email)
        if account is None:
            account = self.create(conn, NewAccount(email), client, now)
            account = account or account_rows.find_account(conn, self.realm, email)
            assert account is not None  # somebody opened it at the same moment
        if not account_rows.count_sign_in(conn, self.realm, account.id, now):
            return UserBlocked()
        taken_back = self._take_back(conn, account, client, now)
        account_rows.confirm_email(conn, self.realm, account.id, now)
        self.devices.remember(conn, email, client, account.id, now)
        self._record(conn, "account.signed_in", account.id, client, now, {"by": "code"})
        return ByCode(account_rows.get_account(conn, self.realm, account.id), taken_back)

    def _take_back(self, conn: Connection, account: Account, client: Client, now: datetime) -> bool:
        """Void what a stranger may have set up under an address that nobody had proven: its password, sessions and devices.

        That is, the first time that a mail to the address was read, and by another device and IP address than the one that
        registered. Returns whether there was a password to void; the caller has to end the sessions after the commit.
        """
        opened = audit.find_first(conn, self.realm, REGISTERED, account.id)
        if account.email_confirmed_at is not None or opened is None or opened.address is None:
            return False  # an operator who opens an account answers for its address
        if _is_same(opened, client):
            return False
        if account_rows.get_secret(conn, self.realm, account.id).password_hash is None:
            return False
        account_rows.set_password(conn, self.realm, account.id, None, now)
        self.devices.forget(conn, account.id)
        self.sessions.end_within(conn, account.id)
        self._tell_changed(conn, account, "account.taken_back", client, now)
        return True

    def reset_password(
        self, conn: Connection, email: str, code: str, hashed: str, client: Client, now: datetime
    ) -> int | HutongError:
        """Use up a code and set a password; the user's id.

        Raises:
            SignInLocked: too many wrong codes from this IP address.
        """
        attempt = self.lockout.begin(conn, email, client, now, by_code=True)
        refusal = self._spent(conn, attempt, CodePurpose.RESET, code, now)
        account = account_rows.find_account(conn, self.realm, email)
        if refusal is not None or account is None:
            return refusal or CodeInvalid()
        account_rows.set_password(conn, self.realm, account.id, hashed, now)
        account_rows.confirm_email(conn, self.realm, account.id, now)
        self.lockout.lift(conn, email, account.id)
        self.devices.remember(conn, email, client, account.id, now)
        self.sessions.end_within(conn, account.id)
        self._tell_changed(conn, account, "password.reset", client, now)
        return account.id

    def _spent(
        self, conn: Connection, attempt: Attempt, purpose: CodePurpose, code: str, now: datetime
    ) -> HutongError | None:
        """Try a code, and count a wrong one against the IP address."""
        refusal = self.codes.spend(conn, purpose, attempt.email, code, attempt.client, now)
        if refusal is None:
            self.lockout.give_back(conn, attempt)
        else:
            self.lockout.failed_by_code(conn, attempt, now)
        return refusal

    # Changing the password

    def begin_change(self, conn: Connection, user_id: int, client: Client, now: datetime) -> tuple[Attempt, Secret]:
        """Count a try, and read what to compare the current password with.

        Raises:
            UserUnknown, SignInLocked.
        """
        account = account_rows.get_account(conn, self.realm, user_id)
        attempt = self.lockout.begin_change(conn, user_id, account.email, client, now)
        return attempt, account_rows.get_secret(conn, self.realm, user_id)

    def finish_change(
        self, conn: Connection, attempt: Attempt, verified: Secret, hashed: str, keep: int, now: datetime
    ) -> bool:
        """Set the new password; False, nothing written, if the current one was changed meanwhile."""
        user_id = verified.user_id
        if not account_rows.set_password(conn, self.realm, user_id, hashed, now, instead_of=verified):
            return False
        self.lockout.changed(conn, attempt)
        self.sessions.end_within(conn, user_id, keep=keep)
        account = account_rows.get_account(conn, self.realm, user_id)
        self._tell_changed(conn, account, "password.changed", attempt.client, now)
        return True

    def _tell_changed(self, conn: Connection, account: Account, kind: str, client: Client, now: datetime) -> None:
        language = account.language or client.language
        self.mail.enqueue(conn, PASSWORD_CHANGED, account.email, language, {"changed_at": moment_text(now)})
        self._record(conn, kind, account.id, client, now)

    # Leaving

    def remove(
        self, conn: Connection, user_id: int, also: Callable[[Connection], None], client: Client, now: datetime
    ) -> None:
        """Remove an account with its sessions and devices, and in the same transaction what `also` removes.

        Raises:
            UserUnknown.
        """
        account = account_rows.get_account(conn, self.realm, user_id)
        self.sessions.end_within(conn, user_id)
        account_rows.remove_account(conn, self.realm, user_id, account.email, now)
        self.devices.forget(conn, user_id)
        also(conn)
        self._record(conn, "account.removed", user_id, client, now)

    # Operators

    def set_status(self, conn: Connection, user_id: int, status: UserStatus, now: datetime) -> None:
        """Block a user and end their sessions, or let them in again.

        Raises:
            UserUnknown.
        """
        account = account_rows.get_account(conn, self.realm, user_id)
        users.set_status(conn, self.realm, user_id, status, now)
        if status is UserStatus.BLOCKED:
            self.sessions.end_within(conn, user_id)
        else:
            self.lockout.lift(conn, account.email, user_id)
        kind = "account.blocked" if status is UserStatus.BLOCKED else "account.unblocked"
        self._record(conn, kind, user_id, None, now)

    def _record(
        self,
        conn: Connection,
        kind: str,
        user_id: int | None,
        client: Client | None,
        now: datetime,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        address, device_id = (client.address[:64], client.device_id) if client else (None, None)
        audit.record(
            conn, AuditEvent(self.ids(), self.realm, kind, user_id, now, address, device_id, dict(details or {}))
        )


def _is_same(event: AuditEvent, client: Client) -> bool:
    """Whether an event was caused from the same IP address or on the same device."""
    return event.address == client.address[:64] or (event.device_id is not None and event.device_id == client.device_id)
