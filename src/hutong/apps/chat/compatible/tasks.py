"""Ends what a process left that died, and forgets what is old.

A completion of a dead process is charged as a request without tokens, for nobody knows what reached the caller. A response
is charged for what was saved of it, and is there, marked failed; one of which nothing was saved costs nothing.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from hutong.apps.chat.compatible import repository
from hutong.apps.chat.compatible.repository import StoredResponse, UsageRow
from hutong.apps.chat.compatible.responses.request import as_chat
from hutong.apps.chat.compatible.tables import Outcome, ResponseStatus, Source
from hutong.kernel.assembly import Kernel, Work
from hutong.kernel.gateway import tokens
from hutong.kernel.jobs import Again, Job, Retry, Schedule, Task
from hutong.kernel.quotas import ExpiredReservation, Quotas

SWEEP, FORGET = "chat.compatible.sweep", "chat.compatible.forget_responses"
AT_ONCE = 100
LOST = {
    "code": "server_error",
    "message": "The server that wrote this response went away; what was saved of it is here.",
}


class Leftovers:
    """The jobs of the compatible endpoint.

    Args:
        kernel: database and clock.
        quotas: of this app's users.
        sweep_seconds: between two looks.
        keep_days: that stored responses are kept.
    """

    def __init__(self, kernel: Kernel, quotas: Quotas, sweep_seconds: float, keep_days: int) -> None:
        self._db, self._clock, self._quotas = kernel.db, kernel.clock, quotas
        self._sweep_seconds, self._keep = sweep_seconds, timedelta(days=keep_days)

    def work(self) -> Work:
        """For the app."""
        return Work(
            tasks=(
                Task(SWEEP, self.sweep, retry=Retry(attempts=1)),
                Task(FORGET, self.forget, retry=Retry(attempts=3)),
            ),
            schedules=(Schedule(SWEEP, every=self._sweep_seconds), Schedule(FORGET, cron="47 3 * * *")),
        )

    async def sweep(self, job: Job) -> Again | None:
        """Settle reservations whose process gave no sign of life for the time of a lease. It may run twice: settling is once."""
        for kind, ending in ((Source.COMPLETION, self._end_completion), (Source.RESPONSE, self._end_response)):
            for late in await self._db.read(self._quotas.expired, AT_ONCE, kind.value):
                await ending(late)
        return None

    async def forget(self, job: Job) -> Again | None:
        """Delete some old responses; come back at once while there are more."""
        before = self._clock.now() - self._keep
        gone = await self._db.write(repository.forget_responses, before, AT_ONCE)
        return Again(0) if gone == AT_ONCE else None

    async def _end_completion(self, late: ExpiredReservation) -> None:
        await self._db.write(self._settle, late, 0, 0)

    async def _end_response(self, late: ExpiredReservation) -> None:
        row = await self._db.read(repository.find_by_reservation, late.id)
        if row is None or not row.answer["output"]:
            await self._db.write(self._release, late, row)
            return
        prompt = await self._prompt(row)
        await self._db.write(self._settle, late, prompt, await tokens.count(_said(row)), row)

    async def _prompt(self, row: StoredResponse) -> int:
        earlier: list[list[Any]] = []
        if row.previous_id is not None:
            chain = await self._db.read(repository.list_chain, row.user_id, row.previous_id)
            earlier = [[*each.items, *each.answer["output"]] for each in chain]
        chat = as_chat({**row.request, "input": row.items}, earlier, reasoning=False)
        return await tokens.count_request(chat)

    def _settle(
        self,
        conn: Connection,
        late: ExpiredReservation,
        prompt: int,
        completion: int,
        row: StoredResponse | None = None,
    ) -> None:
        if not self._quotas.settle(conn, late.id, prompt + completion):
            return
        source, key_id, model = late.owner.split(":", 2)
        lost = UsageRow(
            id=late.id,
            user_id=late.user_id,
            api_key_id=int(key_id) or None,
            source=Source(source),
            status=Outcome.LOST,
            model=model,
            provider="",
            provider_model="",
            prompt_tokens=prompt,
            completion_tokens=completion,
            cost_micros=0,
            request_id="",
            created_at=self._clock.now(),
        )
        repository.add_usage(conn, lost)
        self._fail(conn, row)

    def _release(self, conn: Connection, late: ExpiredReservation, row: StoredResponse | None) -> None:
        if self._quotas.release(conn, late.id):
            self._fail(conn, row)

    def _fail(self, conn: Connection, row: StoredResponse | None) -> None:
        if row is not None:
            answer = {**row.answer, "status": ResponseStatus.FAILED.value, "error": LOST}
            repository.end_response(conn, row.user_id, row.id, ResponseStatus.FAILED, answer, self._clock.now())


def _said(row: StoredResponse) -> str:
    """All that a response holds of what was generated."""
    texts: list[str] = []
    for item in row.answer["output"]:
        texts += [item.get("name") or "", item.get("arguments") or ""]
        texts += [part.get("text") or part.get("refusal") or "" for part in item.get("content") or ()]
    return "".join(texts)
