"""The `Vision` port over the vision process's unix socket."""

import asyncio
from collections.abc import Mapping

import aiohttp
import orjson

from hutong.providers.dashscope.sandbox.ports import Box, Inspection, VisionRefused, VisionUnavailable
from hutong.providers.dashscope.sandbox.vision_process import VisionProcess

INSPECT_SECONDS = 60.0
RENDER_SECONDS = 180.0
TRIES = 2
"""A process that died is started again and asked once more; a picture that kills it twice is given up."""


class VisionClient:
    """Talks to the vision process and has it started when it does not answer."""

    def __init__(self, process: VisionProcess) -> None:
        self._process = process

    async def inspect(self, image: bytes) -> Inspection:
        """See `Vision.inspect`."""
        body, _ = await self._ask("/inspect", {}, image, INSPECT_SECONDS)
        found: Inspection = orjson.loads(body)
        return found

    async def render(self, image: bytes, driven_id: str, face_bbox: Box, ext_bbox: Box) -> tuple[bytes, float]:
        """See `Vision.render`."""
        query = {
            "driven_id": driven_id,
            "face_bbox": ",".join(map(str, face_bbox)),
            "ext_bbox": ",".join(map(str, ext_bbox)),
        }
        video, headers = await self._ask("/render", query, image, RENDER_SECONDS)
        return video, float(headers["X-Duration"])

    async def _ask(
        self, path: str, query: Mapping[str, str], image: bytes, seconds: float
    ) -> tuple[bytes, Mapping[str, str]]:
        trouble: Exception | None = None
        for _ in range(TRIES):
            try:
                async with asyncio.timeout(seconds):
                    return await self._post(path, query, image)
            except TimeoutError:
                raise VisionUnavailable(f"the vision process took longer than {seconds} s") from None
            except (aiohttp.ClientError, OSError) as lost:
                trouble = lost
                await self._process.ensure()
        raise VisionUnavailable(f"the vision process broke off: {trouble}")

    async def _post(self, path: str, query: Mapping[str, str], image: bytes) -> tuple[bytes, Mapping[str, str]]:
        connector = aiohttp.UnixConnector(str(self._process.socket))
        # A child process on a private socket: neither the pool nor the address guard of kernel.http applies.
        async with (
            aiohttp.ClientSession(connector=connector) as session,  # noqa: TID251
            session.post(f"http://vision{path}", params=query, data=image) as response,
        ):
            body = await response.read()
            if response.status == 200:
                return body, response.headers
            if response.status in {400, 413}:
                refusal = orjson.loads(body)
                raise VisionRefused(refusal["code"], refusal["message"])
            raise VisionUnavailable(f"the vision process answered {response.status}")
