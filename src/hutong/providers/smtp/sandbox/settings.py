"""What the sandbox is told at start."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class MailSandboxSettings(BaseModel):
    """Settings of one sandbox; all processes that share `folder` share its mails."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    """The data folder; mails go to `<folder>/sandbox/mail.db`, ports that listen to `<folder>/sandbox/mail-ports/`."""
    public_url: str
    """Where the page is reached; no slash at the end."""
    port: int = Field(default=0, ge=0, le=65535)
    """Where the mail server listens; 0 takes a free port."""
    username: str = ""
    """Who may send; empty: everybody."""
    password: SecretStr = SecretStr("")
    largest: int = Field(default=10 * 1024 * 1024, ge=1024)
    """Bytes of the largest mail."""
    kept: int = Field(default=500, ge=1)
    """How many mails are kept; older ones are dropped."""

    @property
    def database(self) -> Path:
        return self.folder / "sandbox" / "mail.db"
