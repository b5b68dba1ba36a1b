"""The story of an account: opened, renewed, changed, looked at by an administrator, deleted. On every database."""

from sqlalchemy import Connection, func, select

from hutong.apps.chat.rows.tables import chat_conversations, chat_members, chat_messages
from hutong.kernel.audit import list_events
from support.chatter import administrator, chatter, exchange, stranger
from support.deadlines import until
from support.stand import Stand


async def test_from_registration_to_renewal(stand: Stand) -> None:
    """Registration signs in; name and address both do; a pair of tokens is good once; signing out ends them."""
    lin = stranger(stand, "Lin.林")
    registered = await lin.register(email="Lin@Example.com")
    assert registered.status == 201
    lin.keep(registered.body)
    assert 1_740 < registered.body["expires_in"] <= 1_800
    assert (lin.user["username"], lin.user["email"]) == ("Lin.林", "lin@example.com")
    assert (lin.user["is_active"], lin.user["is_vip"], lin.user["is_admin"]) == (True, False, False)

    assert (await lin.get("/users/me")).ok["id"] == lin.user["id"]
    by_name = await lin.login("LIN.林")
    old = (by_name.access, by_name.refresh)
    await lin.login("lin@example.com")

    lin.access, lin.refresh = old
    renewed = (await lin.post("/auth/refresh", {"refresh_token": lin.refresh})).ok
    assert renewed["refresh_token"] != lin.refresh
    assert (await lin.get("/users/me")).told == (401, "identity.token_revoked")
    lin.keep(renewed)
    assert (await lin.post("/auth/logout")).status == 204
    assert (await lin.get("/users/me")).told == (401, "identity.token_revoked")


async def test_name_and_address_are_somebodys_once(stand: Stand) -> None:
    """A taken one is said to be taken, nothing is written, and the other one stays free."""
    await chatter(stand, "lin")
    taken = await stranger(stand, "LIN").register(email="other@example.com")
    address = await stranger(stand, "other").register(email="lin@example.com")
    assert (taken.told, address.told) == ((409, "chat.username_taken"), (409, "identity.email_taken"))

    other = await chatter(stand, "other")
    assert (await other.patch("/users/me", {"username": "Lin"})).told == (409, "chat.username_taken")
    assert (await other.patch("/users/me", {"username": "another", "language": "zh-CN"})).ok["username"] == "another"
    assert (await stranger(stand, "other").login("another")).user["language"] == "zh-CN"


async def test_an_administrator_sees_and_changes_users(stand: Stand) -> None:
    """VIPs have ten times the limits, a limit of one's own wins; all changes are audited; switched off is signed out."""
    lin, admin = await chatter(stand, "lin"), await administrator(stand)
    assert (await lin.get("/users")).told == (403, "identity.administrators_only")
    assert (await lin.get("/users/me/quota")).ok["daily_requests"]["limit"] == 100

    path = f"/users/{lin.user['id']}"
    changed = (await admin.patch(path, {"is_vip": True, "limits": {"daily_tokens": 5}})).ok
    assert (changed["is_vip"], changed["own_limits"]) == (True, ["daily_tokens"])
    quota = (await lin.get("/users/me/quota")).ok
    limits = {name: counter["limit"] for name, counter in quota.items()}
    assert limits == {
        "daily_requests": 1_000,
        "monthly_requests": 20_000,
        "daily_tokens": 5,
        "monthly_tokens": 40_000_000,
    }
    assert (await admin.patch(path, {"limits": {"daily_tokens": None}})).ok["limits"]["daily_tokens"] == 2_000_000

    listed = (await admin.get("/users", page_size=1)).ok
    assert (listed["total"], len(listed["items"])) == (2, 1)
    for part in ("LIN", "n@exam", "lin@example.com"):
        assert "lin" in [item["username"] for item in (await admin.get("/users", q=part)).ok["items"]], part
    assert (await admin.get("/users", q="100%")).ok["items"] == []

    assert (await admin.patch(path, {"is_active": False})).ok["is_active"] is False
    assert (await lin.get("/users/me")).told == (401, "identity.token_revoked")
    signed_out = await stranger(stand, "lin").post(
        "/auth/login", {"username": "lin", "password": "a horse with a battery"}
    )
    assert signed_out.told == (403, "identity.user_blocked")
    assert (await admin.patch(f"/users/{admin.user['id']}", {"is_active": False})).told == (409, "chat.oneself_off")
    await admin.patch(path, {"is_active": True})
    assert (await lin.login()).user["is_vip"]

    events = await stand.host.kernel.db.read(list_events, "chat", lin.user_id)
    found = [event.details for event in events if event.kind == "member.changed"]
    assert next(details["set"] for details in reversed(found)) == {"is_vip": True, "limits": {"daily_tokens": 5}}
    assert {details["by"] for details in found} == {admin.user["id"]}


async def test_a_deleted_account_leaves_nothing_of_what_was_written(stand: Stand) -> None:
    """Tokens end at once, name and address are free, the job deletes conversations and messages; a stranger's stay."""
    lin, other = await chatter(stand, "lin"), await chatter(stand, "other")
    for user in (lin, other):
        for number in range(60 if user is lin else 1):
            conversation = await user.begin(f"about {number}")
        await exchange(stand, user, conversation["id"], "hello", "hi")
    (await lin.post("/users/me/keys", {"name": "program"})).ok  # noqa: B018 - it is made

    assert (await lin.delete("/users/me")).status == 204
    assert (await lin.get("/users/me")).told == (401, "identity.token_revoked")
    refused = await lin.post("/auth/refresh", {"refresh_token": lin.refresh})
    assert refused.told == (401, "identity.token_revoked")

    async def erased() -> bool:
        return await stand.host.kernel.db.read(_rows_of, lin.user_id) == (0, 0, 0)

    await until(erased)
    assert await stand.host.kernel.db.read(_rows_of, other.user_id) == (1, 1, 2)
    again = await chatter(stand, "lin")
    assert again.user["id"] != lin.user["id"] and await again.titles() == []


def _rows_of(conn: Connection, user_id: int) -> tuple[int, ...]:
    tables = (chat_members, chat_conversations, chat_messages)
    return tuple(
        conn.execute(select(func.count()).select_from(table).where(table.c.user_id == user_id)).scalar_one()
        for table in tables
    )
