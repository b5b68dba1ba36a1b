"""Settings of S3 and of storages that speak its protocol."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints

from hutong.kernel.settings import Section

Prefix = Annotated[str, StringConstraints(pattern=r"^([a-z0-9_-]+/)*$", max_length=100)]


class S3Settings(Section):
    """Bucket and account."""

    endpoint: str = Field("", description="URL of the service, as https://minio.example.com; empty: Amazon's own.")
    public_endpoint: str = Field(
        "", description="URL of the service in links and forms, where clients reach it; empty: that of `endpoint`."
    )
    region: str = Field("us-east-1", pattern=r"^[a-z0-9-]+$", description="Region of the bucket.")
    bucket: str = Field("", pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$", description="Name of the bucket.")
    path_style: bool = Field(
        True, description="Whether the bucket is the first folder of the URL; if not, it is in the host's name."
    )
    prefix: Prefix = Field(
        "", description="Folder in the bucket under which all objects lie, with its slash at the end."
    )
    access_key_id: str = Field("", description="Id of the access key.")
    secret_access_key: SecretStr = Field(SecretStr(""), description="Secret of that key.")
    session_token: SecretStr | None = Field(None, description="Token that belongs to a temporary key.")
    encryption: Literal["", "AES256", "aws:kms"] = Field(
        "", description="Server-side encryption that is asked for each object; empty: the bucket's own rule."
    )
    connect_seconds: float = Field(3.0, gt=0, description="Seconds to open a connection.")
    timeout: float = Field(20.0, gt=0, description="Seconds of one call, tries included; uploads and listings too.")
    attempts: int = Field(3, ge=1, le=10, description="Times that a call is tried.")

    @property
    def url(self) -> str:
        """The service that this process calls."""
        return self.endpoint or f"https://s3.{self.region}.amazonaws.com"

    @property
    def missing(self) -> str | None:
        """The first setting without which there is no storage."""
        needed = {"BUCKET": self.bucket, "ACCESS_KEY_ID": self.access_key_id}
        needed["SECRET_ACCESS_KEY"] = self.secret_access_key.get_secret_value()
        return next((name for name, value in needed.items() if not value), None)
