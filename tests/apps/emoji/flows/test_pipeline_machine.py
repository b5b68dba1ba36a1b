"""One user's tasks against a model of them: whatever happens in whatever order, it ends well and is paid for once.

Driven through the public API and the sandbox's buttons. Source: reference/reliability.md §1.2 (I6 to I8) and §1.3 L1.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from support.hypotheses import share
from support.stand import NO_FACE, TWO_FACES, VIOLATION, Phone, Reply, Stand, photo, standing, until, working

T = TypeVar("T")
START, PRICE = 100, 10
TEMPLATES = ("mengwa_kaixin", "dagong_kaixin")
REFUSED = {NO_FACE: 422001, TWO_FACES: 422002, VIOLATION: 422003}
QUICK = {"poll_seconds": 0.05, "create_per_minute": 100_000, "upload_per_minute": 100_000, "detect_per_minute": 100_000}
HARMLESS = ("lose-query", "throttle", "hang")
HARMFUL = ("fail InternalError.Algo", "fail DataInspectionFailed", "lose-answer")
WHICH = st.integers(0, 50)


@dataclass
class Picture:
    """An upload; `may_be_gone` once a task of it was removed."""

    image_url: str
    width: int
    may_be_gone: bool = False


@dataclass
class Task:
    """A task as the model knows it. `untouched` until a worker may have seen it."""

    id: str
    picture: Picture
    untouched: bool
    removed: bool = False
    called_off: bool = False


@dataclass
class World:
    """A whole Hutong in a loop of its own, whose worker comes and goes."""

    runner: asyncio.Runner
    stand: Stand
    examples: int = 0
    worker: asyncio.Task[None] | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def start_worker(self) -> None:
        if self.worker is None:
            self.worker = asyncio.create_task(working(self.stand.settings))
            await asyncio.sleep(0)

    async def stop_worker(self) -> None:
        if self.worker is not None:
            self.worker.cancel()
            await asyncio.gather(self.worker, return_exceptions=True)
            self.worker = None


@pytest.fixture
def world(tmp_path: Path, database_url: str, store_url: str) -> Iterator[World]:
    settings = {"data": tmp_path / "data", "database_url": database_url, "store_url": store_url, "emoji": QUICK}
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        made = World(runner, runner.run(stack.enter_async_context(standing(settings, worker=False))))
        try:
            yield made
        finally:
            made.run(made.stop_worker())
            made.run(stack.aclose())


@dataclass
class Model:
    """What is known for certain of one user."""

    pictures: list[Picture] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    keys: dict[str, tuple[Picture, str, Task]] = field(default_factory=dict)
    harm: int = 0

    @property
    def least(self) -> int:
        """The balance if every task that may have been worked on completes."""
        return START - PRICE * sum(not task.called_off for task in self.tasks)

    @property
    def certain(self) -> bool:
        """Whether no worker can have changed anything that is not known here."""
        return all(task.untouched or task.called_off for task in self.tasks)


class PipelineMachine(RuleBasedStateMachine):
    """Upload, create, look, remove; a provider with moods; a worker that comes and goes."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.stand, self.model = world, world.stand, Model()
        self.phone = Phone(world.stand.client, world.stand.base)
        world.examples += 1
        world.run(self.phone.login(f"machine-device-{world.examples:06d}"))

    @initialize(width=st.sampled_from([500, 501]))
    def first_picture(self, width: int) -> None:
        self.upload(width)

    @rule(width=st.sampled_from([500, 501, 502, 503, *REFUSED]))
    def upload(self, width: int) -> None:
        image_url = self.world.run(self.phone.uploaded(photo(width)))
        self.model.pictures.append(Picture(image_url, width))

    @rule(which=WHICH, template=st.sampled_from(TEMPLATES), times=st.integers(1, 3))
    def create(self, which: int, template: str, times: int) -> None:
        """Without a key each request is one of its own."""
        picture = self._picture(which)
        for _ in range(times):
            self._created(self.world.run(self.phone.create(picture.image_url, template)), picture, template, None)

    @rule(which=WHICH, template=st.sampled_from(TEMPLATES), key=st.sampled_from(["k1", "k2"]))
    def create_with_a_key(self, which: int, template: str, key: str) -> None:
        """One after the other: the same request is the same task, also when that is gone; another one is refused."""
        picture = self._picture(which)
        for other in (template, template, "dagong_wunai"):
            reply = self.world.run(self.phone.create(picture.image_url, other, key))
            known = self.model.keys.get(key)
            if known is None:
                self._created(reply, picture, other, key)
            elif known[:2] == (picture, other):
                assert reply.data["task_id"] == known[2].id
            else:
                assert reply.code == 422009

    @rule(which=WHICH, template=st.sampled_from(TEMPLATES), key=st.sampled_from(["k3", "k4"]))
    def create_twice_at_once(self, which: int, template: str, key: str) -> None:
        """With one key: one task, whatever the other caller is told."""
        picture = self._picture(which)
        replies = self.world.run(self._pair(picture, template, key))
        known = self.model.keys.get(key)
        good = [reply for reply in replies if reply.code == 0]
        if known is not None:
            same = known[:2] == (picture, template)
            assert all(reply.data["task_id"] == known[2].id if same else reply.code == 422009 for reply in replies)
        elif good:
            assert {reply.data["task_id"] for reply in good} == {good[0].data["task_id"]}
            assert {reply.code for reply in replies} <= {0, 409001}
            self._created(good[0], picture, template, key)
        else:
            told = [reply for reply in replies if reply.code != 409001]
            assert told
            self._created(told[0], picture, template, key)

    @rule(which=WHICH)
    def remove(self, which: int) -> None:
        """Calls off what nobody has begun, removes what has ended, and is told so otherwise."""
        if not self.model.tasks:
            assert self.world.run(self.phone.call("DELETE", "/emoji/task/1")).code == 404001
            return
        task = self.model.tasks[which % len(self.model.tasks)]
        reply = self.world.run(self.phone.call("DELETE", f"/emoji/task/{task.id}"))
        if task.removed:
            assert reply.code == 404001
            return
        assert reply.code in ({0} if task.untouched else {0, 409002})
        if reply.code == 0:
            task.removed = task.picture.may_be_gone = True
            task.called_off = reply.data["refunded"] == PRICE
            assert reply.data["refunded"] in ({PRICE} if task.untouched else {0, PRICE})

    @rule(mishap=st.sampled_from([*HARMLESS, *HARMFUL]))
    def the_provider_will_have_a_mishap(self, mishap: str) -> None:
        """One that a task may fail of, or one (throttling, silence, a hang until it is let go) that only delays."""
        button, _, code = mishap.partition(" ")
        self.model.harm += mishap in HARMFUL
        self.world.run(self.stand.press(button, times="1", **({"code": code} if code else {})))

    @rule()
    def the_worker_comes_or_goes(self) -> None:
        if self.world.worker is not None:
            self.world.run(self.world.stop_worker())
            return
        for task in self.model.tasks:
            task.untouched = False
        self.world.run(self.world.start_worker())

    @precondition(lambda self: self.world.worker is not None)
    @rule()
    def time_passes(self) -> None:
        """So that jobs run between two calls."""
        self.world.run(asyncio.sleep(0.05))

    @invariant()
    def nothing_is_broken(self) -> None:
        """Every promise about the data holds, and the balance is what the model allows."""
        assert self.world.run(self.stand.broken_promises()) == []
        balance, model = self.world.run(self.phone.balance()), self.model
        assert model.least <= balance <= START
        assert balance == model.least or not model.certain

    def teardown(self) -> None:
        """The provider recovers, the worker runs: everything ends, and each task is paid for once or not at all."""
        try:
            self.world.run(self._converge())
        finally:
            self.world.run(self.world.stop_worker())

    # -- what the rules ask -----------------------------------------------------------------------------------------------

    def _picture(self, which: int) -> Picture:
        return self.model.pictures[which % len(self.model.pictures)]

    def _created(self, reply: Reply, picture: Picture, template: str, key: str | None) -> None:
        """Check the answer to a request that is no replay, and remember a task that was made."""
        assert reply.code in self._allowed(picture)
        if reply.code != 0:
            return
        assert (reply.data["status"], reply.data["points_cost"]) == ("pending", PRICE)
        task = Task(reply.data["task_id"], picture, untouched=self.world.worker is None)
        self.model.tasks.append(task)
        if key:
            self.model.keys[key] = (picture, template, task)

    def _allowed(self, picture: Picture) -> set[int]:
        if self.model.least < PRICE:
            return {402001} if self.model.certain else {402001, *self._verdicts(picture)}
        return self._verdicts(picture)

    @staticmethod
    def _verdicts(picture: Picture) -> set[int]:
        usual = REFUSED.get(picture.width, 0)
        return {usual, 400001} if picture.may_be_gone else {usual}

    async def _pair(self, picture: Picture, template: str, key: str) -> list[Reply]:
        return list(await asyncio.gather(*(self.phone.create(picture.image_url, template, key) for _ in range(2))))

    async def _converge(self) -> None:
        await self.stand.press("reset")
        await self._let_go()
        await self.world.start_worker()
        ends = Counter({"called off": 0})
        for task in self.model.tasks:
            ends[await self._end_of(task)] += 1
        assert ends["failed"] <= self.model.harm
        assert await self.phone.balance() == START - PRICE * ends["completed"]
        assert await self.stand.broken_promises() == []

    async def _let_go(self) -> None:
        async with self.stand.client.get(f"{self.stand.base}/sandbox/dashscope/control/tasks?limit=1000") as answer:
            rows = (await answer.json())["tasks"]
        for row in rows:
            if row["hanging"] and row["status"] in {"PENDING", "RUNNING"}:
                await self.stand.press("let-go", task_id=row["task_id"])

    async def _end_of(self, task: Task) -> str:
        """How a task ended, as its entries in the ledger say, too."""
        ended = {} if task.removed else await until(lambda: self._ended(task))
        moves = [move for move in await self._moves() if move["task_id"] == task.id]
        amounts = sorted(move["amount"] for move in moves)
        assert amounts in ([-PRICE], [-PRICE, PRICE])
        end = "completed" if amounts == [-PRICE] else "called off" if task.called_off else "failed"
        assert ended.get("status", end) == end
        assert not task.called_off or end == "called off"
        return end

    async def _ended(self, task: Task) -> Any:
        await self._let_go()  # one may have been hung by a fault that was armed before
        found = await self.phone.task(task.id)
        return found if found["status"] in {"completed", "failed"} else None

    async def _moves(self) -> list[Any]:
        return list((await self.phone.call("GET", "/points/transactions?page_size=100")).data["items"])


def test_whatever_happens_every_task_ends_and_is_paid_for_once(world: World) -> None:
    """Completed once, or failed or called off with its points back once; the balance is the model's."""
    run_state_machine_as_test(cast("type[PipelineMachine]", partial(PipelineMachine, world)), settings=share(0.2))
