"""What the sandbox is told at start, and the limits that its page may change while it runs."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """What the account may do (reference: DashScope rate-limit page 2026)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    running_limit: int = Field(default=1, ge=1, le=32)
    """Tasks that render at once, over all processes; the others wait as PENDING."""
    submit_per_second: float = Field(default=1, gt=0, le=1000)
    detect_per_second: float = Field(default=1, gt=0, le=1000)
    query_per_second: float = Field(default=20, gt=0, le=1000)
    """Queries, lists and cancellations together."""
    pending_seconds: float = Field(default=0, ge=0, le=3600)
    """Least time a task stays PENDING."""
    running_seconds: float = Field(default=0, ge=0, le=3600)
    """Least time a task stays RUNNING; the vendor needs one to five minutes."""


class SandboxSettings(Limits):
    """Settings of one sandbox; all processes that share `folder` are one account."""

    folder: Path
    """The data folder; state goes to `<folder>/sandbox/dashscope.db`, videos beside it."""
    public_url: str
    """Where the sandbox is mounted, as the links in its answers spell it; no slash at the end."""
    api_keys: tuple[str, ...] = ("sk-sandbox",)
    link_seconds: int = Field(default=86_400, ge=1)
    """Life of a video link (vendor: 24 hours)."""
    lease_seconds: float = Field(default=30, gt=0)
    """After this long without a sign of life from its runner, a RUNNING task is taken over by another."""

    @property
    def database(self) -> Path:
        return self.folder / "sandbox" / "dashscope.db"

    @property
    def videos(self) -> Path:
        return self.folder / "sandbox" / "dashscope" / "videos"

    def limits(self) -> Limits:
        """The limits of these settings, before anybody changed them on the page."""
        return Limits.model_validate(self.model_dump(include=set(Limits.model_fields)))
