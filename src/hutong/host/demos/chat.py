"""The chat app as a stranger's program uses it: a key, a talk through OpenAI's own SDK, a connection that is cut, the rest."""

import asyncio
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openai import APIError, AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam
from openai.types.responses import Response, ResponseInputParam
from rich.markdown import Markdown

from hutong.host.demos.stage import DemoFailed, Line, Stage
from hutong.kernel.http.outbound import Outbound

MODEL = "gpt-4o-mini"
FIRST = "What is a hutong, and why should a developer care?"
SECOND = "Write a Python function that sorts the hutongs of Beijing, and explain it in 120 words."
CUT_AFTER = 8
LONGEST_SECONDS = 60.0


@dataclass
class Talk:
    """What was said, in order, and what is known of how it came."""

    turns: list[tuple[str, str]] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """The talk as a document."""
        said = "\n\n".join(f"## {who}\n\n{text.strip()}" for who, text in self.turns)
        facts = "\n".join(f"- {fact}" for fact in self.facts)
        return f"# A talk through OpenAI's SDK\n\n{said}\n\n---\n\n{facts}\n"


async def converse(stage: Stage) -> None:
    """Talk to a model through the compatible endpoint, and save the talk as Markdown.

    Raises:
        DemoFailed.
    """
    talk = Talk()
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            with stage.progress() as bar:
                await _story(stage, talk, Line(bar, bar.add_task("Opening an account", total=6)))
    except TimeoutError:
        raise DemoFailed("the talk came to a stop; see the log above") from None
    except APIError as error:
        raise DemoFailed(f"the compatible endpoint answered: {error.message}") from error
    saved = await asyncio.to_thread(_keep, talk, stage.output)
    stage.console.rule("Talk")
    stage.console.print(Markdown(talk.turns[-1][1]))
    stage.console.rule()
    stage.console.print(f"[bold green]Talked[/], cut and resumed; saved as {saved}", highlight=False)


async def _story(stage: Stage, talk: Talk, line: Line) -> None:
    app = f"{stage.base.rstrip('/')}/chat"
    name, token = await _register(stage.outbound, app)
    line.done(f"Account opened for {name}", "Making an API key")
    key = await _key(stage.outbound, app, token)
    line.done(f"API key made: {key[:6]}…{key[-4:]}", "Asking through OpenAI's SDK")
    async with AsyncOpenAI(api_key=key, base_url=f"{app}/v1") as client:
        deltas = await _ask(client, talk)
        line.done(f"Chat Completions streamed {deltas} deltas", "Asking on, in the background")
        response_id, number, begun = await _begin(client, talk)
        line.done(f"Response {response_id}: hung up after event {number}", f"Resuming behind event {number}")
        rest = await _resume(client, response_id, number)
        line.done(f"Resumed: {len(rest)} more deltas", "Comparing with what was stored")
        text = begun + "".join(rest)
        stored = await client.responses.retrieve(response_id)
        _compare(text, stored)
    talk.turns.append((MODEL, text))
    usage = stored.usage
    counted = f"{usage.input_tokens} tokens read, {usage.output_tokens} written" if usage else "no usage"
    talk.facts.append(f"Response `{response_id}`: hung up after event {number}, resumed behind it, {counted}")
    line.done(f"Nothing is missing and nothing came twice; {counted}", "Done")


async def _register(outbound: Outbound, app: str) -> tuple[str, str]:
    """A new user's name and access token."""
    name = f"demo-{secrets.token_hex(4)}"
    wanted = {"username": name, "email": f"{name}@example.com", "password": secrets.token_urlsafe(12)}
    signed_in = await _call(outbound, f"{app}/api/v1/auth/register", wanted)
    return name, str(signed_in["access_token"])


async def _key(outbound: Outbound, app: str, token: str) -> str:
    made = await _call(outbound, f"{app}/api/v1/users/me/keys", {"name": "demo"}, token)
    return str(made["secret"])


async def _call(outbound: Outbound, url: str, body: Any, token: str = "") -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = await outbound.request("demo", "chat", "POST", url, headers=headers, json=body)
    if answer.status != 201:
        raise DemoFailed(f"{url} answered {answer.status}: {answer.body[:300]!r}")
    return answer.json()


async def _ask(client: AsyncOpenAI, talk: Talk) -> int:
    """The first question, by Chat Completions; how many deltas the answer had."""
    asked: list[ChatCompletionMessageParam] = [{"role": "user", "content": FIRST}]
    parts: list[str] = []
    stream = await client.chat.completions.create(model=MODEL, messages=asked, stream=True)
    async for chunk in stream:
        parts += [choice.delta.content for choice in chunk.choices if choice.delta.content]
    talk.turns += [("You", FIRST), (MODEL, "".join(parts))]
    talk.facts.append(f"Chat Completions: {len(parts)} deltas")
    return len(parts)


async def _begin(client: AsyncOpenAI, talk: Talk) -> tuple[str, int, str]:
    """The second question, by Responses, in the background: its id, the number of the last event heard, the text until then.

    Raises:
        DemoFailed: the answer was over before it could be cut.
    """
    (_, question), (_, answer) = talk.turns
    asked: ResponseInputParam = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
        {"role": "user", "content": SECOND},
    ]
    talk.turns.append(("You", SECOND))
    response_id, parts = "", list[str]()
    stream = await client.responses.create(model=MODEL, input=asked, stream=True, background=True)
    async with stream:
        async for event in stream:
            if event.type == "response.created":
                response_id = event.response.id
            elif event.type == "response.output_text.delta":
                parts.append(event.delta)
                if len(parts) == CUT_AFTER:
                    return response_id, event.sequence_number, "".join(parts)
    raise DemoFailed("the answer was over before the connection could be cut")


async def _resume(client: AsyncOpenAI, response_id: str, number: int) -> list[str]:
    """The deltas behind an event, on a new connection.

    Raises:
        DemoFailed: the response did not complete, or an event came out of turn.
    """
    parts: list[str] = []
    stream = await client.responses.retrieve(response_id, stream=True, starting_after=number)
    async with stream:
        async for event in stream:
            if event.sequence_number != number + 1:
                raise DemoFailed(f"event {event.sequence_number} came behind event {number}")
            number = event.sequence_number
            if event.type == "response.output_text.delta":
                parts.append(event.delta)
            elif event.type == "response.completed":
                return parts
    raise DemoFailed("the response did not complete")


def _compare(text: str, stored: Response) -> None:
    if text != stored.output_text:
        raise DemoFailed("what was heard in two pieces is not what was stored")


def _keep(talk: Talk, output: Path) -> Path:
    output.mkdir(parents=True, exist_ok=True)
    path = output / "chat.md"
    path.write_text(talk.markdown(), "utf-8")
    return path
