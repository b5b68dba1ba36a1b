"""kill -9 in the middle of a call of `/v1`: reservations fall free, what is known to be used is charged, once."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

from support.deadlines import until
from support.http import Client, http_client
from support.installation import Caller, Installation, installed
from support.scripted_vendor import ROLE, Hang, Script, ScriptedVendor, delta, scripted_vendor
from support.talk_room import MODEL, settings_for
from support.talker import Talker

pytestmark = pytest.mark.slow
QUICK = {"LEASE_SECONDS": "2", "SWEEP_SECONDS": "0.3", "SAVE_SECONDS": "0.1"}


@dataclass
class House:
    """An installation whose API process may be killed, its model provider, and a user with a key."""

    installation: Installation
    vendor: ScriptedVendor
    client: Client
    caller: Caller
    talker: Talker
    secret: str

    async def post(self, path: str, body: dict[str, Any]) -> aiohttp.ClientResponse:
        headers = {"Authorization": f"Bearer {self.secret}"}
        return await self.client.post(f"{self.installation.base}/chat/v1{path}", json=body, headers=headers)

    async def get(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}"}
        async with self.client.get(f"{self.installation.base}/chat/v1{path}", headers=headers) as answer:
            return await answer.json()

    async def dies(self) -> None:
        """Kill the API process, and wait for the next one."""
        self.installation.child("serve").kill()
        await self.caller.answers()

    async def use(self) -> tuple[int, int]:
        """Requests and tokens of the day, once nothing is reserved any more."""

        async def settled() -> list[Any] | None:
            quota = (await self.talker.call("GET", "/users/me/quota")).ok
            reserved = quota["daily_requests"]["reserved"] + quota["daily_tokens"]["reserved"]
            return None if reserved else [quota]

        (quota,) = await until(settled, 30)
        return quota["daily_requests"]["used"], quota["daily_tokens"]["used"]


@pytest.fixture
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with scripted_vendor() as vendor, http_client(60) as client:
        providers = orjson.dumps(settings_for(vendor)["openai"]["providers"]).decode()
        environment = {"HUTONG_OPENAI__PROVIDERS": providers, "HUTONG_MODELS__TRIES": "1"}
        environment |= {f"HUTONG_CHAT__COMPATIBLE__{name}": value for name, value in QUICK.items()}
        with installed(tmp_path_factory.mktemp("deaths"), environment) as installation:
            installation.up()
            caller = Caller(installation, client)
            await caller.answers()
            talker = await Talker(client, installation.base, "mortal").join()
            secret = (await talker.call("POST", "/users/me/keys", json={"name": "mine"})).ok["secret"]
            yield House(installation, vendor, client, caller, talker, secret)


async def test_calls_of_a_dead_process(house: House) -> None:
    """A completion costs its request, for nobody knows what arrived; a response costs what was saved of it."""
    house.vendor.scripts = [Script([ROLE, delta("One"), Hang()])]
    body: dict[str, Any] = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    stream = await house.post("/chat/completions", body)
    assert b"One" in await stream.content.readuntil(b"One")
    await house.dies()
    with suppress(aiohttp.ClientError):
        assert b"[DONE]" not in await stream.content.read()
    assert await house.use() == (1, 0)

    house.vendor.scripts = [Script([ROLE, delta("One"), 0.3, delta(" two"), 0.3, Hang()])]
    begun = await (await house.post("/responses", {"model": MODEL, "input": "Hello", "background": True})).json()

    async def saved() -> bool:
        return "two" in orjson.dumps(await house.get(f"/responses/{begun['id']}")).decode()

    await until(saved, 20)
    await house.dies()
    requests, tokens = await house.use()
    kept = await house.get(f"/responses/{begun['id']}")

    assert (kept["status"], kept["error"]["code"]) == ("failed", "server_error")
    assert kept["output"][0]["content"][0]["text"] == "One two"
    assert requests == 2
    assert tokens > 2
