"""Store URLs, and what a key, a pointer and a slot map say."""

from pathlib import Path

import pytest

from hutong.host.settings import load_settings
from hutong.kernel.settings import SettingsRefused
from hutong.kernel.store.address import Address, Node
from hutong.kernel.store.cluster import key_of, slot_of, target
from hutong.kernel.store.topology import ranges

CANARY = "c4n4ry-do-not-show"
GOOD = {
    "redis://": Address((Node("127.0.0.1", 6379),)),
    "redis://:p%40ss@h:7000/3": Address((Node("h", 7000),), password="p@ss", database=3),
    "rediss://u:p@h": Address((Node("h", 6379),), username="u", password="p", secure=True),
    "unix:///run/valkey.sock?db=2": Address(path="/run/valkey.sock", database=2),
    "redis+cluster://a:7000,b,[::1]:7002": Address((Node("a", 7000), Node("b", 6379), Node("::1", 7002)), cluster=True),
    "rediss+cluster://u:p@a:1/": Address((Node("a", 1),), "", "u", "p", secure=True, cluster=True),
}
NONSENSE = {
    f"redis+cluster://:{CANARY}@a:7000,b:7001/2": "no numbered databases",
    f"redis+cluster://:{CANARY}@a:7000?db=1": "no options",
    f"redis://:{CANARY}@a:7000,b:7001": r"redis\+cluster://",
    f"redis+cluster://:{CANARY}@a:7000,b:x": "port",
    f"redis+cluster://:{CANARY}@a:70000": "port",
    f"redis+cluster://:{CANARY}@a:0": "port",
    f"redis://:{CANARY}@h/first": "number",
    f"valkey://:{CANARY}@h": r"begins with redis://.*redis\+cluster://",
    f"redis-cluster://:{CANARY}@h": "begins with",
    f"://{CANARY}": "begins with",
}
ANSWER = [
    [0, 5460, [b"10.0.0.1", 7000, b"id1"], [b"10.0.0.4", 7003, b"id4"]],
    [5461, 5461, [b"", 7001, b"id2"]],
    [5462, 9000, [None, 7001, b"id2", []]],
    [9001, 16383, [b"?", 7002, b"id3"]],
]


@pytest.mark.parametrize(("url", "address"), GOOD.items(), ids=GOOD)
def test_a_url_says_where_the_store_is(url: str, address: Address) -> None:
    assert Address.parse(url) == address


@pytest.mark.parametrize(("url", "reason"), NONSENSE.items())
def test_nonsense_is_refused_at_the_start_without_showing_the_password(tmp_path: Path, url: str, reason: str) -> None:
    with pytest.raises(SettingsRefused, match=f"HUTONG_STORE_URL: .*{reason}") as refused:
        load_settings(env="test", data=tmp_path, store_url=url)

    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"123456789", b"123456789"),
        (b"{user1000}.following", b"user1000"),
        (b"limit:ip:{10.0.0.1}:28", b"10.0.0.1"),
        (b"foo{}{bar}", b"foo{}{bar}"),
        (b"foo{{bar}}zap", b"{bar"),
        (b"foo{bar}{zap}", b"bar"),
        (b"foo{bar", b"foo{bar"),
    ],
)
def test_a_key_lies_where_the_specification_says(key: bytes, hashed: bytes) -> None:
    """The specification's own examples; 0x31C3 is its check value."""
    assert slot_of(b"123456789") == 0x31C3 % 16384
    assert slot_of(key) == slot_of(hashed)


def test_a_command_is_known_by_its_first_key() -> None:
    assert key_of(("GET", "k")) == b"k"
    assert key_of(("EVALSHA", "0a", 2, "k", "l", 7)) == b"k"
    assert key_of(("XGROUP", "CREATE", "k", "g", "0")) == b"k"
    assert key_of(("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "k", ">")) == b"k"
    with pytest.raises(ValueError, match="FLUSHALL"):
        key_of(("FLUSHALL",))


def test_pointers_and_maps_name_nodes() -> None:
    asked = Node("10.0.0.9", 7009)

    assert target("MOVED 3999 10.0.0.2:6381", asked) == Node("10.0.0.2", 6381)
    assert target("ASK 3999 :6381", asked) == Node("10.0.0.9", 6381)
    assert target("MOVED 3999 2001:db8::1:6381", asked) == Node("2001:db8::1", 6381)
    assert ranges(ANSWER, asked) == {
        (0, 5460): Node("10.0.0.1", 7000),
        (5461, 5461): Node("10.0.0.9", 7001),
        (5462, 9000): Node("10.0.0.9", 7001),
    }
