"""A house of its own for each test, on an empty database and store."""

import pytest

from hutong.kernel.db import Database
from hutong.kernel.store import Store
from kernel.identity.signed_in import House


@pytest.fixture
def house(db: Database, store: Store) -> House:
    return House(db, store)
