"""Accounts with an e-mail address: register, sign in by password or by mail code, change and reset the password.

Nobody learns here whether an address has an account: what a stranger is answered, and the work that is done for it, is the
same either way. Source: contracts/storefront.md "Endpoints" and "Users"; docs/decisions/0018-lockout-and-enumeration.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import SecretStr
from sqlalchemy import Connection

from hutong.kernel.db import Database
from hutong.kernel.http.languages import Language
from hutong.kernel.http.limits import Limit, Limiter
from hutong.kernel.identity import account_rows, password_rules, rules, users
from hutong.kernel.identity.account_rows import Account, Secret
from hutong.kernel.identity.allowances import Allowances
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.codes import Codes
from hutong.kernel.identity.devices import KnownDevices
from hutong.kernel.identity.digests import Digests
from hutong.kernel.identity.emails import normalise_email
from hutong.kernel.identity.errors import CredentialsWrong, EmailTaken, PasswordsBusy, PasswordWrong
from hutong.kernel.identity.lockout import Attempt, Lockout
from hutong.kernel.identity.notices import LockNotices
from hutong.kernel.identity.passwords import Passwords, Verdict, check_imported
from hutong.kernel.identity.service import RealmPolicy
from hutong.kernel.identity.sessions import Sessions, TokenPair
from hutong.kernel.identity.tables import CodePurpose, UserRole, UserStatus
from hutong.kernel.identity.transactions import NewAccount, Transactions
from hutong.kernel.jobs import Jobs
from hutong.kernel.mail import Mail
from hutong.kernel.settings import AuthSettings
from hutong.kit.clock import Clock
from hutong.kit.errors import HutongError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody gives to open an account.

    Args:
        email: as typed.
        password: as typed.
        nickname: 1 to 64 printable characters; one is made up when left out.
        code: of purpose `register`, where the settings ask for it.
    """

    email: str
    password: str
    nickname: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in, and their tokens."""

    user: Account
    tokens: TokenPair


@dataclass(frozen=True, slots=True)
class AccountServices:
    """The kernel's services that accounts stand on.

    Args:
        db, limiter, jobs, mail, clock: the kernel's.
        ids: makes ids.
        passwords: the hashing threads of this process.
        settings: the kernel's `auth` section.
        secret: the kernel's `identity_secret`.
    """

    db: Database
    limiter: Limiter
    jobs: Jobs
    mail: Mail
    ids: Callable[[], int]
    clock: Clock
    passwords: Passwords
    settings: AuthSettings
    secret: SecretStr


class Accounts:
    """Accounts of one realm.

    What a stranger may call raises `LimitExceeded` beyond the calls of one IP address a minute, and what hashes raises
    `PasswordsBusy` (503, `retry_after`) when more passwords wait than the queue takes.

    Args:
        policy: the realm, and what comes with a new user.
        sessions: of the same realm.
        services: the kernel's.
    """

    def __init__(self, policy: RealmPolicy, sessions: Sessions, services: AccountServices) -> None:
        settings, digests = services.settings, Digests(services.secret)
        devices = KnownDevices(policy.name, digests)
        self._realm, self._sessions, self._settings = policy.name, sessions, settings
        self._db, self._clock, self._limiter = services.db, services.clock, services.limiter
        self._passwords = services.passwords
        self._limit = Limit(f"{policy.name}.auth", settings.calls_per_minute)
        self._write = Transactions(
            policy=policy,
            settings=settings,
            ids=services.ids,
            mail=services.mail,
            sessions=sessions,
            lockout=Lockout(policy.name, settings, digests, devices, services.ids),
            codes=Codes(policy.name, settings, digests),
            allowances=Allowances(policy.name, settings, digests, devices),
            devices=devices,
            notices=LockNotices(services.db, services.jobs, services.mail, services.clock, settings),
        )

    @property
    def realm(self) -> str:
        return self._realm

    async def register(self, wanted: Registration, client: Client) -> None:
        """Open an account. A known address is answered like a new one; only the mail to it tells.

        Raises:
            EmailInvalid, PasswordTooShort, PasswordTooLong, PasswordInvalid, PasswordCommon, NicknameInvalid.
            CodeInvalid, CodeExpired, CodeExhausted, SignInLocked: where the settings ask for a code.
            RegistrationsUsedUp: of this IP address, today.
        """
        new = await self._prepared(wanted, client)
        _or_raise(await self._db.write(self._write.register, new, wanted.code, client, self._clock.now()))

    async def open(self, wanted: Registration, client: Client, also: Callable[[Connection, Account], None]) -> SignedIn:
        """Open an account and sign its owner in, for an app whose contract answers a registration with tokens.

        That tells a stranger whether an address has an account, which `register` does not; the day's registrations of an IP
        address are what bounds it.

        Args:
            wanted: as typed.
            client: who calls.
            also: writes what the app keeps of a user, in the same transaction.

        Raises:
            EmailTaken: its owner gets a mail.
            EmailInvalid, PasswordTooShort, PasswordTooLong, PasswordInvalid, PasswordCommon, NicknameInvalid.
            CodeInvalid, CodeExpired, CodeExhausted, SignInLocked: where the settings ask for a code.
            RegistrationsUsedUp: of this IP address, today.
        """
        new = await self._prepared(wanted, client)
        account = _or_raise(await self._db.write(self._write.open, new, wanted.code, also, client, self._clock.now()))
        return await self._opened(account, client)

    async def _prepared(self, wanted: Registration, client: Client) -> NewAccount:
        """Check a registration, count it, and hash its password."""
        email = normalise_email(wanted.email)
        nickname = None if wanted.nickname is None else rules.normalise_nickname(wanted.nickname)
        password_rules.check_new(wanted.password, email)
        await self._limiter.hit(self._limit, client.address)
        await self._db.write(self._write.allowances.take_registration, client, self._clock.now())
        return NewAccount(email, nickname, await self._passwords.hash(wanted.password))

    async def sign_in(self, email: str, password: str, client: Client) -> SignedIn:
        """Sign in by password.

        Raises:
            CredentialsWrong: unknown address, no password or another one.
            SignInLocked: too many failures; `retry_after` says when it opens.
            UserBlocked: by an operator; only whoever knows the password learns it.
            EmailInvalid, PasswordTooLong, PasswordInvalid.
        """
        address = normalise_email(email)
        password_rules.check_typed(password)
        await self._limiter.hit(self._limit, client.address)
        attempt, secret = await self._db.write(self._write.begin_sign_in, address, client, self._clock.now())
        verdict = await self._verified(attempt, password, secret)
        if secret is None or not verdict.right:
            await self._db.write(self._write.fail_sign_in, attempt, secret, self._clock.now())
            raise CredentialsWrong
        fresh = await self._passwords.hash(password) if verdict.outdated else None
        now = self._clock.now()
        account = _or_raise(await self._db.write(self._write.finish_sign_in, attempt, secret, fresh, now))
        return await self._opened(account, client, secret)

    async def send_code(self, email: str, purpose: CodePurpose, client: Client) -> None:
        """Send a code of 6 digits, in place of an earlier one for the same purpose.

        Raises:
            CodeTooSoon: one was sent a moment ago (`retry_after`).
            CodesUsedUp: the day's codes of this address, this client or the realm are sent (`retry_after`).
            EmailInvalid.
        """
        address = normalise_email(email)
        await self._limiter.hit(self._limit, client.address)
        await self._db.write(self._write.send_code, address, purpose, client, self._clock.now())

    async def sign_in_with_code(self, email: str, code: str, client: Client) -> SignedIn:
        """Sign in with a code of purpose `login`; an unknown address becomes an account without a password.

        Whoever is the first to prove an address that somebody else registered has it alone: the password and the sessions
        from before end.

        Raises:
            CodeInvalid, CodeExpired, CodeExhausted, UserBlocked, EmailInvalid.
            SignInLocked: too many failures of this IP address.
        """
        address = normalise_email(email)
        await self._limiter.hit(self._limit, client.address)
        now = self._clock.now()
        entered = _or_raise(await self._db.write(self._write.sign_in_with_code, address, code, client, now))
        if entered.taken_back:
            await self._sessions.end_all(entered.account.id)
        return await self._opened(entered.account, client)

    async def reset_password(self, email: str, code: str, new_password: str, client: Client) -> None:
        """Set a new password with a code of purpose `reset`; ends all sessions and lifts the lock.

        Raises:
            CodeInvalid, CodeExpired, CodeExhausted, EmailInvalid, PasswordTooShort, PasswordTooLong, PasswordInvalid,
            PasswordCommon.
            SignInLocked: too many failures of this IP address.
        """
        address = normalise_email(email)
        password_rules.check_new(new_password, address)
        await self._limiter.hit(self._limit, client.address)
        hashed, now = await self._passwords.hash(new_password), self._clock.now()
        user_id = _or_raise(await self._db.write(self._write.reset_password, address, code, hashed, client, now))
        await self._sessions.end_all(user_id)

    async def change_password(self, user_id: int, keep: int, current: str, new_password: str, client: Client) -> None:
        """Set a new password with the current one; ends the user's sessions but `keep`.

        Raises:
            PasswordWrong: `current` is not the password, or there is none (`reset_password` sets one).
            SignInLocked, PasswordTooShort, PasswordTooLong, PasswordInvalid, PasswordCommon, UserUnknown.
        """
        password_rules.check_typed(current)
        password_rules.check_new(new_password, (await self.get(user_id)).email)
        await self._limiter.hit(self._limit, client.address)
        attempt, secret = await self._db.write(self._write.begin_change, user_id, client, self._clock.now())
        verdict = await self._verified(attempt, current, secret)
        if not verdict.right:
            await self._db.write(self._write.lockout.failed, attempt, user_id, self._clock.now())
            raise PasswordWrong
        hashed, now = await self._passwords.hash(new_password), self._clock.now()
        if not await self._db.write(self._write.finish_change, attempt, secret, hashed, keep, now):
            raise PasswordWrong
        await self._sessions.end_others(user_id, keep)

    async def get(self, user_id: int) -> Account:
        """The account.

        Raises:
            UserUnknown.
        """
        return await self._db.read(account_rows.get_account, self._realm, user_id)

    async def rename(self, user_id: int, nickname: str) -> None:
        """Change the nickname.

        Raises:
            UserUnknown, NicknameInvalid.
        """
        wanted = rules.normalise_nickname(nickname)
        await self._db.write(users.rename, self._realm, user_id, wanted, self._clock.now())

    async def set_language(self, user_id: int, language: Language | None) -> None:
        """Choose the language of answers and mails; None: whatever the client prefers.

        Raises:
            UserUnknown.
        """
        await self._db.write(account_rows.set_language, self._realm, user_id, language, self._clock.now())

    async def create(
        self, email: str, *, password: str | None = None, hashed: str | None = None, role: UserRole = UserRole.USER
    ) -> Account:
        """An operator's: open an account, without a mail.

        Args:
            email: as typed.
            password: checked like any; None for an account that is opened by mail codes, or with `hashed`.
            hashed: an argon2id or bcrypt hash from elsewhere; it is replaced at the first sign-in.
            role: what the user may do.

        Raises:
            EmailTaken, EmailInvalid, HashUnknown, PasswordTooShort, PasswordTooLong, PasswordInvalid, PasswordCommon.
        """
        address = normalise_email(email)
        if hashed is not None:
            check_imported(hashed)
        elif password is not None:
            password_rules.check_new(password, address)
            hashed = await self._passwords.hash(password)
        account = await self._db.write(
            self._write.create, NewAccount(address, None, hashed, role=role), None, self._clock.now()
        )
        if account is None:
            raise EmailTaken
        return account

    async def block(self, user_id: int) -> None:
        """An operator's: the user is signed out everywhere at once and cannot sign in.

        Raises:
            UserUnknown.
        """
        await self._db.write(self._write.set_status, user_id, UserStatus.BLOCKED, self._clock.now())
        await self._sessions.end_all(user_id)

    async def unblock(self, user_id: int) -> None:
        """An operator's: the user may sign in again, and a lock is lifted.

        Raises:
            UserUnknown.
        """
        await self._db.write(self._write.set_status, user_id, UserStatus.ACTIVE, self._clock.now())

    def set_active(self, conn: Connection, user_id: int, now: datetime, *, active: bool) -> None:
        """`block` or `unblock` in the transaction of somebody else, who calls `end_all` of the sessions after the commit.

        Raises:
            UserUnknown.
        """
        self._write.set_status(conn, user_id, UserStatus.ACTIVE if active else UserStatus.BLOCKED, now)

    async def remove(self, user_id: int, client: Client, also: Callable[[Connection], None]) -> None:
        """Remove an account: its address is free, its tokens end at once, nobody can sign in to it.

        An empty row of the user stays, and the audit trail, which names the user's id and the IP addresses of their calls.

        Args:
            user_id: whose.
            client: who calls.
            also: removes what the app keeps of the user, in the same transaction.

        Raises:
            UserUnknown.
        """
        await self._db.write(self._write.remove, user_id, also, client, self._clock.now())
        await self._sessions.end_all(user_id)

    async def _verified(self, attempt: Attempt, password: str, secret: Secret | None) -> Verdict:
        """Compare a password; a try that could not be made is given back."""
        try:
            return await self._passwords.verify(password, secret.password_hash if secret else None)
        except PasswordsBusy:
            await self._db.write(self._write.give_back, attempt)
            raise

    async def _opened(self, account: Account, client: Client, verified: Secret | None = None) -> SignedIn:
        """Open a session; if the password was changed since it was verified, this is one of the sessions to end."""
        tokens = await self._sessions.open(account.id, client)
        if verified is not None:
            current = await self._db.read(account_rows.get_secret, self._realm, account.id)
            if current.version != verified.version:
                await self._sessions.end(account.id, tokens.session_id)
                raise CredentialsWrong
        return SignedIn(account, tokens)


def _or_raise(outcome: T | HutongError) -> T:
    if isinstance(outcome, HutongError):
        raise outcome
    return outcome
