"""How long sessions and their tokens live."""

from typing import Self

from pydantic import Field, model_validator

from hutong.kernel.settings import Section

DAY = 86_400


class SessionPolicy(Section):
    """Lifetimes and bounds of sessions; the defaults are the contract's."""

    access_seconds: int = Field(DAY, ge=60, le=30 * DAY, description="Seconds that an access token is good.")
    refresh_seconds: int = Field(
        7 * DAY, ge=60, le=400 * DAY, description="Seconds that a refresh token is good: the longest pause of a client."
    )
    absolute_seconds: int = Field(
        90 * DAY, ge=60, le=400 * DAY, description="Seconds after which a session ends, however often it was refreshed."
    )
    grace_seconds: float = Field(
        30.0,
        ge=0,
        le=300,
        description="Seconds in which a refresh token that was used already answers with its successor, the same each time.",
    )
    most_sessions: int = Field(
        100, ge=1, le=128, description="Sessions of one user; one more ends the one that was not used for longest."
    )
    most_reuses: int = Field(
        100, ge=0, description="Times that a used refresh token answers in its grace; beyond it, 429."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.absolute_seconds < self.refresh_seconds:
            raise ValueError("a session must last at least as long as a refresh token: raise absolute_seconds")
        return self
