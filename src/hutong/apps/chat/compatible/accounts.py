"""Quota and record of one call: reserved before the model is asked; then settled with its true use and recorded, or given back.

A process that dies leaves its reservations to the sweep: they expire a minute after its last sign of life.
Source: contracts/chat.md "Rules"; reference/chat.md §6.2 (an owner and an expiry for every reservation, settled once).
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from hutong.apps.chat.compatible import repository
from hutong.apps.chat.compatible.callers import Caller
from hutong.apps.chat.compatible.repository import UsageRow
from hutong.apps.chat.compatible.tables import Outcome, Source
from hutong.kernel.db import Database
from hutong.kernel.gateway.chat import Receipt
from hutong.kernel.observability.logs import logger
from hutong.kernel.quotas import QuickQuotas, Quotas, QuotaUse
from hutong.kit.clock import Clock
from hutong.kit.errors import HutongError
from hutong.kit.tasks import end

LONGEST_OWNER = 96
_log = logger("chat.compatible")


@dataclass(frozen=True, slots=True)
class Charge:
    """A call whose quota is reserved.

    Args:
        id: of the reservation and of the record to come.
        caller: who is charged.
        source, model, request_id: as the record will have them.
        use: what the user has left with it.
    """

    id: int
    caller: Caller
    source: Source
    model: str
    request_id: str
    use: QuotaUse

    @property
    def user_id(self) -> int:
        return self.caller.member.user_id


class Accounts:
    """Reserves, settles and records the calls of one process.

    Args:
        db, clock, ids: of the kernel.
        quotas: of this app's users.
        lease_seconds: that a reservation holds without a sign of life.
    """

    def __init__(
        self, db: Database, clock: Clock, ids: Callable[[], int], quotas: Quotas, lease_seconds: float
    ) -> None:
        self._db, self._clock, self._ids, self._quotas = db, clock, ids, quotas
        self.lease_seconds = lease_seconds
        self._quick = QuickQuotas(quotas, db)
        self._open: set[int] = set()
        self._last: set[asyncio.Task[Any]] = set()
        self._renewing: asyncio.Task[None] | None = None

    def owner_of(self, source: Source, caller: Caller, model: str) -> str:
        """Who holds a reservation, so that the sweep can write its record."""
        return f"{source.value}:{caller.key_id or 0}:{model}"[:LONGEST_OWNER]

    async def reserve(self, caller: Caller, source: Source, model: str, tokens: int, request_id: str) -> Charge:
        """Take a request and tokens of the caller's quota.

        Raises:
            QuotaExhausted.
        """
        new, member = self._ids(), caller.member
        use = await self._quick.reserve(
            reservation_id=new,
            user_id=member.user_id,
            limits=member.limits,
            tokens=tokens,
            seconds=self.lease_seconds,
            owner=self.owner_of(source, caller, model),
        )
        return self.opened(Charge(new, caller, source, model, request_id, use))

    def opened(self, charge: Charge) -> Charge:
        """Keep a charge's reservation alive until it is settled or released."""
        self._open.add(charge.id)
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        return charge

    async def settle(self, charge: Charge, receipt: Receipt, outcome: Outcome) -> None:
        """Charge what was used, and record it. A database that is away leaves that to the sweep."""
        try:
            await self._db.write(self.settle_within, charge, receipt, outcome)
        except HutongError as error:
            _log.error("a call was not settled", reservation=charge.id, code=error.code)
        finally:
            self._open.discard(charge.id)

    def settle_within(self, conn: Connection, charge: Charge, receipt: Receipt, outcome: Outcome) -> bool:
        """`settle` as part of a transaction; False if the sweep was faster."""
        usage, member = receipt.usage, charge.caller.member
        if not self._quotas.settle(conn, charge.id, usage.total):
            return False
        row = UsageRow(
            id=charge.id,
            user_id=member.user_id,
            api_key_id=charge.caller.key_id,
            source=charge.source,
            status=outcome,
            model=charge.model,
            provider=receipt.provider,
            provider_model=receipt.provider_model,
            prompt_tokens=usage.prompt,
            completion_tokens=usage.completion,
            cost_micros=receipt.cost,
            request_id=charge.request_id,
            created_at=self._clock.now(),
        )
        repository.add_usage(conn, row)
        return True

    async def release(self, charge: Charge) -> None:
        """Nothing reached the user: give request and tokens back."""
        try:
            await self._quick.release(charge.id)
        except HutongError as error:
            _log.error("a call was not released", reservation=charge.id, code=error.code)
        finally:
            self._open.discard(charge.id)

    def closed(self, charge: Charge) -> None:
        """The reservation was settled or released elsewhere."""
        self._open.discard(charge.id)

    async def to_the_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that must happen even if the caller's task is cancelled meanwhile."""
        task = asyncio.create_task(work)
        self._last.add(task)
        task.add_done_callback(self._last.discard)
        await asyncio.shield(task)

    async def close(self) -> None:
        """Wait for what must happen, and end."""
        if self._last:
            await asyncio.wait(set(self._last), timeout=self.lease_seconds)
        renewing, self._renewing = self._renewing, None
        await end(renewing)

    async def _renew(self) -> None:
        """Signs of life, as long as something is open."""
        while self._open:
            await asyncio.sleep(self.lease_seconds / 3)
            try:
                if self._open:
                    await self._db.write(self._quotas.extend, set(self._open), self.lease_seconds)
            except HutongError as error:
                _log.warning("reservations were not renewed", code=error.code)
        self._renewing = None
