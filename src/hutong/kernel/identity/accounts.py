"""Accounts with an e-mail address: register, sign in by password or by mail code, change and reset the password.

Nobody learns here whether an address has an account: what a stranger is answered, and the work that is done for it, is the
same either way. Source: contracts/storefront.md "Endpoints" and "Users"; docs/decisions/0018-lockout-and-enumeration.md.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hutong.kernel.http.languages import Language
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.sessions import TokenPair


class CodePurpose(StrEnum):
    """What a code by mail may be used for; a code of one purpose is worth nothing for another."""

    REGISTER = "register"
    LOGIN = "login"
    RESET = "reset"


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
class Account:
    """A user with an e-mail address, as the user may see it."""

    id: int
    email: str
    nickname: str
    language: Language | None
    login_count: int
    last_login_at: datetime | None
    failed_login_attempts: int
    locked_until: datetime | None
    created_at: datetime

    def is_locked(self, now: datetime) -> bool:
        """Whether sign-in by password is closed at `now`, except from a known device."""
        return self.locked_until is not None and self.locked_until > now


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in, and their tokens."""

    user: Account
    tokens: TokenPair


class Accounts:
    """Accounts of one realm.

    Every method that a stranger may call raises `LimitExceeded` beyond the calls of one address a minute, and
    `PasswordsBusy` (503, `retry_after`) when more passwords wait to be hashed than the queue takes.
    """

    async def register(self, wanted: Registration, client: Client) -> None:
        """Open an account. A known address is answered like a new one; only the mail to it tells.

        Raises:
            EmailInvalid, PasswordTooShort, PasswordTooLong, PasswordInvalid, PasswordCommon, NicknameInvalid.
            CodeInvalid, CodeExpired, CodeExhausted: where the settings ask for a code.
        """

    async def sign_in(self, email: str, password: str, client: Client) -> SignedIn:
        """Sign in by password.

        Raises:
            CredentialsWrong: unknown address, no password or another one.
            SignInLocked: too many failures; `retry_after` says when it opens.
            UserBlocked: by an operator; only whoever knows the password learns it.
            EmailInvalid, PasswordTooLong, PasswordInvalid.
        """

    async def send_code(self, email: str, purpose: CodePurpose, client: Client) -> None:
        """Send a code of 6 digits, in place of an earlier one for the same purpose.

        Raises:
            CodeTooSoon: one was sent a moment ago (`retry_after`).
            CodesUsedUp: the day's codes of this address, this client or the installation are sent (`retry_after`).
            EmailInvalid.
        """

    async def sign_in_with_code(self, email: str, code: str, client: Client) -> SignedIn:
        """Sign in with a code of purpose `login`; an unknown address becomes an account without a password.

        Raises:
            CodeInvalid, CodeExpired, CodeExhausted, UserBlocked, EmailInvalid.
            SignInLocked: too many failures of this client.
        """

    async def reset_password(self, email: str, code: str, new_password: str, client: Client) -> None:
        """Set a new password with a code of purpose `reset`; ends all sessions and lifts the lock.

        Raises:
            CodeInvalid, CodeExpired, CodeExhausted, EmailInvalid, PasswordTooShort, PasswordTooLong, PasswordInvalid,
            PasswordCommon.
        """

    async def change_password(self, user_id: int, keep: int, current: str, new_password: str, client: Client) -> None:
        """Set a new password with the current one; ends the user's sessions but `keep`.

        Raises:
            PasswordWrong: `current` is not the password, or there is none (set one by `reset_password`).
            SignInLocked, PasswordTooShort, PasswordTooLong, PasswordInvalid, PasswordCommon, UserUnknown.
        """

    async def get(self, user_id: int) -> Account:
        """The account.

        Raises:
            UserUnknown.
        """

    async def rename(self, user_id: int, nickname: str) -> None:
        """Change the nickname.

        Raises:
            UserUnknown, NicknameInvalid.
        """

    async def set_language(self, user_id: int, language: Language | None) -> None:
        """Choose the language of answers and mails; None: whatever the client prefers.

        Raises:
            UserUnknown.
        """

    async def block(self, user_id: int) -> None:
        """An operator's: the user is signed out everywhere at once and cannot sign in.

        Raises:
            UserUnknown.
        """

    async def unblock(self, user_id: int) -> None:
        """An operator's: the user may sign in again.

        Raises:
            UserUnknown.
        """
