"""All settings in one class: the kernel's, and a section for each app and provider."""

from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import SettingsError

from hutong.apps.emoji.settings import EmojiSettings
from hutong.kernel.settings import KernelSettings, Section, SettingsRefused
from hutong.kernel.store import Address
from hutong.providers.dashscope.settings import SANDBOX_KEY, DashScopeSettings
from hutong.providers.oss.settings import SANDBOX_ID, SANDBOX_SECRET, OssSettings
from hutong.providers.s3.settings import S3Settings
from hutong.providers.smtp.settings import SANDBOX_SENDER, SmtpSettings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SandboxLimits(Section):
    """What the DashScope sandbox allows; the defaults are the vendor's for a new account."""

    running_limit: int = Field(1, ge=1, le=32, description="Generations that the sandbox runs at once.")
    submit_per_second: float = Field(1.0, gt=0, le=1000, description="Submissions a second that it accepts.")
    detect_per_second: float = Field(1.0, gt=0, le=1000, description="Detections a second that it accepts.")
    query_per_second: float = Field(20.0, gt=0, le=1000, description="Status queries a second that it accepts.")


class Settings(KernelSettings):
    """Hutong's settings."""

    emoji: EmojiSettings = EmojiSettings()
    dashscope: DashScopeSettings = DashScopeSettings()
    sandbox: SandboxLimits = SandboxLimits()
    oss: OssSettings = OssSettings()
    s3: S3Settings = S3Settings()
    smtp: SmtpSettings = SmtpSettings()
    restart_pause_seconds: float = Field(
        5.0, gt=0, description="Most seconds that `hutong up` waits before it starts a child again that keeps ending."
    )

    @property
    def sections(self) -> dict[type[Section], Section]:
        """Sections by their class, as apps ask for them."""
        sections = (self.emoji, self.dashscope, self.oss, self.s3, self.smtp)
        return {type(section): section for section in sections}

    @property
    def sandboxed(self) -> bool:
        """Whether DashScope is this installation's own sandbox."""
        return not self.dashscope.base_url

    @property
    def oss_sandboxed(self) -> bool:
        """Whether objects lie in this installation's own OSS sandbox."""
        return self.files.storage == "oss" and self.oss.sandboxed

    @property
    def any_sandbox(self) -> bool:
        """Whether any vendor is this installation's own sandbox."""
        return self.sandboxed or self.oss_sandboxed or self.smtp.sandboxed


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process.

    Args:
        overrides: win over every other source (command-line options).

    Raises:
        SettingsRefused: they are not usable; the message names the setting.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise SettingsRefused(_explain(error)) from error
    except SettingsError as error:
        raise SettingsRefused(str(error)) from error
    if settings.files.storage == "s3" and settings.s3.missing is not None:
        raise SettingsRefused(f"HUTONG_S3__{settings.s3.missing} must be set: HUTONG_FILES__STORAGE is s3")
    _check_store(settings)
    _check_production(settings)
    return settings


def _check_store(settings: Settings) -> None:
    try:
        if settings.store_url:
            Address.parse(settings.store_url)
    except ValueError as error:
        raise SettingsRefused(f"HUTONG_STORE_URL: {error}") from error


def _check_production(settings: Settings) -> None:
    if not settings.production:
        return
    if settings.sandboxed:
        raise SettingsRefused("HUTONG_DASHSCOPE__BASE_URL must be set in production: sandboxes do not start there")
    if settings.dashscope.api_key.get_secret_value() == SANDBOX_KEY:
        raise SettingsRefused("HUTONG_DASHSCOPE__API_KEY must be set in production: the sandbox's key is public")
    if settings.files.storage == "oss":
        _check_oss(settings)
    _check_smtp(settings)
    settings.realm_keys("emoji", settings.emoji.tokens)


def _check_oss(settings: Settings) -> None:
    if settings.oss.sandboxed:
        raise SettingsRefused("HUTONG_OSS__ENDPOINT must be set in production: sandboxes do not start there")
    if settings.oss.access_key_id == SANDBOX_ID:
        raise SettingsRefused("HUTONG_OSS__ACCESS_KEY_ID must be set in production: the sandbox's key is public")
    if settings.oss.access_key_secret.get_secret_value() == SANDBOX_SECRET:
        raise SettingsRefused("HUTONG_OSS__ACCESS_KEY_SECRET must be set in production: the sandbox's key is public")


def _check_smtp(settings: Settings) -> None:
    if settings.smtp.sandboxed:
        raise SettingsRefused("HUTONG_SMTP__HOST must be set in production: sandboxes do not start there")
    if settings.smtp.sender == SANDBOX_SENDER:
        raise SettingsRefused("HUTONG_SMTP__SENDER must be set in production, as in: Hutong <no-reply@example.com>")
    if settings.smtp.security == "plain" and settings.smtp.host not in LOOPBACK:
        raise SettingsRefused("HUTONG_SMTP__SECURITY must be starttls or tls in production: mails hold codes")


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        path = "__".join(str(part) for part in item["loc"]).upper()
        name = f"HUTONG_{path}: " if path else ""
        lines.append(f"{name}{item['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)
