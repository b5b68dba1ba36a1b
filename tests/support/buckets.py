"""Buckets for tests: the OSS sandbox with the vendor's client, and a SeaweedFS for S3, all on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount

from hutong.kit.clock import Clock
from hutong.providers.oss.client import OssStorage
from hutong.providers.oss.sandbox import Key, OssSandboxSettings, create_sandbox
from hutong.providers.oss.settings import OssSettings
from hutong.providers.s3.settings import S3Settings
from support.http import serving
from support.seaweed import BUCKET, KEY_ID, SECRET, Seaweed

REGION = "cn-beijing"


@dataclass(frozen=True)
class OssBench:
    """The sandbox at `url`, and a storage that calls it."""

    url: str
    settings: OssSettings
    storage: OssStorage


@asynccontextmanager
async def oss_bench(folder: Path, clock: Clock, **settings: Any) -> AsyncIterator[OssBench]:
    """Serve a sandbox, with its own clock of the machine's time unless the test's clock stands for it."""
    chosen = OssSettings(region=REGION, **settings)
    app = Starlette()
    async with serving(app) as url:
        known = Key(id=chosen.access_key_id, secret=chosen.access_key_secret, token=chosen.security_token)
        made = OssSandboxSettings(
            folder=folder, public_url=url, endpoint=url, bucket=chosen.bucket, region=chosen.region, keys=(known,)
        )
        sandbox = create_sandbox(made, clock)
        app.router.routes.append(Mount("/", sandbox))
        storage = OssStorage(chosen, url, clock)
        try:
            yield OssBench(url, chosen, storage)
        finally:
            await storage.close()
            await sandbox.state.sandbox.close()


def s3_settings(server: Seaweed, **settings: Any) -> S3Settings:
    """How to reach the bucket of a private SeaweedFS."""
    return S3Settings(
        endpoint=server.url, bucket=BUCKET, access_key_id=KEY_ID, secret_access_key=SecretStr(SECRET), **settings
    )
