"""Sockets on the production server: who comes in, what a frame may be, how they end."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest
from prometheus_client import REGISTRY

from hutong.kernel.realtime import SocketLimits
from hutong.kernel.store import Store
from support.deadlines import until
from support.http import Client, http_client
from support.listening import becomes
from support.sockets import Place, by_hand, sockets_at

pytestmark = [
    pytest.mark.usefixtures("store_kind"),
    pytest.mark.parametrize("store_kind", ["redis"], indirect=True),
]
LIMITS = SocketLimits(
    hello_seconds=0.3,
    frame_bytes=2000,
    bad_frames=10,
    per_user=3,
    queue_frames=50,
    queue_bytes=20_000,
    slow_seconds=0.5,
    close_seconds=0.5,
    recheck_seconds=0.2,
)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with http_client(30) as opened:
        yield opened


@pytest.fixture
async def place(store_url: str, client: Client) -> AsyncIterator[Place]:
    async with sockets_at(store_url, client, LIMITS, ["https://app.example.com"]) as started:
        yield started


async def test_a_socket_says_hello_and_talks(place: Place) -> None:
    """By a token in the first frame, or by a ticket in the URL; pings are answered; the mark of a frame comes back."""
    talk = await place.enter(7)
    await talk.say(type="say", text="你好", id="m1")
    assert await talk.hear() == {"type": "said", "text": "你好", "id": "m1"}
    await talk.say(type="ping", id="p")
    assert await talk.hear() == {"type": "pong", "id": "p"}
    await talk.ws.send_bytes(b'{"type":"say","text":"as bytes"}')
    assert (await talk.hear())["text"] == "as bytes"
    by_ticket = await place.knock("?ticket=8")
    assert await by_ticket.hear() == {"type": "ready", "user": 8}
    await talk.ws.close()
    await by_ticket.ws.close()
    await becomes(lambda: sorted(place.parlour.left) == [7, 8])


async def test_a_page_of_elsewhere_opens_no_socket(place: Place) -> None:
    """A browser would open one for any page, with the user's cookies."""
    for origin in ("https://evil.example", "null", "https://app.example.com.evil.example"):
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await place.knock(Origin=origin)
    for origin in ("https://app.example.com", place.url):
        await (await place.knock("?ticket=1", Origin=origin)).ws.close()


@pytest.mark.parametrize(
    ("hello", "closed", "code"),
    [
        ('{"type":"hello","token":"nobody"}', 4401, "auth.required"),
        ('{"type":"say","text":"hi"}', 4401, "socket.frame_unknown"),
        ("hello", 4401, "socket.frame_not_json"),
        (None, 4408, "socket.hello_missing"),
    ],
)
async def test_who_does_not_say_hello_is_told_and_closed(
    place: Place, hello: str | None, closed: int, code: str
) -> None:
    talk = await place.knock()
    if hello is not None:
        await talk.ws.send_str(hello)

    assert (await talk.hear())["error"]["code"] == code
    assert await talk.closed() == (closed, code)
    assert not place.parlour.inside
    assert not place.parlour.left


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "socket.frame_not_json"),
        ("[1]", "socket.frame_not_json"),
        ('{"type":"say","text":"a","text":"b"}', "socket.frame_not_json"),
        ('{"type":"say","text":NaN}', "socket.frame_not_json"),
        ('{"type":"say","text":"\\ud800"}', "socket.frame_not_json"),
        ("[" * 1500, "socket.frame_not_json"),
        ("{}", "socket.frame_unknown"),
        ('{"type":["say"]}', "socket.frame_unknown"),
        ('{"type":"sing"}', "socket.frame_unknown"),
        ('{"type":"say"}', "socket.frame_invalid"),
        ('{"type":"say","text":3}', "socket.frame_invalid"),
        ('{"type":"say","text":"a","more":1}', "socket.frame_invalid"),
        ('{"type":"say","text":"' + "x" * 2000 + '"}', "socket.frame_too_large"),
        (b"\xff\xfe", "socket.frame_not_text"),
    ],
)
async def test_a_bad_frame_is_told_and_the_socket_stays(place: Place, frame: str | bytes, code: str) -> None:
    talk = await place.enter()
    await (talk.ws.send_bytes(frame) if isinstance(frame, bytes) else talk.ws.send_str(frame))
    refused = await talk.hear()
    await talk.say(type="say", text="still here")

    assert (refused["type"], refused["error"]["code"]) == ("error", code)
    assert refused["error"]["message"]
    assert (await talk.hear())["text"] == "still here"


async def test_an_error_frame_names_the_frame_and_its_fields_but_no_secret(place: Place) -> None:
    talk = await place.enter()
    await talk.say(type="say", text=3, id="m2")
    invalid = await talk.hear()
    await talk.say(type="fail", id="m3")
    broken = await talk.hear()

    assert invalid["id"] == "m2"
    assert invalid["error"]["details"]["fields"][0]["field"] == "text"
    assert (broken["id"], broken["error"]["code"]) == ("m3", "internal")
    assert "secret" not in str(broken)


async def test_who_sends_only_nonsense_is_closed(place: Place) -> None:
    talk = await place.enter()
    for _ in range(LIMITS.bad_frames):
        await talk.ws.send_str("nonsense")

    assert (await talk.closed())[0] == 1008


async def test_a_frame_of_ten_megabytes_ends_the_socket_with_1009(place: Place) -> None:
    """And the client, which is still sending, gets to see that."""
    talk = await place.enter()
    await talk.ws.send_str("x" * 10_000_000)

    assert (await talk.closed())[0] == 1009
    await becomes(lambda: not place.parlour.inside)


async def test_text_that_is_no_utf8_ends_the_socket_with_1007(place: Place) -> None:
    talk = await place.enter()
    await talk.ws.send_frame(b"\xc3\x28", aiohttp.WSMsgType.TEXT)

    assert (await talk.closed())[0] == 1007
    await becomes(lambda: not place.parlour.inside)


async def test_fragments_without_end_end_the_socket(place: Place) -> None:
    """Empty ones count for nothing where sizes are added up."""
    async with by_hand(place.url, "?ticket=1") as hand:
        hand.send(b"", fin=False)
        for _ in range(2000):
            hand.send(b"", 0, fin=False)
        assert (await hand.rest())[1] == 1009


async def test_a_user_has_so_many_sockets_on_all_processes(place: Place, store_url: str, client: Client) -> None:
    """Closing one makes room for another; other users are not concerned."""
    async with sockets_at(store_url, client, LIMITS) as other:
        talks = [await place.enter(), await other.enter(), await place.enter()]
        for full in (place, other):
            talk = await full.knock("?ticket=1")
            assert (await talk.hear())["error"]["code"] == "socket.too_many"
            assert (await talk.closed())[0] == 4429
        await other.enter(2)
        await talks[0].ws.close()
        await becomes(lambda: 1 in place.parlour.left)
        await other.enter()


async def test_the_places_of_a_killed_process_fall_free(store_url: str, client: Client, store: Store) -> None:
    """Those of a living one are kept, even when the store forgets them."""
    async with sockets_at(store_url, client, LIMITS, lease_seconds=0.6) as place:
        stays = await place.enter()
        now = int((await store.call("TIME"))[0]) * 1000
        for dead in ("dead1", "dead2"):  # as one that was killed a moment ago leaves them
            await store.call("ZADD", "sockets:parlour:{1}", now + 1500, dead)
        refused = await place.knock("?ticket=1")
        assert (await refused.closed())[0] == 4429
        await store.remove("sockets:parlour:{1}")

        assert await until(lambda: store.call("ZRANGE", "sockets:parlour:{1}", 0, -1)) == [
            place.parlour.inside[0].id.encode()
        ]
        await stays.ws.close()


async def test_a_slow_client_is_sent_away_and_told_where_to_resume(place: Place) -> None:
    """Events do not wait for it; what it got before it stopped reading is named."""
    async with by_hand(place.url, "?ticket=1") as hand:
        hand.send(b'{"type":"flood","count":10000,"size":1000,"waits":false}')
        await becomes(lambda: place.parlour.inside and place.parlour.inside[0].close_code == 1013)
        frames, code = await hand.rest()

    numbers = [frame["number"] for frame in frames if frame["type"] == "flood"]
    assert code == 1013
    assert numbers == list(range(len(numbers)))
    assert frames[-1] == {"type": "closing", "code": 1013, "reason": "slow", "resume": {"r1": numbers[-1]}}


async def test_a_slow_client_that_reads_again_loses_nothing_of_a_stream(place: Place) -> None:
    """A stream waits for it, as long as it takes something now and then."""
    talk = await place.enter()
    await talk.say(type="flood", count=3000, size=1000, waits=True)
    for number in range(3000):
        assert (await talk.hear())["number"] == number
    assert not place.parlour.inside[0].closed


async def test_a_client_that_never_reads_is_hung_up_on(place: Place) -> None:
    """A stream waits for it only so long; neither task nor memory stays behind."""
    async with by_hand(place.url, "?ticket=1") as hand:
        hand.send(b'{"type":"flood","count":10000,"size":10000,"waits":true}')
        await becomes(lambda: place.parlour.left == [1])
        _, code = await hand.rest()

    assert code == 1006


async def test_who_is_signed_out_elsewhere_is_sent_away(place: Place) -> None:
    talk = await place.enter(5)
    stays = await place.enter(6)
    place.parlour.banned.add(5)

    assert (await talk.hear())["error"]["code"] == "auth.required"
    assert (await talk.closed())[0] == 4401
    await stays.say(type="ping")
    assert await stays.hear() == {"type": "pong"}


async def test_a_process_that_leaves_closes_its_sockets_with_1012(store_url: str, client: Client) -> None:
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(sockets_at(store_url, client, LIMITS))
        talks = [await place.enter(user) for user in range(1, 20)]
        await stack.aclose()

    assert {(await talk.closed())[0] for talk in talks} == {1012}
    assert sorted(place.parlour.left) == list(range(1, 20))


async def test_sockets_are_counted(place: Place) -> None:
    def active() -> float:
        return REGISTRY.get_sample_value("hutong_websocket_connections_active", {"app": "parlour"}) or 0.0

    before = active()
    talks = [await place.enter(user) for user in range(1, 4)]
    assert active() == before + 3
    for talk in talks:
        await talk.ws.close()
    await becomes(lambda: active() == before)


async def test_a_hundred_comings_and_goings_leave_nothing_behind(place: Place, store: Store) -> None:
    for number in range(100):
        talk = await place.enter()
        if number % 2:
            await talk.ws.close()
        else:
            talk.cut()
        await becomes(lambda: not place.parlour.inside)

    assert len(place.parlour.left) == 100
    assert await store.call("EXISTS", "sockets:parlour:{1}") == 0


async def test_without_a_store_sockets_open_and_are_counted_here(client: Client) -> None:
    async with sockets_at("redis://127.0.0.1:1", client, LIMITS) as place:
        talks = [await place.enter() for _ in range(LIMITS.per_user)]
        assert (await (await place.knock("?ticket=1")).closed())[0] == 4429
        await talks[0].ws.close()
        await becomes(lambda: len(place.parlour.left) == 1)
        await place.enter()
