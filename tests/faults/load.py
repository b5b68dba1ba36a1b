"""Customers: phones that upload, create, follow, call off and remove, and ask again until they get an answer.

What each was promised is written down; `accounting` holds it against the database, the files and the vendor.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from hutong.providers.dashscope.sandbox.orders import TEMPLATES
from support.http import Client
from support.stand import Phone, Reply, photo

TASKS_EACH = 6
PATIENCE_SECONDS = 240.0
"""A client that got no answer for so long counts as lost."""
CALL_SECONDS = 5.0
MINE = {0, 400001, 402001, 404001, 409002, 422001, 422002, 422003}
"""Answers that end a call; every other one means: ask again. (400001: the picture went with a task that was removed.)"""
CLEAN = MINE | {409001, 429001, 502001, 503001}
"""Answers that a client may get while things break; anything else is a surprise."""


@dataclass
class Promise:
    """One creation that was acknowledged, and what its client saw of it later."""

    user_id: int
    key: str
    task_id: int
    cost: int
    seen: str = ""
    removed: bool = False
    refunded: int | None = None


@dataclass
class Crowd:
    """All customers of one run.

    Args:
        client: without retries of its own.
        base: where the API is.
        rng: decides what customers do.
    """

    client: Client
    base: str
    rng: random.Random
    promises: dict[int, Promise] = field(default_factory=dict)
    doubled: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    surprises: Counter[str] = field(default_factory=Counter)
    refusals: Counter[int] = field(default_factory=Counter)
    users: set[int] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    followed: list[int] = field(default_factory=list)
    create_seconds: list[tuple[float, float]] = field(default_factory=list)
    closing: bool = False
    _devices: int = 0
    _customers: list["asyncio.Task[None]"] = field(default_factory=list)

    def open(self, customers: int) -> None:
        """Let so many more customers in."""
        self.closing = False
        self._customers += [asyncio.create_task(self._customer()) for _ in range(customers)]

    async def close(self) -> None:
        """Let nobody begin anything new, and wait until everybody got what they were waiting for."""
        self.closing = True
        await asyncio.gather(*self._customers)

    async def leave(self) -> None:
        """Everybody goes, whatever they wait for; nothing happens after `close`."""
        for customer in self._customers:
            customer.cancel()
        await asyncio.gather(*self._customers, return_exceptions=True)

    # -- one customer -------------------------------------------------------------------------------------------------

    async def _customer(self) -> None:
        while not self.closing:
            self._devices += 1
            device = f"device-{self._devices:06d}"
            try:
                await self._visit(Phone(self.client, self.base), device)
            except TimeoutError as late:
                self.unanswered.append(f"{device}: {late}")

    async def _visit(self, phone: Phone, device: str) -> None:
        reply = await self._ask(lambda: phone.call("POST", "/auth/login", json={"device_id": device}))
        phone.token, phone.user = reply.data["access_token"], reply.data["user"]
        self.users.add(int(phone.user["id"]))
        templates = self.rng.sample(sorted(TEMPLATES), TASKS_EACH)
        image_url = ""
        for number, template in enumerate(templates):
            if self.closing:
                return
            if number % 2 == 0:
                image_url = await self._upload(phone, self._devices * TASKS_EACH + number)
            await self._task(phone, image_url, template, f"{device}-{number}")

    async def _upload(self, phone: Phone, number: int) -> str:
        picture = photo(500, 520, number % 256)
        return str((await self._ask(lambda: phone.upload(picture))).data["image_url"])

    async def _task(self, phone: Phone, image_url: str, template: str, key: str) -> None:
        created = await self._create(phone, image_url, template, key)
        if created is None:
            return
        if self.rng.random() < 0.15:
            await self._remove(phone, created)
        if created.removed:
            return
        await self._follow(phone, created)
        if self.rng.random() < 0.2:
            await self._remove(phone, created)

    async def _create(self, phone: Phone, image_url: str, template: str, key: str) -> Promise | None:
        """Now and then the client loses patience and sends the same request twice at once."""
        twins = 2 if self.rng.random() < 0.2 else 1
        begun, start = time.monotonic(), time.perf_counter()
        calls = [self._ask(lambda: phone.create(image_url, template, key)) for _ in range(twins)]
        replies = await asyncio.gather(*calls)
        self.create_seconds.append((begun, time.perf_counter() - start))
        ids = {reply.data["task_id"] for reply in replies if reply.code == 0}
        if len(ids) > 1:
            self.doubled.append(f"key {key} was answered with the tasks {sorted(ids)}")
        good = next((reply for reply in replies if reply.code == 0), None)
        if good is None:
            self.refusals[replies[0].code] += 1
            return None
        data = good.data
        promise = Promise(int(phone.user["id"]), key, int(data["task_id"]), int(data["points_cost"]))
        if promise.task_id in self.promises:
            self.doubled.append(f"task {promise.task_id} was promised for two keys")
        self.promises[promise.task_id] = promise
        return promise

    async def _follow(self, phone: Phone, promise: Promise) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            reply = await self._ask(lambda: phone.call("GET", f"/emoji/task/{promise.task_id}"))
            if reply.code != 0:
                promise.seen = f"code {reply.code}"
                return
            if reply.data["status"] in {"completed", "failed"}:
                promise.seen = reply.data["status"]
                self.followed.append(promise.task_id)
                return
            await asyncio.sleep(self.rng.uniform(0.2, 0.5))
        raise TimeoutError(f"task {promise.task_id} did not end")

    async def _remove(self, phone: Phone, promise: Promise) -> None:
        """Unknown to the server counts as removed: the answer to an earlier try was lost."""
        reply = await self._ask(lambda: phone.call("DELETE", f"/emoji/task/{promise.task_id}"))
        promise.removed = reply.code in {0, 404001}
        if reply.code == 0:
            promise.refunded = int(reply.data["refunded"])

    async def _ask(self, call: Callable[[], Awaitable[Reply]]) -> Reply:
        """Call until an answer comes that means something.

        Raises:
            TimeoutError: none came for long.
        """
        end = time.monotonic() + PATIENCE_SECONDS
        last: Any = None
        while time.monotonic() < end:
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    reply = await call()
            except (aiohttp.ClientError, ConnectionError, TimeoutError) as lost:
                last = repr(lost)
            except json.JSONDecodeError as wrong:
                self.surprises[f"an answer that is no JSON: {wrong.doc[:60]!r}"] += 1
            else:
                code = _code(reply)
                self.answers[code] += 1
                if code in MINE:
                    return reply
                if code not in CLEAN:
                    self.surprises[f"status {reply.status}: {str(reply.body)[:100]}"] += 1
                last = reply.body
            await asyncio.sleep(self.rng.uniform(0.05, 0.4))
        raise TimeoutError(f"no answer within {PATIENCE_SECONDS:g} s; the last was {last}")


def _code(reply: Reply) -> int:
    body = reply.body
    return int(body.get("code", -1)) if isinstance(body, dict) else -1
