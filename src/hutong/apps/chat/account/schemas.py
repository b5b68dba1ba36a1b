"""Bodies of accounts."""

from typing import Annotated

from pydantic import BaseModel, Field

from hutong.kernel.http.languages import Language
from hutong.kernel.http.strict import StrictModel

HIGHEST = 10**15
Username = Annotated[
    str,
    Field(
        min_length=3,
        max_length=50,
        description="3 to 50 letters or digits of any script, dots, hyphens, underscores; case does not matter.",
        examples=["lin"],
    ),
]
Limit = Annotated[int, Field(ge=0, le=HIGHEST)]


class UserView(BaseModel):
    """A user as they see themselves. Ids are strings: JavaScript loses bits past 2^53."""

    id: str
    username: str
    email: str
    language: Language | None = Field(description="Of mails; null: whatever the client asks for.")
    is_active: bool
    is_vip: bool
    is_admin: bool
    created_at: str
    last_login_at: str | None


class UserChange(StrictModel):
    """What a user may change; what is left out stays as it is."""

    username: Username | None = None
    language: Language | None = Field(None, description="Of mails; null: whatever the client asks for.")


class PasswordChange(StrictModel):
    """A new password, with the old one."""

    old_password: str = Field(min_length=1, max_length=256)
    new_password: str = Field(min_length=8, max_length=256)


class OwnLimits(StrictModel):
    """Limits of one user in place of the installation's; null gives the installation's back."""

    daily_requests: Limit | None = None
    monthly_requests: Limit | None = None
    daily_tokens: Limit | None = None
    monthly_tokens: Limit | None = None


class MemberChange(StrictModel):
    """What an administrator may change; what is left out stays as it is."""

    is_active: bool | None = Field(None, description="False signs the user out everywhere; they cannot sign in.")
    is_vip: bool | None = None
    limits: OwnLimits | None = Field(None, description="Those that are named are set.")


class LimitsView(BaseModel):
    """The four limits."""

    daily_requests: int
    monthly_requests: int
    daily_tokens: int
    monthly_tokens: int


class MemberView(UserView):
    """A user as administrators see them."""

    limits: LimitsView = Field(description="Those that hold.")
    own_limits: list[str] = Field(description="Names of those that were set for this user alone.")
    login_count: int
    locked_until: str | None = Field(description="Until when sign-in by password is closed after failed tries.")


class MemberPage(BaseModel):
    """A page of users, the newest first."""

    items: list[MemberView]
    total: int
    page: int
    page_size: int
