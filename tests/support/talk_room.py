"""A Hutong whose only model provider follows scripts, and users who talk through it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from hutong.apps.chat.envelope import REALM
from hutong.apps.chat.rows import messages
from hutong.apps.chat.rows.messages import Message
from hutong.apps.chat.settings import ChatSettings
from hutong.kernel.quotas import Limits, Quotas, QuotaUse
from support.scripted_vendor import ScriptedVendor
from support.stand import Stand
from support.talker import Talker

MODEL = "gpt-4o-mini"


@dataclass
class Room:
    """What a test of replies needs."""

    stand: Stand
    vendor: ScriptedVendor
    talkers: int = 0

    async def talker(self) -> Talker:
        """A new user."""
        self.talkers += 1
        return await Talker(self.stand.client, self.stand.base, f"talker{self.talkers}").join()

    async def conversation(self, talker: Talker, **wanted: str) -> str:
        """An empty conversation of a user."""
        return str((await talker.call("POST", "/conversations", json={"model": MODEL, **wanted})).ok["id"])

    async def message(self, talker: Talker, message_id: str) -> Message:
        """A message as SQL has it."""
        found = await self.stand.host.kernel.db.read(messages.find_message, int(talker.user["id"]), message_id)
        assert found is not None
        return found

    async def use(self, talker: Talker) -> QuotaUse:
        """A user's quota."""
        kernel = self.stand.host.kernel
        quota = kernel.section(ChatSettings).quota
        limits = Limits(quota.daily_requests, quota.monthly_requests, quota.daily_tokens, quota.monthly_tokens)
        return await kernel.db.read(Quotas(REALM, kernel.clock).usage, int(talker.user["id"]), limits)

    async def use_up(self, talker: Talker) -> None:
        """Leave a user no requests for today."""
        kernel, user_id = self.stand.host.kernel, int(talker.user["id"])
        use = await self.use(talker)
        unlimited = Limits(None, None, None, None)

        def take(conn: Connection) -> None:
            quotas = Quotas(REALM, kernel.clock)
            for _ in range(use.daily_requests.remaining or 0):
                number = kernel.ids()
                quotas.reserve(
                    conn, reservation_id=number, user_id=user_id, limits=unlimited, tokens=0, seconds=60, owner="test:1"
                )
                quotas.settle(conn, number, 0)

        await kernel.db.write(take)

    async def charged(self, talker: Talker) -> tuple[int, int]:
        """Requests and tokens of the day that a user was charged; nothing may be reserved any more."""
        use = await self.use(talker)
        assert (use.daily_requests.reserved, use.daily_tokens.reserved) == (0, 0)
        return use.daily_requests.used, use.daily_tokens.used


def settings_for(vendor: ScriptedVendor, **replies: Any) -> dict[str, Any]:
    """One provider, asked once, with short times."""
    provider = {
        "name": "openai",
        "base_url": vendor.url,
        "api_key": "sk-x",
        "private": True,
        "first_token": 5.0,
        "between_tokens": 5.0,
    }
    quick = {"checkpoint_seconds": 0.1, "lease_seconds": 2.0, "sweep_seconds": 0.2, "leave_seconds": 0.3}
    return {
        "openai": {"providers": [provider]},
        "models": {"tries": 1},
        "chat": {"replies": {**quick, "system_prompt": "", **replies}},
    }
