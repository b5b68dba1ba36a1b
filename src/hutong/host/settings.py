"""All settings in one class: the kernel's, and a section for each app and provider."""

from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import SettingsError

from hutong.apps.chat.settings import ChatSettings
from hutong.apps.emoji.settings import EmojiSettings
from hutong.apps.storefront.settings import StorefrontSettings
from hutong.kernel.settings import KernelSettings, Section, SettingsRefused
from hutong.kernel.store import Address
from hutong.providers.alipay.account import account_of
from hutong.providers.alipay.keys import spelled
from hutong.providers.alipay.sandbox.keys import SandboxKeys as AlipaySandboxKeys
from hutong.providers.alipay.settings import SANDBOX_APP_ID, SANDBOX_SELLER_ID, AlipaySettings
from hutong.providers.dashscope.settings import SANDBOX_KEY, DashScopeSettings
from hutong.providers.openai.settings import SANDBOX_KEY as OPENAI_SANDBOX_KEY
from hutong.providers.openai.settings import OpenAISettings, ProviderSettings
from hutong.providers.oss.settings import SANDBOX_ID, SANDBOX_SECRET, OssSettings
from hutong.providers.s3.settings import S3Settings
from hutong.providers.smtp.settings import SANDBOX_SENDER, SmtpSettings
from hutong.providers.wechat.pay.settings import (
    SANDBOX_APIV3_KEY,
    SANDBOX_MCHID,
    SANDBOX_V2_KEY,
    WechatPaySettings,
    WechatPayV2Settings,
)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class SandboxLimits(Section):
    """What the DashScope sandbox allows; the defaults are the vendor's for a new account."""

    running_limit: int = Field(1, ge=1, le=32, description="Generations that the sandbox runs at once.")
    submit_per_second: float = Field(1.0, gt=0, le=1000, description="Submissions a second that it accepts.")
    detect_per_second: float = Field(1.0, gt=0, le=1000, description="Detections a second that it accepts.")
    query_per_second: float = Field(20.0, gt=0, le=1000, description="Status queries a second that it accepts.")


class PaymentSandboxLimits(Section):
    """How the sandboxes of payment vendors behave."""

    retry_factor: float = Field(
        0.01, gt=0, description="Multiplies the vendor's pauses between two deliveries of a notice; 1 is the vendor's."
    )
    refund_seconds: float = Field(0.5, ge=0, description="Seconds until a refund has arrived.")


class OpenAISandboxLimits(Section):
    """How the OpenAI sandbox behaves."""

    first_token_seconds: float = Field(0.2, ge=0, le=600, description="Seconds until an answer begins.")
    between_tokens_seconds: float = Field(
        0.025, ge=0, le=600, description="Seconds between two deltas of a stream, of two or three tokens each."
    )
    requests_per_minute: int = Field(30_000, ge=1, description="Requests a minute that it accepts for each model.")
    tokens_per_minute: int = Field(150_000_000, ge=1, description="Tokens a minute that it accepts for each model.")


class Settings(KernelSettings):
    """Hutong's settings."""

    emoji: EmojiSettings = EmojiSettings()
    storefront: StorefrontSettings = StorefrontSettings()
    chat: ChatSettings = ChatSettings()
    dashscope: DashScopeSettings = DashScopeSettings()
    openai: OpenAISettings = OpenAISettings()
    sandbox: SandboxLimits = SandboxLimits()
    openai_sandbox: OpenAISandboxLimits = OpenAISandboxLimits()
    oss: OssSettings = OssSettings()
    s3: S3Settings = S3Settings()
    smtp: SmtpSettings = SmtpSettings()
    alipay: AlipaySettings = AlipaySettings()
    wechat_pay: WechatPaySettings = WechatPaySettings()
    wechat_pay_v2: WechatPayV2Settings = WechatPayV2Settings()
    payment_sandbox: PaymentSandboxLimits = PaymentSandboxLimits()
    restart_pause_seconds: float = Field(
        5.0, gt=0, description="Most seconds that `hutong up` waits before it starts a child again that keeps ending."
    )

    @property
    def sections(self) -> dict[type[Section], Section]:
        """Sections by their class, as apps ask for them."""
        sections = (
            *(self.emoji, self.storefront, self.chat, self.dashscope, self.openai, self.oss, self.s3, self.smtp),
            *(self.alipay, self.wechat_pay, self.wechat_pay_v2),
        )
        return {type(section): section for section in sections}

    @property
    def sandboxed(self) -> bool:
        """Whether DashScope is this installation's own sandbox."""
        return not self.dashscope.base_url

    @property
    def chat_providers(self) -> list[ProviderSettings]:
        """Who answers chats: as set; outside production the sandbox, if none is."""
        return list(self.openai.providers) if self.production else self.openai.chosen

    @property
    def openai_sandboxed(self) -> bool:
        """Whether any chat provider is this installation's own sandbox."""
        return any(not provider.base_url for provider in self.chat_providers)

    @property
    def alipay_sandboxed(self) -> bool:
        """Whether Alipay is this installation's own sandbox."""
        return not self.production and self.alipay.sandboxed

    @property
    def wechat_pay_sandboxed(self) -> bool:
        """Whether WeChat Pay, by either API, is this installation's own sandbox."""
        return not self.production and (self.wechat_pay.sandboxed or self.wechat_pay_v2.sandboxed)

    @property
    def oss_sandboxed(self) -> bool:
        """Whether objects lie in this installation's own OSS sandbox."""
        return self.files.storage == "oss" and self.oss.sandboxed

    @property
    def any_sandbox(self) -> bool:
        """Whether any vendor is this installation's own sandbox."""
        payments = self.wechat_pay_sandboxed or self.alipay_sandboxed
        return self.sandboxed or self.openai_sandboxed or self.oss_sandboxed or self.smtp.sandboxed or payments


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
    _check_wechat_pay(settings)
    _check_alipay(settings)
    _check_openai(settings)
    _check_store(settings)
    _check_production(settings)
    return settings


def _check_wechat_pay(settings: Settings) -> None:
    """A real account is whole, and not the sandbox's."""
    v3, v2 = settings.wechat_pay, settings.wechat_pay_v2
    if settings.production and any(url.startswith("http://") for url in (v3.base_url, v2.base_url)):
        raise SettingsRefused("HUTONG_WECHAT_PAY__BASE_URL and …_V2__BASE_URL must begin with https:// in production")
    if v3.base_url:
        if v3.missing is not None:
            raise SettingsRefused(f"HUTONG_WECHAT_PAY__{v3.missing} must be set: HUTONG_WECHAT_PAY__BASE_URL is")
        if v3.mchid == SANDBOX_MCHID or v3.apiv3_key.get_secret_value() == SANDBOX_APIV3_KEY:
            raise SettingsRefused("HUTONG_WECHAT_PAY__MCHID and __APIV3_KEY must be your own: the sandbox's are public")
    if v2.base_url:
        if v2.missing is not None:
            raise SettingsRefused(f"HUTONG_WECHAT_PAY_V2__{v2.missing} must be set: HUTONG_WECHAT_PAY_V2__BASE_URL is")
        if v2.mchid == SANDBOX_MCHID or v2.key.get_secret_value() == SANDBOX_V2_KEY:
            raise SettingsRefused("HUTONG_WECHAT_PAY_V2__MCHID and __KEY must be your own: the sandbox's are public")


def _check_alipay(settings: Settings) -> None:
    """A real account is whole, and not the sandbox's."""
    chosen = settings.alipay
    if not chosen.gateway_url:
        return
    account = account_of(chosen)
    if chosen.app_id == SANDBOX_APP_ID or chosen.seller_id == SANDBOX_SELLER_ID:
        raise SettingsRefused("HUTONG_ALIPAY__APP_ID and __SELLER_ID must be your own: the sandbox's are public")
    if settings.production and not chosen.gateway_url.startswith("https://"):
        raise SettingsRefused("HUTONG_ALIPAY__GATEWAY_URL must begin with https:// in production")
    used = {spelled(key) for key in (account.private_key.public_key(), *account.alipay_keys)}
    if used & AlipaySandboxKeys(settings.folder).made():
        raise SettingsRefused("HUTONG_ALIPAY__PRIVATE_KEY and __ALIPAY_PUBLIC_KEYS must not be the sandbox's keys")


def _check_openai(settings: Settings) -> None:
    """Real accounts have keys of their own, sent in clear only within a private network."""
    for number, provider in enumerate(settings.openai.providers):
        name = f"HUTONG_OPENAI__PROVIDERS: {provider.name!r}, number {number + 1},"
        if not provider.base_url:
            if settings.production:
                raise SettingsRefused(f"{name} needs a base_url in production: sandboxes do not start there")
        elif not provider.private and provider.api_key.get_secret_value() == OPENAI_SANDBOX_KEY:
            raise SettingsRefused(f"{name} needs an api_key of its own: the sandbox's is public")
        elif settings.production and not provider.private and not provider.base_url.startswith("https://"):
            raise SettingsRefused(f"{name} needs a base_url with https://, or private: true")


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
    settings.realm_keys("storefront", settings.storefront.tokens)
    settings.realm_keys("chat", settings.chat.tokens)


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
