"""Secrets in settings: typed, never shown, never a default in production.

Outside production a secret that is not set is made once and kept in the data folder with mode 0600, so that a laptop
needs no set-up and still no two installations share a key. Source: DESIGN §2.12.
"""

import os
import secrets
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

MIN_LENGTH = 32


def check_secret(value: SecretStr) -> SecretStr:
    """Refuse secrets that are short or that nobody changed."""
    plain = value.get_secret_value()
    if len(plain) < MIN_LENGTH:
        raise ValueError(f"a secret needs at least {MIN_LENGTH} random characters; try: openssl rand -base64 48")
    if len(set(plain)) < 8 or any(
        word in plain.lower() for word in ("changeme", "change-me", "your-secret", "example")
    ):
        raise ValueError("this secret is a placeholder; make one with: openssl rand -base64 48")
    return value


class SigningKey(BaseModel):
    """One signing key of a realm. Of several the last one signs, all of them verify."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kid: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,32}$")]
    secret: SecretStr

    @field_validator("secret")
    @classmethod
    def _strong(cls, value: SecretStr) -> SecretStr:
        return check_secret(value)


def secret_bytes(value: SecretStr) -> bytes:
    """The secret's bytes, for a signing function."""
    return value.get_secret_value().encode()


def kept_secret(folder: Path, name: str) -> SecretStr:
    """The secret `name` of this data folder, made on first use; processes that start at once agree on one."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / name
    draft = folder / f".{name}.{os.getpid()}"
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return SecretStr(path.read_text().strip())
