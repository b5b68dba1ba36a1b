"""What a payment vendor's sandbox is told at start."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class PaymentSandboxSettings(BaseModel):
    """Settings of one sandbox; all processes that share `folder` share its book."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    """The data folder; the book goes to `<folder>/sandbox/<vendor>.db`."""
    public_url: str
    """Where the sandbox is reached; no slash at the end."""
    retry_factor: float = Field(default=1.0, gt=0)
    """The vendor's pauses between two deliveries of a notice are multiplied by this."""
    answer_seconds: float = Field(default=5.0, gt=0)
    """Seconds that a receiver may take to answer a notice."""
    refund_seconds: float = Field(default=0.5, ge=0)
    """Seconds until a refund that is processed has arrived."""

    def database(self, vendor: str) -> Path:
        return self.folder / "sandbox" / f"{vendor}.db"
