"""The vendors' local stand-ins that an API process serves outside production."""

import asyncio

from starlette.applications import Starlette

from hutong.host.settings import Settings
from hutong.host.wiring import SANDBOX_PATH
from hutong.kernel.observability.logs import logger
from hutong.kernel.settings import SettingsRefused
from hutong.kit.tasks import end
from hutong.providers.dashscope.sandbox.app import create_sandbox
from hutong.providers.dashscope.sandbox.ports import Vision, VisionUnavailable
from hutong.providers.dashscope.sandbox.settings import SandboxSettings
from hutong.providers.dashscope.sandbox.vision_client import VisionClient
from hutong.providers.dashscope.sandbox.vision_process import VisionProcess

_log = logger("host.sandboxes")


class Sandboxes:
    """All sandboxes of this process.

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
        if vision is None:
            self._process = VisionProcess(settings.folder / "sandbox")
            vision = VisionClient(self._process)
        public_url = f"{settings.public_url.rstrip('/')}{SANDBOX_PATH}"
        key = settings.dashscope.api_key.get_secret_value()
        limits = settings.sandbox.model_dump()
        made = SandboxSettings(folder=settings.folder, public_url=public_url, api_keys=(key,), **limits)
        self._dashscope = create_sandbox(made, vision)
        self._warming: asyncio.Task[None] | None = None

    @property
    def dashscope(self) -> Starlette:
        return self._dashscope

    async def start(self) -> None:
        """Begin to work off what waits; the vision process warms up meanwhile, for its libraries load slowly."""
        await self._dashscope.state.sandbox.start()
        if self._process is not None:
            self._warming = asyncio.create_task(self._warm_up(self._process))

    async def _warm_up(self, process: VisionProcess) -> None:
        try:
            await process.ensure()
        except VisionUnavailable as error:
            _log.warning("the vision process does not start; the sandbox can only refuse", reason=str(error))

    async def stop(self) -> None:
        await end(self._warming)
        await self._dashscope.state.sandbox.close()
        if self._process is not None:
            await self._process.close()
