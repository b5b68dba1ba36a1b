"""The frozen API descriptions: each app's `contract/openapi.yaml`, as the running app describes itself."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

import hutong
from hutong.host.reference.jobs_page import Defaults
from hutong.host.wiring import Host

HEAD = "# Written by `python -m hutong.host.reference`; a change in it is a change of the contract.\n"
APPS = Path(hutong.__file__).parent / "apps"


def render_documents() -> dict[Path, str]:
    """The file of each app and its text."""
    return {APPS / name / "contract" / "openapi.yaml": _text(found) for name, found in documents().items()}


def documents() -> Mapping[str, dict[str, Any]]:
    """Each app's OpenAPI document, whatever this machine's environment says."""
    return asyncio.run(_documents())


async def _documents() -> Mapping[str, dict[str, Any]]:
    with TemporaryDirectory() as folder:
        host = Host(Defaults(env="test", data=Path(folder), store_url="redis://127.0.0.1:1/0"))
        found = {spec.name: spec.create_app(host.kernel).openapi() for spec in host.specs}
        await host.stop()
    return found


def _text(document: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
    return HEAD + text
