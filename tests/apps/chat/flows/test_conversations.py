"""The story of conversations: begun, listed, searched, archived, read as a tree, exported, imported. On every database."""

import asyncio
import json
from typing import Any

from support.chatter import Chatter, chatter, exchange
from support.stand import Stand


async def test_a_list_goes_on_where_it_ended(stand: Stand) -> None:
    """Pages by cursor: everything once, the one that was updated last first, also of one moment, also while others come."""
    lin = await chatter(stand, "lin")
    for number in range(7):
        await lin.begin(f"about {number}")
    first = (await lin.get("/conversations", limit=3)).ok
    await lin.begin("a newer one")

    found, cursor = [item["title"] for item in first["items"]], first["next_cursor"]
    while cursor is not None:
        page = (await lin.get("/conversations", limit=3, cursor=cursor)).ok
        found, cursor = found + [item["title"] for item in page["items"]], page["next_cursor"]

    assert found == [f"about {number}" for number in reversed(range(7))]
    assert (await lin.titles())[:2] == ["a newer one", "about 6"]


async def test_search_looks_into_titles_and_messages(stand: Stand) -> None:
    """In every script, whatever the case; each word has to be there; signs of LIKE are signs; archived ones apart."""
    lin, other = await chatter(stand, "lin"), await chatter(stand, "other")
    chinese = await lin.begin("关于北京的胡同")
    english = await lin.begin("Holiday Plans")
    percent = await lin.begin("100% sure_thing \\ really")
    await exchange(stand, lin, english["id"], "Where is MÜNCHEN?", "In Bavaria. 慕尼黑在德国。")
    await exchange(stand, other, (await other.begin("胡同"))["id"], "胡同", "hutong")

    async def found(text: str, **query: Any) -> set[str]:
        return {item["id"] for item in (await lin.get("/conversations", q=text, **query)).ok["items"]}

    assert await found("胡同") == {chinese["id"]}
    assert await found("holiday") == await found("慕尼黑") == await found("bavaria plans") == {english["id"]}
    assert await found("MÜNCHEN") == {english["id"]}
    assert await found("100%") == await found("sure_t") == await found("\\") == {percent["id"]}
    assert await found("1%0") == await found("s_re") == await found("holiday 胡同") == set()
    assert len(await found("  ")) == 3

    await lin.patch(f"/conversations/{chinese['id']}", {"is_archived": True})
    assert await found("胡同") == set() and await found("胡同", is_archived="true") == {chinese["id"]}


async def test_a_conversation_is_a_tree(stand: Stand) -> None:
    """All branches page by page, parents first; one branch by its leaf; two at once are both there."""
    lin = await chatter(stand, "lin")
    conversation = await lin.begin("tree", system_prompt="Be brief.")
    path = f"/conversations/{conversation['id']}/messages"
    root = conversation["leaf_id"]
    first = await exchange(stand, lin, conversation["id"], "one", "eins", parent_id=root)
    second = await exchange(stand, lin, conversation["id"], "two", "zwei", parent_id=first.id)
    edited = await exchange(stand, lin, conversation["id"], "uno", "un", parent_id=root)
    both = [
        exchange(stand, lin, conversation["id"], f"at once {number}", "yes", parent_id=edited.id) for number in (1, 2)
    ]
    await asyncio.gather(*both)

    everything = await _pages(lin, path, limit=4)
    seen: set[str] = set()
    for message in everything:
        assert message["parent_id"] is None or message["parent_id"] in seen
        seen.add(message["id"])
    assert len(everything) == 11 == len(seen)
    branch = (await lin.get(path, leaf=second.id)).ok["items"]
    assert [message["content"] for message in branch] == ["Be brief.", "one", "eins", "two", "zwei"]
    assert (branch[2]["tokens_used"], branch[2]["status"], branch[0]["role"]) == (15, "complete", "system")
    newest = (await lin.get(path, leaf="newest")).ok["items"]
    assert [message["content"] for message in newest][:3] == ["Be brief.", "uno", "un"]
    assert (await lin.get(path, leaf=conversation["id"])).told == (404, "chat.message_unknown")


async def test_what_was_exported_can_be_imported(stand: Stand) -> None:
    """The same tree for another user under the same ids; again adds nothing; a lie in the file adds nothing at all."""
    lin, other = await chatter(stand, "lin"), await chatter(stand, "other")
    conversation = await lin.begin("关于 <b>胡同</b>")
    reply = await exchange(stand, lin, conversation["id"], "hello\n\n# not a heading of ours", "hi")
    await exchange(stand, lin, conversation["id"], "again", "hi again", parent_id=reply.id)
    await lin.patch(f"/conversations/{(await lin.begin('old'))['id']}", {"is_archived": True})
    exported = await lin.get("/conversations/export")
    assert exported.headers["Content-Disposition"] == 'attachment; filename="conversations.json"'
    file = exported.ok
    assert (len(file["conversations"]), file["next_cursor"]) == (2, None)

    assert (await other.post("/conversations/import", file)).ok == {"created": 2, "skipped": 0, "messages": 4}
    assert (await other.post("/conversations/import", file)).ok == {"created": 0, "skipped": 2, "messages": 0}
    assert (await lin.post("/conversations/import", file)).ok == {"created": 0, "skipped": 2, "messages": 0}
    again = (await other.get("/conversations/export")).ok
    assert again["conversations"] == file["conversations"]

    other_tree = (await other.get(f"/conversations/{conversation['id']}/messages", leaf="newest")).ok["items"]
    assert [message["content"] for message in other_tree][1:] == ["hi", "again", "hi again"]
    text = (await other.get(f"/conversations/{conversation['id']}/export", format="markdown")).body.decode()
    assert text.startswith("# 关于 \\<b\\>胡同\\</b\\>\n") and "## Assistant" in text and "hi again" in text

    third = await chatter(stand, "third")
    lie = json.loads(json.dumps(file))
    lie["conversations"][-1]["messages"].reverse()
    assert (await third.post("/conversations/import", lie)).told == (422, "chat.import_invalid")
    stolen = json.loads(json.dumps(file))
    with_messages = next(one for one in stolen["conversations"] if one["messages"])
    stolen["conversations"].append(with_messages | {"id": "0198f2a4-1c3e-7d52-8a6b-0123456789ab"})
    assert (await third.post("/conversations/import", stolen)).told == (422, "chat.import_invalid")
    assert (await third.get("/conversations/export")).ok["conversations"] == []


async def test_somebody_elses_conversation_does_not_exist(stand: Stand) -> None:
    """404 in the same words as for an id that never was, whatever is asked; nothing changes."""
    lin, other = await chatter(stand, "lin"), await chatter(stand, "other")
    conversation = await lin.begin("mine")
    never = "0198f2a4-1c3e-7d52-8a6b-0123456789ab"
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"title": "theirs"}),
        ("DELETE", "", None),
        ("GET", "/messages", None),
        ("GET", "/export", None),
    ):
        told = [
            (await other.call(method, f"/conversations/{one}{path}", body)).told for one in (conversation["id"], never)
        ]
        assert told == [(404, "chat.conversation_unknown")] * 2
    assert await lin.titles() == ["mine"]
    assert (await lin.delete(f"/conversations/{conversation['id']}")).status == 204
    assert (await lin.get(f"/conversations/{conversation['id']}")).told == (404, "chat.conversation_unknown")
    assert await lin.titles() == []


async def _pages(lin: Chatter, path: str, limit: int) -> list[Any]:
    found: list[Any] = []
    cursor: str | None = None
    while True:
        page = (await lin.get(path, limit=limit, **({"cursor": cursor} if cursor else {}))).ok
        found, cursor = found + page["items"], page["next_cursor"]
        if cursor is None:
            return found
