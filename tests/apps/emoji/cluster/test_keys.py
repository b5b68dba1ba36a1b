"""What Hutong says to a cluster during a flow: commands of Redis 6.2, and keys of one operation in one slot."""

import re

import pytest
from redis.exceptions import ResponseError

from support.overheard import overhearing
from support.redis_6_2 import is_known
from support.servers import Redis, RedisCluster
from support.stand import Stand, until

pytestmark = pytest.mark.server
TAG = r"\{[^{}]+\}"
SHAPES = {
    "limits": rf"limit:[a-z_.]+:{TAG}:\d+",
    "epochs": rf"epoch:[a-z]+:{TAG}",
    "profiles": rf"user:{TAG}",
    "the bell": r"\{hutong:jobs\}:bell",
}
"""As docs/kernel/store.md lists them."""
COMMANDS = {"EVALSHA", "EVAL", "GET", "SET", "XADD", "XACK", "XDEL", "XGROUP", "XREADGROUP", "XAUTOCLAIM"}
WITHOUT_KEYS = {"CLUSTER"}


async def _flow(stand: Stand) -> None:
    """What a phone does, so that each user of the store has its turn."""
    phone = await stand.phone()
    await phone.call("GET", "/user/profile")
    await phone.call("PUT", "/user/profile", json={"nickname": "小明"})
    created = (await phone.create(await phone.uploaded())).data
    assert (await phone.ended(created["task_id"]))["status"] == "completed"
    await until(lambda: _is_tidied(stand))
    async with stand.client.get(f"{stand.base}/emoji/health") as answer:
        assert (await answer.json())["components"]["redis"]["status"] == "up"


async def _is_tidied(stand: Stand) -> bool:
    """Read and acknowledged: nothing is left in the stream."""
    await stand.host.bell.forget_stale(idle_ms=60_000)
    return bool(await stand.host.kernel.store.call("XLEN", "{hutong:jobs}:bell") == 0)


@pytest.mark.parametrize(("store_kind", "database_url"), [("cluster", "postgresql")], indirect=True)
async def test_keys_share_a_tag_and_commands_are_old(stand: Stand, redis_masters: RedisCluster) -> None:
    async with overhearing(redis_masters.nodes) as overheard:
        await _flow(stand)
    said = [words for words in overheard.sent if words[0] not in WITHOUT_KEYS | {"XLEN"}]
    keys = {key for words in said for key in _keys(redis_masters.nodes[0], words)}

    assert {words[0] for words in said} >= COMMANDS - {"EVAL", "XGROUP"}
    assert [words for words in overheard.sent + overheard.by_scripts if not is_known(*words)] == []
    assert [words for words in said if not _share_a_slot(redis_masters.nodes[0], words)] == []
    assert [key for key in keys if not any(re.fullmatch(shape, key) for shape in SHAPES.values())] == []
    for user, shape in SHAPES.items():
        assert any(re.fullmatch(shape, key) for key in keys), user


def test_the_list_knows_what_is_newer() -> None:
    assert is_known("xautoclaim", "k") and is_known("CLUSTER", "SLOTS") and is_known("ASKING")
    assert not any(is_known(*words) for words in (("SPUBLISH",), ("CLUSTER", "SHARDS"), ("HEXPIRE",), ("EVAL_RO",)))


def _keys(node: Redis, words: list[str]) -> list[str]:
    """The keys of a command, as the server itself finds them."""
    with node.client() as client:
        try:
            return [str(key) for key in client.execute_command("COMMAND GETKEYS", *words)]
        except ResponseError as error:
            raise AssertionError(f"{words}: {error}") from error


def _share_a_slot(node: Redis, words: list[str]) -> bool:
    with node.client() as client:
        return len({client.execute_command("CLUSTER KEYSLOT", key) for key in _keys(node, words)}) == 1
