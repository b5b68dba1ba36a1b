"""Bodies of sign-in and of what belongs to it."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from hutong.apps.storefront.account.schemas import Nickname, UserView
from hutong.kernel.http.strict import StrictModel

Email = Annotated[
    str, Field(min_length=3, max_length=320, examples=["lin@example.com"], json_schema_extra={"format": "email"})
]
Password = Annotated[str, Field(min_length=1, max_length=256, description="As typed.", examples=["a long sentence"])]
NewPassword = Annotated[
    str,
    Field(
        min_length=8,
        max_length=256,
        description="8 characters to 256 bytes, as typed; none that many people use.",
        examples=["a long sentence"],
    ),
]
MailCode = Annotated[str, Field(pattern="^[0-9]{6}$", description="The 6 digits of a mail.", examples=["123456"])]
RefreshToken = Annotated[str, Field(min_length=1, max_length=4_096)]


class Register(StrictModel):
    """A new account."""

    email: Email
    password: NewPassword
    nickname: Nickname | None = Field(None, description="One is made up when left out.")
    code: MailCode | None = Field(
        None, description="A code of purpose `register`, where this installation asks for it."
    )


class Login(StrictModel):
    """Who signs in."""

    email: Email
    password: Password


class CodeLogin(StrictModel):
    """Who signs in with a code of purpose `login`."""

    email: Email
    code: MailCode


class SendCode(StrictModel):
    """Where to send a code, and what it is for."""

    email: Email
    purpose: Literal["register", "login", "reset"]


class Refresh(StrictModel):
    """The refresh token of the last pair."""

    refresh_token: RefreshToken


class Logout(StrictModel):
    """How far to sign out."""

    all: bool = Field(False, description="Whether every session of the user ends, on all devices.")


class PasswordReset(StrictModel):
    """A new password, with a code of purpose `reset`."""

    email: Email
    code: MailCode
    new_password: NewPassword


class PasswordChange(StrictModel):
    """A new password, with the old one."""

    old_password: Password
    new_password: NewPassword


class Tokens(BaseModel):
    """A fresh pair of tokens."""

    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name
    expires_in: int = Field(description="Seconds until the access token expires.")
    refresh_expires_in: int = Field(description="Seconds until the refresh token expires.")


class LoggedIn(Tokens):
    """A fresh pair of tokens and whose they are."""

    user: UserView
