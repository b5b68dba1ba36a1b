"""Settings of Aliyun OSS."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints

from hutong.kernel.settings import Section

SANDBOX_ID = "LTAI-sandbox"
SANDBOX_SECRET = "oss-sandbox"  # noqa: S105 - public, and refused in production
SANDBOX_BUCKET = "hutong-sandbox"
Bucket = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")]
Prefix = Annotated[str, StringConstraints(pattern=r"^([a-z0-9_-]+/)*$", max_length=100)]


class OssSettings(Section):
    """Bucket and account; the defaults are the sandbox's."""

    endpoint: str = Field(
        "",
        description="URL of the endpoint that servers use, as https://oss-cn-beijing-internal.aliyuncs.com; empty: the sandbox.",
    )
    public_endpoint: str = Field(
        "", description="URL of the endpoint in links and forms, where clients reach it; empty: that of `endpoint`."
    )
    region: str = Field("cn-beijing", pattern=r"^[a-z0-9-]+$", description="Region of the bucket, without `oss-`.")
    bucket: Bucket = Field(SANDBOX_BUCKET, description="Name of the bucket.")
    cname: bool = Field(False, description="Whether the public endpoint is a domain bound to the bucket.")
    prefix: Prefix = Field(
        "", description="Folder in the bucket under which all objects lie, with its slash at the end."
    )
    access_key_id: str = Field(SANDBOX_ID, description="Id of the RAM user's access key.")
    access_key_secret: SecretStr = Field(SecretStr(SANDBOX_SECRET), description="Secret of that key.")
    security_token: SecretStr | None = Field(None, description="Token that belongs to a temporary key.")
    encryption: Literal["", "AES256", "KMS", "SM4"] = Field(
        "AES256", description="Server-side encryption that is asked for each object; empty: the bucket's own rule."
    )
    connect_seconds: float = Field(3.0, gt=0, description="Seconds to open a connection.")
    timeout: float = Field(20.0, gt=0, description="Seconds of one call, tries included; uploads and listings too.")
    attempts: int = Field(3, ge=1, le=10, description="Times that a call is tried.")

    @property
    def sandboxed(self) -> bool:
        """Whether OSS is this installation's own sandbox."""
        return not self.endpoint
