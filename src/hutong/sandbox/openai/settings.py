"""What the sandbox is told at start."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class OpenAISandboxSettings(BaseModel):
    """Settings of one sandbox; all processes that share `folder` share its calls and mishaps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    """The data folder; calls go to `<folder>/sandbox/openai.db`."""
    public_url: str
    """Where the sandbox is reached; no slash at the end."""
    api_keys: tuple[str, ...]
    """Keys that it accepts."""
    first_token_seconds: float = Field(default=0.0, ge=0)
    """Seconds until an answer begins."""
    between_tokens_seconds: float = Field(default=0.0, ge=0)
    """Seconds between two deltas of a stream."""
    requests_per_minute: int = Field(default=30_000, ge=1)
    """Requests a minute of the account, for each model."""
    tokens_per_minute: int = Field(default=150_000_000, ge=1)
    """Tokens a minute of the account, for each model."""

    @property
    def database(self) -> Path:
        return self.folder / "sandbox" / "openai.db"
