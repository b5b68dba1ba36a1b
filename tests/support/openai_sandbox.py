"""The OpenAI sandbox on a loopback port, with its buttons, and the vendor's own SDK as its client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from hutong.kit.clock import Clock
from hutong.sandbox.openai import OpenAISandboxSettings, Sandbox, create_sandbox
from support.chat_bench import KEY as OPERATORS_KEY
from support.http import Client, http_client, serving

KEY = "sk-sandbox"
MODEL = "gpt-4o-mini"


@dataclass
class OpenAIBench:
    """A sandbox that is served, and who calls it."""

    sandbox: Sandbox
    url: str
    client: Client
    sdk: AsyncOpenAI

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    async def press(self, button: str, **fields: Any) -> Any:
        """A button of the page; the sandbox's state."""
        return await press_openai(self.client, self.url, button, **fields)

    async def state(self) -> Any:
        async with self.client.get(f"{self.url}/control/state") as answer:
            return await answer.json()

    async def get(self, path: str) -> tuple[int, str, Any]:
        async with self.client.get(self.url + path) as answer:
            return answer.status, await answer.text(), answer.headers

    async def raw(self, **body: Any) -> tuple[int, bytes, Any]:
        """A request of Chat Completions byte by byte: status, body, headers."""
        asked = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}], **body}
        headers = {"Authorization": f"Bearer {KEY}"}
        async with self.client.post(f"{self.base_url}/chat/completions", json=asked, headers=headers) as answer:
            return answer.status, await answer.read(), answer.headers


@asynccontextmanager
async def openai_bench(folder: Path, clock: Clock | None = None, **settings: Any) -> AsyncIterator[OpenAIBench]:
    """Serve a sandbox that answers at once. The SDK asks once: what is tried is the answer, not its patience."""
    page, keys = "http://127.0.0.1/sandbox/openai", (KEY, OPERATORS_KEY)
    made = OpenAISandboxSettings(folder=folder, public_url=page, api_keys=keys, **settings)
    app = create_sandbox(made, clock)
    async with serving(app, lifespan="on") as url, http_client() as client, sdk_for(f"{url}/v1") as sdk:
        yield OpenAIBench(app.state.sandbox, url, client, sdk)


def sdk_for(base_url: str) -> AsyncOpenAI:
    """The vendor's own client, which asks once."""
    return AsyncOpenAI(api_key=KEY, base_url=base_url, max_retries=0, timeout=10)


async def press_openai(client: Client, sandbox: str, button: str, **fields: Any) -> Any:
    """A button of a sandbox's page.

    Args:
        client: any.
        sandbox: URL of the sandbox, without a slash at the end.
        button, fields: as docs/providers/openai.md lists them.
    """
    url, headers = f"{sandbox}/control/{button}", {"Accept": "application/json"}
    async with client.post(url, json=fields, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


def said(text: str, role: str = "user") -> list[Any]:
    """A conversation of one message."""
    return [{"role": role, "content": text}]
