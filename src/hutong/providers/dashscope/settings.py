"""Settings of DashScope."""

from pydantic import Field, SecretStr

from hutong.kernel.settings import Section

VENDOR_URL = "https://dashscope.aliyuncs.com/api/v1"
SANDBOX_KEY = "sk-sandbox"


class DashScopeSettings(Section):
    """Account and limits; the defaults are the vendor's own for a new account."""

    base_url: str = Field(
        "", description="Empty: this installation's sandbox; in production https://dashscope.aliyuncs.com/api/v1."
    )
    api_key: SecretStr = Field(SecretStr(SANDBOX_KEY), description="The account's key for the Beijing region (sk-…).")
    in_flight: int = Field(1, ge=1, le=10_000, description="Generations at once; the vendor runs 1 for a new account.")
    submit_per_second: float = Field(1.0, gt=0, description="Submissions a second; the vendor allows 1.")
    detect_per_second: float = Field(1.0, gt=0, description="Detections a second; the vendor allows 1.")
    detect_wait: float = Field(
        20.0, ge=0, description="Seconds that a detection may wait for its turn before it is refused."
    )
    query_per_second: float = Field(
        18.0, gt=0, description="Status queries a second of the whole fleet; the vendor allows 20."
    )
    video_hosts: list[str] = Field(
        default_factory=lambda: [".aliyuncs.com"],
        description="Suffixes of hosts that finished videos may be fetched from.",
    )
    timeout: float = Field(30.0, gt=0, description="Seconds that one call may take.")
    largest_video: int = Field(50 * 1024 * 1024, ge=1024, description="Bytes of the largest video that is fetched.")
