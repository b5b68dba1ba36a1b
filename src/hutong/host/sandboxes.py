"""The vendors' local stand-ins that an API process serves outside production."""

import asyncio
from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.types import ASGIApp

from hutong.host.channels import ALIPAY_PATH, WECHAT_PAY_PATH, sandbox_url
from hutong.host.chatting import OPENAI_SANDBOX_PATH
from hutong.host.settings import Settings
from hutong.host.storages import oss_endpoint
from hutong.host.wiring import MAIL_SANDBOX_PATH, OSS_SANDBOX_PATH, SANDBOX_PATH
from hutong.kernel.observability.logs import logger
from hutong.kernel.settings import SettingsRefused
from hutong.kit.tasks import end
from hutong.providers.alipay.sandbox import create_sandbox as create_alipay
from hutong.providers.dashscope.sandbox.app import create_sandbox
from hutong.providers.dashscope.sandbox.ports import Vision, VisionUnavailable
from hutong.providers.dashscope.sandbox.settings import SandboxSettings
from hutong.providers.dashscope.sandbox.vision_client import VisionClient
from hutong.providers.dashscope.sandbox.vision_process import VisionProcess
from hutong.providers.wechat.pay.sandbox.app import create_sandbox as create_wechat_pay
from hutong.sandbox.payments import PaymentSandboxSettings

_log = logger("host.sandboxes")


class Sandboxes:
    """All sandboxes of this process: those of the vendors that the settings leave to one.

    Args:
        settings: of this process.
        vision: looks at pictures and renders; the vision process of the data folder when left out.

    Raises:
        SettingsRefused: in production.
    """

    def __init__(self, settings: Settings, vision: Vision | None = None) -> None:
        if settings.production:
            raise SettingsRefused("sandboxes do not start in production")
        self._process: VisionProcess | None = None
        self._dashscope = self._create_dashscope(settings, vision) if settings.sandboxed else None
        self._oss = _create_oss(settings) if settings.oss_sandboxed else None
        self._mail = _create_mail(settings) if settings.smtp.sandboxed else None
        self._alipay = _create_alipay(settings) if settings.alipay_sandboxed else None
        self._wechat_pay = _create_wechat_pay(settings) if settings.wechat_pay_sandboxed else None
        self._openai = _create_openai(settings) if settings.openai_sandboxed else None
        self._bucket = settings.oss.bucket
        self._warming: asyncio.Task[None] | None = None

    @property
    def mounts(self) -> Mapping[str, Starlette]:
        """The sandboxes by the path of their page."""
        found = {
            SANDBOX_PATH: self._dashscope,
            OSS_SANDBOX_PATH: self._oss,
            MAIL_SANDBOX_PATH: self._mail,
            WECHAT_PAY_PATH: self._wechat_pay,
            ALIPAY_PATH: self._alipay,
            OPENAI_SANDBOX_PATH: self._openai,
        }
        return {path: app for path, app in found.items() if app is not None}

    def bucket_at(self, path: str, host: str) -> ASGIApp | None:
        """The OSS sandbox, if a path or a host name is its bucket's: the vendor's client knows no path of an endpoint."""
        by_path = path == f"/{self._bucket}" or path.startswith(f"/{self._bucket}/")
        return self._oss if by_path or host.partition(".")[0] == self._bucket else None

    async def start(self) -> None:
        """Begin to work off what waits; the vision process warms up meanwhile, for its libraries load slowly."""
        for app in (self._dashscope, self._mail, self._wechat_pay, self._alipay, self._openai):
            if app is not None:
                await app.state.sandbox.start()
        if self._process is not None:
            self._warming = asyncio.create_task(self._warm_up(self._process))

    def _create_dashscope(self, settings: Settings, vision: Vision | None) -> Starlette:
        if vision is None:
            self._process = VisionProcess(settings.folder / "sandbox")
            vision = VisionClient(self._process)
        public_url = f"{settings.public_url.rstrip('/')}{SANDBOX_PATH}"
        key = settings.dashscope.api_key.get_secret_value()
        limits = settings.sandbox.model_dump()
        made = SandboxSettings(folder=settings.folder, public_url=public_url, api_keys=(key,), **limits)
        return create_sandbox(made, vision)

    async def _warm_up(self, process: VisionProcess) -> None:
        try:
            await process.ensure()
        except VisionUnavailable as error:
            _log.warning("the vision process does not start; the sandbox can only refuse", reason=str(error))

    async def stop(self) -> None:
        await end(self._warming)
        for app in self.mounts.values():
            await app.state.sandbox.close()
        if self._process is not None:
            await self._process.close()


def _create_openai(settings: Settings) -> Starlette:
    # Imported here: production never needs it.
    from hutong.sandbox.openai import OpenAISandboxSettings, create_sandbox

    accepted = [provider.api_key.get_secret_value() for provider in settings.chat_providers if not provider.base_url]
    made = OpenAISandboxSettings(
        folder=settings.folder,
        public_url=f"{settings.public_url.rstrip('/')}{OPENAI_SANDBOX_PATH}",
        api_keys=tuple(dict.fromkeys(accepted)),
        **settings.openai_sandbox.model_dump(),
    )
    return create_sandbox(made)


def _create_wechat_pay(settings: Settings) -> Starlette:
    return create_wechat_pay(
        _payment_settings(settings, WECHAT_PAY_PATH), v2_sign_type=settings.wechat_pay_v2.sign_type
    )


def _create_alipay(settings: Settings) -> Starlette:
    return create_alipay(_payment_settings(settings, ALIPAY_PATH))


def _payment_settings(settings: Settings, path: str) -> PaymentSandboxSettings:
    limits = settings.payment_sandbox.model_dump()
    return PaymentSandboxSettings(folder=settings.folder, public_url=sandbox_url(settings, path), **limits)


def _create_oss(settings: Settings) -> Starlette:
    # Imported here: it needs a library of the extra `oss`.
    from hutong.providers.oss.sandbox import Key, OssSandboxSettings, create_sandbox

    chosen = settings.oss
    known = Key(id=chosen.access_key_id, secret=chosen.access_key_secret, token=chosen.security_token)
    made = OssSandboxSettings(
        folder=settings.folder,
        public_url=f"{settings.public_url.rstrip('/')}{OSS_SANDBOX_PATH}",
        endpoint=oss_endpoint(settings),
        bucket=chosen.bucket,
        region=chosen.region,
        keys=(known,),
    )
    return create_sandbox(made)


def _create_mail(settings: Settings) -> Starlette:
    # Imported here: production never needs it.
    from hutong.providers.smtp.sandbox import MailSandboxSettings, create_sandbox

    chosen = settings.smtp
    made = MailSandboxSettings(
        folder=settings.folder,
        public_url=f"{settings.public_url.rstrip('/')}{MAIL_SANDBOX_PATH}",
        port=chosen.sandbox_port,
        username=chosen.username,
        password=chosen.password,
    )
    return create_sandbox(made)
