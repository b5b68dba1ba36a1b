"""Bodies of the profile."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from hutong.kernel.http.strict import StrictModel
from hutong.kit.text import is_printable


def _nickname(text: str) -> str:
    trimmed = text.strip()
    if not trimmed or not is_printable(trimmed):
        raise ValueError("a nickname has 1 to 64 printable characters")
    return trimmed


class ProfileView(BaseModel):
    """A user as they see themselves. Ids are strings: JavaScript loses bits past 2^53."""

    id: str
    nickname: str
    is_vip: bool
    vip_type: str | None
    vip_expire_time: str | None
    points: int
    created_at: str


class ProfileChange(StrictModel):
    """What a user may change."""

    nickname: Annotated[
        str,
        Field(min_length=1, max_length=64, description="1 to 64 printable characters; trimmed.", examples=["Lin"]),
        AfterValidator(_nickname),
    ]
