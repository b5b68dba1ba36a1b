"""The store's part of sessions: the script that rotates a refresh token, and an admission, beside a bare EVALSHA."""

import asyncio
import hashlib
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path

from pydantic import SecretStr

from benchmarks.measure import Cost, Finding, Stopwatch, alternate_all, median
from hutong.host import migrations
from hutong.host.settings import load_settings
from hutong.kernel.db import Database, open_database
from hutong.kernel.http.limits import Limit, Limiter
from hutong.kernel.identity import TokenRealm, User
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.sessions import SessionPolicy, Sessions
from hutong.kernel.identity.sessions.scripts import OPEN, ROTATE
from hutong.kernel.identity.tables import CredentialKind, UserStatus
from hutong.kernel.identity.users import create_with_credential
from hutong.kernel.settings import SigningKey
from hutong.kernel.store import Script, Store
from hutong.kernel.store.pipe import Argument
from hutong.kit.clock import SystemClock
from support.servers import redis

TOGETHER = 16
GOAL = 0.5
BARE = Script("bench.bare", "return 1")
KEY = SigningKey(kid="bench", secret=SecretStr("Zk3vQ9xW7mB2nR5tY8uJ4hL6pD1sF0gA"))
CLIENT = Client("127.0.0.1", "en")
DAY = 86_400
TURN = f"0 {'1795525076 ' * 4}{'s' * 22} bench"
KEPT = (DAY * 1000, 7 * DAY * 1000)
RULES = (30, 30_000, 100, 0)
numbers = count(1)
Call = Callable[[int], Awaitable[object]]
"""One call by the caller with this number."""


async def run(*, quick: bool) -> list[Finding]:
    """One Redis and one client: a caller who waits for each answer, with the server's log off and on, then several callers.

    The log is the server's, not the script's, and the floor writes nothing to it: so the goal is without.
    """
    size, rounds = (1_600, 2) if quick else (16_000, 6)
    with redis() as server, tempfile.TemporaryDirectory() as folder:
        settings = load_settings(env="test", data=Path(folder), database_url=f"sqlite:///{folder}/sessions.db")
        await asyncio.to_thread(migrations.upgrade, settings)
        db, store = open_database(settings), Store(server.store_url)
        try:
            calls = {"bare": _bare(store), "rotate": await _rotating(store), "admit": await _admitting(db, store)}
            logged = await _measured(calls, size // 4, 1, rounds)
            await store.call("CONFIG", "SET", "appendonly", "no")
            alone = await _measured(calls, size // 4, 1, rounds)
            together = await _measured(calls, size, TOGETHER, rounds)
        finally:
            await store.close()
            await db.close()
    return [
        _finding("the script that rotates a token, one call after the other", "rotate", alone, GOAL),
        _finding("the same, each in the server's log", "rotate", logged, None),
        _finding(f"the same, {TOGETHER} callers on one connection", "rotate", together, None),
        _finding("Sessions.admit (token, session, limit), one call after the other", "admit", alone, None),
        _finding(f"the same, {TOGETHER} callers on one connection", "admit", together, None),
    ]


def _finding(what: str, name: str, costs: Mapping[str, list[Cost]], goal: float | None) -> Finding:
    ours, bare = costs[name], costs["bare"]
    rates = [median(each, lambda cost: cost.per_second) for each in (ours, bare)]
    micros = [median(each, lambda cost: cost.cpu_micros) for each in (ours, bare)]
    return Finding(
        what,
        f"{rates[0]:,.0f}/s ({micros[0]:.0f} µs CPU of the client)",
        f"EVALSHA of nothing {rates[1]:,.0f}/s ({micros[1]:.0f} µs)",
        rates[0] / rates[1],
        goal=goal,
    )


async def _measured(calls: Mapping[str, Call], size: int, callers: int, rounds: int) -> dict[str, list[Cost]]:
    measured = {name: partial(_round, call, size, callers) for name, call in calls.items()}
    for first in measured.values():
        await first()
    return await alternate_all(measured, rounds)


async def _round(call: Call, size: int, callers: int) -> Cost:
    watch = Stopwatch()

    async def caller(number: int) -> None:
        for _ in range(size // callers):
            await call(number)

    await asyncio.gather(*(caller(number) for number in range(callers)))
    return watch.cost(size // callers * callers)


def _bare(store: Store) -> Call:
    """As many keys and arguments as the rotation's, for a script that does nothing with them."""
    words: list[Argument] = ["", _digest(), _digest(), *_ends(), TURN, *KEPT, _digest(), 1, *RULES]
    return lambda caller: store.run(BARE, _keys(caller), words)


async def _rotating(store: Store) -> Call:
    """Each caller renews a session of its own again and again; digests instead of tokens, which are not the store's part."""
    newest, ends = {caller: (_digest(), 0) for caller in range(TOGETHER)}, _ends()
    for caller, (digest, _) in newest.items():
        await store.run(OPEN, _keys(caller), ["", _digest(), digest, *_ends(), TURN, *KEPT])

    async def rotate(caller: int) -> None:
        presented, counter = newest[caller]
        successor = (_digest(), counter + 1)
        words: list[Argument] = ["", _digest(), successor[0], *ends, TURN, *KEPT, presented, counter, *RULES]
        assert await store.run(ROTATE, _keys(caller), words) == [b"rotated"]
        newest[caller] = successor

    return rotate


def _keys(caller: int) -> list[str]:
    tag = f"{{{caller}}}"
    return [f"access_token:{tag}", f"refresh_token:{tag}", f"refresh_token_old:{tag}", f"session:{tag}:1"]


def _ends() -> tuple[int, int]:
    now = int(SystemClock().now().timestamp())
    return now + DAY, now + 7 * DAY


def _digest() -> bytes:
    return hashlib.sha256(next(numbers).to_bytes(8)).digest()


async def _admitting(db: Database, store: Store) -> Call:
    """Each caller shows its access token again and again, as `GET /me` would."""
    clock, ids = SystemClock(), count(1_000_000)
    realm = TokenRealm([KEY], clock, timedelta(days=1), name="bench")
    sessions = Sessions(realm, SessionPolicy(), db, store, lambda: next(ids), clock)
    limiter, limit, tokens = Limiter(store, clock), Limit("user", 10**9), []
    for caller in range(TOGETHER):
        now = clock.now()
        user = User(next(ids), "bench", "Li", UserStatus.ACTIVE, now.replace(microsecond=0), now)
        await db.write(create_with_credential, user, CredentialKind.DEVICE, f"device-{caller}")
        tokens.append((await sessions.open(user.id, CLIENT)).access_token)
    return lambda caller: sessions.admit(tokens[caller], limiter, limit)
