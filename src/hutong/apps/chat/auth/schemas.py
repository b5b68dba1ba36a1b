"""Bodies of sign-in and of what belongs to it."""

from typing import Annotated

from pydantic import BaseModel, Field

from hutong.apps.chat.account.schemas import Username, UserView
from hutong.kernel.http.strict import StrictModel

Email = Annotated[
    str, Field(min_length=3, max_length=320, examples=["lin@example.com"], json_schema_extra={"format": "email"})
]
NewPassword = Annotated[
    str,
    Field(
        min_length=8,
        max_length=256,
        description="8 characters to 256 bytes, as typed; none that many people use.",
        examples=["a long sentence"],
    ),
]
RefreshToken = Annotated[str, Field(min_length=1, max_length=4_096)]


class Register(StrictModel):
    """A new account."""

    username: Username
    email: Email
    password: NewPassword
    code: str | None = Field(
        None, pattern="^[0-9]{6}$", description="A code from a mail, where this installation asks for it."
    )


class Login(StrictModel):
    """Who signs in."""

    username: str = Field(min_length=1, max_length=320, description="The username, or the e-mail address.")
    password: str = Field(min_length=1, max_length=256, description="As typed.")


class Refresh(StrictModel):
    """The refresh token of the last pair."""

    refresh_token: RefreshToken


class Logout(StrictModel):
    """How far to sign out."""

    all: bool = Field(False, description="Whether every session of the user ends, on all devices.")


class Tokens(BaseModel):
    """A fresh pair of tokens."""

    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name
    expires_in: int = Field(description="Seconds until the access token expires.")
    refresh_expires_in: int = Field(description="Seconds until the refresh token expires.")


class SignedInView(Tokens):
    """A fresh pair of tokens and whose they are."""

    user: UserView
