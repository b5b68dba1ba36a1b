"""Bodies of the caller's own profile and devices."""

from typing import Annotated

from pydantic import BaseModel, Field

from hutong.kernel.http.languages import Language
from hutong.kernel.http.strict import StrictModel

Nickname = Annotated[
    str, Field(min_length=1, max_length=64, description="1 to 64 printable characters.", examples=["Lin"])
]


class UserView(BaseModel):
    """A user as they see themselves. Ids are strings: JavaScript loses bits past 2^53."""

    id: str
    email: str
    nickname: str
    language: Language | None = Field(description="Of answers and mails; null: whatever the client asks for.")
    login_count: int
    last_login_at: str | None
    created_at: str


class UserChange(StrictModel):
    """What a user may change; what is left out stays as it is."""

    nickname: Nickname | None = None
    language: Language | None = Field(None, description="Of answers and mails; null: whatever the client asks for.")


class SessionItem(BaseModel):
    """A device on which the user is signed in."""

    id: str
    device_id: str | None
    agent: str | None = Field(description="What the client said of itself.")
    address: str
    created_at: str
    last_used_at: str
    expires_at: str = Field(description="When it ends unless it is renewed.")
    current: bool = Field(description="Whether it is the session of this call.")


class SessionList(BaseModel):
    """Where the user is signed in, the session used last first."""

    items: list[SessionItem]
