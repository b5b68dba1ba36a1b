"""How long replies are, and how many at the same time."""

from pydantic import Field

from hutong.kernel.settings import Section


class ReplySettings(Section):
    """Replies of models in conversations."""

    system_prompt: str = Field(
        "You are a helpful assistant.",
        max_length=20_000,
        description="What every model is told first; empty for nothing.",
    )
    longest_message: int = Field(100_000, ge=1, le=1_000_000, description="Characters of one message of a user.")
    usual_tokens: int = Field(
        4096, ge=1, description="Tokens that an answer may have where the caller names no bound; reserved of the quota."
    )
    at_once: int = Field(4, ge=1, description="Replies of one user that are written at the same time.")
    checkpoint_seconds: float = Field(
        2.0, gt=0, description="Seconds between two saves of what was generated, for a process that is killed."
    )
    lease_seconds: float = Field(
        20.0,
        ge=1,
        description="Seconds after which a reply whose process gave no sign of life is ended by another one.",
    )
    sweep_seconds: float = Field(
        5.0, gt=0, description="Seconds between two looks for replies whose process gave no sign of life."
    )
    leave_seconds: float = Field(
        10.0,
        ge=0,
        description="Seconds that running replies get when their process is stopped; then they are interrupted.",
    )
    keep_alive_seconds: float = Field(
        15.0, gt=0, description="Seconds of silence after which an event stream says that it lives."
    )
