"""What the sandbox is told at start."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Key(BaseModel):
    """An access key that the sandbox knows; `token` belongs to a temporary one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    secret: SecretStr
    token: SecretStr | None = None


class OssSandboxSettings(BaseModel):
    """Settings of one sandbox; all processes that share `folder` share its bucket."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    """The data folder; the index goes to `<folder>/sandbox/oss.db`, contents beside it."""
    public_url: str
    """Where the page is reached; no slash at the end."""
    endpoint: str
    """The endpoint that a client is given; no slash at the end."""
    bucket: str
    region: str
    keys: tuple[Key, ...]
    skew_seconds: float = Field(default=900, ge=0)
    """How far a request's date may be from now (vendor: 15 minutes)."""
    largest: int = Field(default=5 * 1024**3, ge=1)
    """Bytes of the largest object of one call (vendor: 5 GB)."""

    @property
    def database(self) -> Path:
        return self.folder / "sandbox" / "oss.db"

    @property
    def contents(self) -> Path:
        return self.folder / "sandbox" / "oss"
