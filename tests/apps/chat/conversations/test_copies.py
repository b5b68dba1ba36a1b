"""Copies of members and of lists: true across processes, and gone with what they tell."""

import pytest

from hutong.apps.chat.app import open_conversations, open_members
from hutong.apps.chat.conversations.schemas import ConversationChange, NewConversation
from hutong.host.wiring import Host
from hutong.kernel.identity.errors import UserBlocked
from support.chatter import administrator, chatter
from support.stand import Stand

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_two_processes_tell_the_same_list(stand: Stand) -> None:
    """Each write of either is in the next answer of both, though both have copies."""
    lin = await chatter(stand, "lin")
    elsewhere = Host(stand.settings)
    await elsewhere.start()
    one, other = open_conversations(stand.host.kernel), open_conversations(elsewhere.kernel)
    member = await open_members(elsewhere.kernel).get(lin.user_id)

    async def both() -> list[bytes]:
        return [
            await side.page(lin.user_id, archived=False, text="", cursor=None, limit=40) for side in (one, other, one)
        ]

    made = await other.create(member, NewConversation(title="first"))
    assert all(b"first" in page for page in await both())
    await one.change(member, made.id, ConversationChange(title="second"))
    assert all(b"second" in page and b"first" not in page for page in await both())
    await other.remove(lin.user_id, made.id)
    assert set(await both()) == {b'{"items":[],"next_cursor":null}'}
    await elsewhere.stop()


async def test_the_store_has_the_keys_of_the_contract(stand: Stand) -> None:
    """`session:{user_id}` for 30 minutes, `conversations:{user_id}` for 5, once they were asked for."""
    lin, store = await chatter(stand, "lin"), stand.host.kernel.store
    await lin.titles()
    for key, seconds in ((f"session:{{{lin.user_id}}}", 1_800), (f"conversations:{{{lin.user_id}}}", 300)):
        left = await store.call("TTL", key)
        assert seconds - 10 < left <= seconds, key


async def test_what_an_administrator_changes_is_known_elsewhere_at_once(stand: Stand) -> None:
    lin, admin = await chatter(stand, "lin"), await administrator(stand)
    elsewhere = Host(stand.settings)
    await elsewhere.start()
    members = open_members(elsewhere.kernel)
    assert not (await members.get(lin.user_id)).is_vip
    assert not (await members.get(lin.user_id)).is_vip

    await admin.patch(f"/users/{lin.user['id']}", {"is_vip": True})
    assert (await members.get(lin.user_id)).is_vip
    await admin.patch(f"/users/{lin.user['id']}", {"is_active": False})
    with pytest.raises(UserBlocked):
        await members.get(lin.user_id)
    await elsewhere.stop()
