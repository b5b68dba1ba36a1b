"""Fixtures for tests of identity: a house of sessions, a desk of accounts, each on an empty database and store."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from hutong.kernel.db import Database
from hutong.kernel.store import Store
from kernel.identity.signed_in import House
from support.accounts import Desk, desk_at

OpenDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
def house(db: Database, store: Store) -> House:
    return House(db, store)


@pytest.fixture
async def open_desk(tmp_path: Path, database_url: str, store_url: str) -> AsyncIterator[OpenDesk]:
    """Opens a desk with given settings of accounts."""
    async with AsyncExitStack() as stack:

        async def opened(**auth: object) -> Desk:
            return await stack.enter_async_context(desk_at(tmp_path / "data", database_url, store_url, **auth))

        yield opened


@pytest.fixture
async def desk(open_desk: OpenDesk) -> Desk:
    """Accounts with the usual settings."""
    return await open_desk()
