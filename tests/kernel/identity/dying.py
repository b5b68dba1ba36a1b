"""A process that uses sessions once and, if a failpoint is armed, does not live to tell: `dying.py URL STORE VERB WORD…`."""

import asyncio
import sys

from hutong.host.settings import load_settings
from hutong.kernel.db import open_database
from hutong.kernel.store import Store
from kernel.identity.signed_in import PHONE, House


async def main(database_url: str, store_url: str, verb: str, *words: str) -> None:
    db, store = open_database(load_settings(env="test", database_url=database_url)), Store(store_url)
    sessions = House(db, store).process()
    if verb == "open":
        await sessions.open(int(words[0]), PHONE)
    elif verb == "refresh":
        await sessions.refresh(words[0], PHONE)
    elif verb == "end":
        await sessions.end(int(words[0]), int(words[1]))
    else:
        await sessions.end_all(int(words[0]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
