"""A store that takes connections and says nothing: one caller waits for it, the others do not."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from hutong.kernel.store.pipe import HotLane, Pipe

TIMEOUT = 0.3


class Mute:
    """A server that answers PONG once it is allowed to."""

    def __init__(self) -> None:
        self.speaks = False
        self.asked = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            self.asked += 1
            if self.speaks:
                writer.write(b"+PONG\r\n")
        writer.close()

    async def connect(self) -> Pipe:
        _, pipe = await asyncio.get_running_loop().create_connection(Pipe, "127.0.0.1", self.port)
        return pipe


@pytest.fixture
async def mute() -> AsyncIterator[Mute]:
    made = Mute()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


async def _failing(lane: HotLane) -> float:
    begun = time.monotonic()
    with pytest.raises(ConnectionError):
        await lane.call("PING", seconds=TIMEOUT)
    return time.monotonic() - begun


async def test_after_one_silence_calls_fail_at_once(mute: Mute) -> None:
    lane = HotLane(mute.connect, rest=60.0)
    first = await _failing(lane)
    others = [await _failing(lane) for _ in range(20)]
    lane.close()

    assert first >= TIMEOUT
    assert sum(others) < TIMEOUT
    assert mute.asked == 1


async def test_after_the_rest_one_call_tries_and_a_store_that_answers_is_used_again(mute: Mute) -> None:
    lane = HotLane(mute.connect, rest=0.05)
    await _failing(lane)
    while mute.asked < 2:
        await asyncio.gather(*(_failing(lane) for _ in range(5)))
        await asyncio.sleep(0.01)
    mute.speaks = True
    end = time.monotonic() + 10
    answer = None
    while answer is None and time.monotonic() < end:
        try:
            answer = await lane.call("PING", seconds=TIMEOUT)
        except ConnectionError:
            await asyncio.sleep(0.01)
    again = await lane.call("PING", seconds=TIMEOUT)
    lane.close()

    assert (answer, again) == (b"PONG", b"PONG")
    assert mute.asked <= 5, "the calls that rested asked all the same"


async def test_a_call_that_is_given_up_just_as_its_lane_connects_leaves_no_connection(mute: Mute) -> None:
    """Nothing is left to cancel then, and nobody has seen the connection yet."""
    opened: list[Pipe] = []

    async def connect() -> Pipe:
        opened.append(await mute.connect())
        for end in (asking.cancel, lane.close):
            asyncio.get_running_loop().call_soon(end)
        return opened[0]

    lane = HotLane(connect, rest=60.0)
    asking = asyncio.ensure_future(lane.call("PING"))
    await asyncio.wait({asking})
    closed = not opened[0].open
    opened[0].close()

    assert closed
