"""kill -9 between any two steps: the old pair is good or the new one, never none, never both, and what ended is dead.

R08. Each death is a process of its own; another one then goes on over the same rows and store.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from faults.failpoints import OF_SESSIONS
from hutong.kernel.identity.errors import RefreshReused, TokenRevoked
from hutong.kernel.identity.sessions.tables import EndReason
from kernel.identity.signed_in import PHONE, House

TESTS = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]


class Deaths:
    """Kills processes at failpoints."""

    def __init__(self, orders: Path, database_url: str, store_url: str) -> None:
        self._orders, self._urls = orders, (database_url, store_url)
        self.died_at: set[str] = set()

    async def at(self, failpoint: str, verb: str, *words: object) -> None:
        """A process that does `verb` dies at `failpoint`."""
        (self._orders / failpoint).touch()
        program = [str(Path(__file__).with_name("dying.py")), *self._urls, verb, *map(str, words)]
        path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(TESTS)])
        environment = {**os.environ, "HUTONG_FAILPOINTS": str(self._orders), "PYTHONPATH": path}
        process = await asyncio.create_subprocess_exec(sys.executable, *program, env=environment)
        assert await process.wait() == -signal.SIGKILL, f"nobody came by {failpoint}"
        self.died_at.add(failpoint)


@pytest.fixture
def deaths(tmp_path: Path, database_url: str, store_url: str) -> Deaths:
    orders = tmp_path / "orders"
    orders.mkdir()
    return Deaths(orders, database_url, store_url)


async def test_a_sign_in_that_died_leaves_nothing_that_anybody_holds(house: House, deaths: Deaths) -> None:
    sessions, user = house.process(), await house.user()
    await deaths.at("identity.open.stored", "open", user)
    assert await sessions.list(user) == []
    await deaths.at("identity.open.written", "open", user)
    assert len(await sessions.list(user)) == 1

    pair = await sessions.open(user, PHONE)
    assert await house.is_admitted(sessions, pair.access_token)
    await sessions.end_others(user, pair.session_id)
    assert [view.id for view in await sessions.list(user)] == [pair.session_id]


async def test_a_renewal_that_died_before_sql_knew_leaves_the_old_token_good_for_as_long_as_it_lives(
    house: House, deaths: Deaths
) -> None:
    """Nobody can hold its successor, so it is no replay, however late it comes; and there is one successor only."""
    sessions, user = house.process(), await house.user()
    first = await sessions.open(user, PHONE)
    await deaths.at("identity.refresh.rotated", "refresh", first.refresh_token)
    house.manual.advance(3600)
    second = await sessions.refresh(first.refresh_token, PHONE)

    assert await house.alive(user) == (1, 1, 1)
    assert await house.is_admitted(sessions, second.access_token)
    assert await house.alarms(user) == []
    third = await sessions.refresh(second.refresh_token, PHONE)
    assert await house.is_admitted(sessions, third.access_token)


async def test_a_renewal_that_died_before_it_answered_answers_the_same_in_the_grace(
    house: House, deaths: Deaths
) -> None:
    sessions, user = house.process(), await house.user()
    first = await sessions.open(user, PHONE)
    await deaths.at("identity.refresh.written", "refresh", first.refresh_token)
    house.manual.advance(29)
    second = await sessions.refresh(first.refresh_token, PHONE)

    assert await house.is_admitted(sessions, second.access_token)
    assert not await house.is_admitted(sessions, first.access_token)
    assert await house.alive(user) == (1, 1, 1)
    house.manual.advance(2)
    with pytest.raises(RefreshReused):
        await sessions.refresh(first.refresh_token, PHONE)


@pytest.mark.parametrize("failpoint", ["identity.end.dropped", "identity.end.written"])
async def test_a_sign_out_that_died_leaves_no_token_alive(house: House, deaths: Deaths, failpoint: str) -> None:
    sessions, user = house.process(), await house.user()
    ended, kept = await sessions.open(user, PHONE), await sessions.open(user, PHONE)
    await deaths.at(failpoint, "end", user, ended.session_id)

    assert not await house.is_admitted(sessions, ended.access_token)
    with pytest.raises(TokenRevoked):
        await sessions.refresh(ended.refresh_token, PHONE)
    assert await house.why(ended.session_id) is not None
    assert await house.is_admitted(sessions, kept.access_token)


@pytest.mark.parametrize("failpoint", ["identity.end_all.dropped", "identity.end_all.written"])
async def test_a_sign_out_everywhere_that_died_leaves_no_token_alive(
    house: House, deaths: Deaths, failpoint: str
) -> None:
    sessions, user = house.process(), await house.user()
    pairs = [await sessions.open(user, PHONE) for _ in range(3)]
    await deaths.at(failpoint, "end_all", user)

    assert [await house.is_admitted(sessions, pair.access_token) for pair in pairs] == [False] * 3
    for pair in pairs:
        with pytest.raises(TokenRevoked):
            await sessions.refresh(pair.refresh_token, PHONE)


@pytest.mark.parametrize("failpoint", ["identity.refresh.rotated", "identity.end.dropped", "identity.end.written"])
async def test_a_replay_that_died_is_known_for_one_all_the_same(house: House, deaths: Deaths, failpoint: str) -> None:
    """The family is dead at once, and the alarm comes with the next try if it did not come with this one."""
    sessions, user = house.process(), await house.user()
    first = await sessions.open(user, PHONE)
    second = await sessions.refresh(first.refresh_token, PHONE)
    third = await sessions.refresh(second.refresh_token, PHONE)
    await deaths.at(failpoint, "refresh", first.refresh_token)

    assert not await house.is_admitted(sessions, third.access_token)
    with pytest.raises(TokenRevoked):
        await sessions.refresh(first.refresh_token, PHONE)
    assert await house.why(first.session_id) is EndReason.REUSED
    assert len(await house.alarms(user)) == 1


def test_every_failpoint_of_sessions_is_died_at_here(database_url: str) -> None:
    text = Path(__file__).read_text("utf-8")

    assert [name for name in OF_SESSIONS if f'"{name}"' not in text] == []
