"""Bodies of sign-in."""

from pydantic import BaseModel, Field

from hutong.apps.emoji.user.schemas import ProfileView
from hutong.kernel.http.strict import StrictModel


class DeviceLogin(StrictModel):
    """Who signs in."""

    device_id: str = Field(
        max_length=512,
        description="The device's own stable id, 8 to 128 printable characters.",
        examples=["my-first-device"],
        json_schema_extra={"minLength": 8, "maxLength": 128},
    )


class SignedIn(BaseModel):
    """A fresh token and whose it is."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name
    expires_in: int = Field(description="Seconds until the token expires.")
    user: ProfileView


class Renewed(BaseModel):
    """A fresh token."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name
    expires_in: int = Field(description="Seconds until the token expires.")
