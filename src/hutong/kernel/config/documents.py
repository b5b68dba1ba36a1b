"""Documents that may change at any moment: validated, versioned, the last good one kept.

Source: contracts/emoji.md "Live configuration": a bad document is rejected, logged and alerted, the last good one stays.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from hutong.kernel.config.folder import Source
from hutong.kernel.http.strict import parse_json
from hutong.kernel.observability import metrics
from hutong.kernel.observability.logs import logger
from hutong.kit.errors import HutongError
from hutong.kit.tasks import end

M = TypeVar("M", bound=BaseModel)
WATCH_SECONDS = 1.0
_log = logger("config")


class DocumentInvalid(ValueError):
    """A live document is not what its model wants."""


@dataclass(slots=True)
class Document(Generic[M]):
    """One live document.

    Args:
        name: its data id, as in `pickitchen-styles.json`.
        model: what it must look like.
        default: bundled content, valid, used until the source has one.
    """

    name: str
    model: type[M]
    default: bytes
    value: M = field(init=False)
    version: str = field(init=False, default="")
    _refused: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.apply(self.default)

    def apply(self, content: bytes) -> bool:
        """Take `content` if it differs from the present one. Returns whether anything changed.

        Raises:
            DocumentInvalid: it is not valid; the present value stays.
        """
        version = hashlib.sha256(content).hexdigest()[:16]
        if version in {self.version, self._refused}:
            return False
        try:
            self.value = self.model.model_validate(_parse(self.name, content), strict=False)
        except (ValidationError, HutongError, yaml.YAMLError, ValueError) as error:
            self._refused = version
            raise DocumentInvalid(_explain(error)) from error
        self.version, self._refused = version, ""
        return True


def _parse(name: str, content: bytes) -> Any:
    if name.endswith((".yaml", ".yml")):
        return yaml.safe_load(content)
    return parse_json(content)


def _explain(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5])
    return str(error)


class Documents:
    """Keeps documents up to date from a source."""

    def __init__(self, source: Source, documents: Sequence[Document[Any]]) -> None:
        self._source = source
        self._documents = documents
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Publish the defaults, read everything once, then watch until `stop`."""
        for document in self._documents:
            await self._source.publish_default(document.name, document.default)
        await self.refresh()
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        await end(self._watching)

    async def refresh(self) -> None:
        """Look at every document now."""
        for document in self._documents:
            await self._refresh(document)

    async def _refresh(self, document: Document[Any]) -> None:
        try:
            content = await self._source.read(document.name)
            if content is not None and document.apply(content):
                _log.info("document applied", document=document.name, version=document.version)
        except DocumentInvalid as error:
            metrics.config_rejected.labels(document.name).inc()
            _log.error("document refused; the last good one stays", document=document.name, reason=str(error))
        except OSError as error:
            _log.warning("document cannot be read", document=document.name, error=repr(error))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await self.refresh()
