"""The vendor's post office: delivers notices by HTTP, again and again by the vendor's schedule, and ends refunds."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence

import aiohttp

from hutong.kernel.observability.logs import logger
from hutong.kit.tasks import end
from hutong.sandbox.payments import book, calls, notices
from hutong.sandbox.payments.desk import Desk
from hutong.sandbox.payments.notices import Notice
from hutong.sandbox.payments.settings import PaymentSandboxSettings
from hutong.sandbox.payments.vendor import NoticeRequest, NoticeWriter, Report, Vendor
from hutong.sandbox.state import State

IDLE_SECONDS = 0.2
"""How often other processes' notices are looked for; own ones ring the bell."""
LEASE_MS = 30_000
AT_ONCE = 32
LARGEST_ANSWER = 64 * 1024
HARMFUL = frozenset({"corrupt", "wrong-key", "foreign", "stale", "probe"})
"""Twists of a delivery that no receiver should acknowledge."""

log = logger("sandbox.payments")


class NoticeSender:
    """One process's share of the post; any number of them may share a book."""

    def __init__(
        self, state: State, vendor: Vendor, writer: NoticeWriter, desk: Desk, settings: PaymentSandboxSettings
    ) -> None:
        self._state = state
        self._vendor = vendor
        self._writer = writer
        self._desk = desk
        self._settings = settings
        self._bell = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._works: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to deliver."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._run(), name=f"{self._vendor.name}-sandbox-sender")

    async def close(self) -> None:
        """Stop; deliveries in hand are repeated by the next sender."""
        loop, self._loop = self._loop, None
        await end(*self._works, loop)

    def ring(self) -> None:
        """There may be something to deliver."""
        self._bell.set()

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=self._settings.answer_seconds)
        # The sandbox is the vendor here: our pool, breaker and address guard must not stand between it and the merchant.
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:  # noqa: TID251
            while True:
                try:
                    await self._take(session)
                except Exception:
                    log.exception("payment sandbox stumbled", vendor=self._vendor.name)
                await self._pause()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            # Not wait_for: until Python 3.12 it swallows a cancellation that comes together with the bell.
            async with asyncio.timeout(IDLE_SECONDS):
                await self._bell.wait()
        self._bell.clear()

    async def _take(self, session: aiohttp.ClientSession) -> None:  # noqa: TID251
        """End refunds, and begin the deliveries that are due."""
        now_ms = self._state.now_ms()
        if not await self._state.read(_is_something_due, now_ms):
            return
        for report in await self._state.write(self._claim, now_ms):
            work = asyncio.create_task(self._deliver(session, report), name=f"{self._vendor.name}-notice")
            self._works.add(work)
            work.add_done_callback(self._done)

    def _claim(self, conn: sqlite3.Connection, now_ms: int) -> Sequence[Report]:
        self._desk.settle(conn, now_ms)
        free = AT_ONCE - len(self._works)
        claimed = notices.claim(conn, now_ms, LEASE_MS, free) if free > 0 else ()
        return [_report(conn, notice, now_ms) for notice in claimed]

    def _done(self, work: asyncio.Task[None]) -> None:
        self._works.discard(work)
        self._bell.set()
        if not work.cancelled() and work.exception() is not None:
            log.error("payment sandbox delivery broke off", vendor=self._vendor.name, exc_info=work.exception())

    async def _deliver(self, session: aiohttp.ClientSession, report: Report) -> None:  # noqa: TID251
        """One delivery, in as many copies as were ordered; all of them must be acknowledged."""
        twist = await self._state.write(notices.twist_of, self._vendor.twists, self._state.now_ms())
        request = self._writer.write(report, twist, self._state.clock.now())
        twist = None if request.plain else twist
        url = report.notice.url
        answers = await asyncio.gather(*(self._post(session, url, request) for _ in range(report.notice.copies)))
        taken = [self._writer.acknowledged(report, status, body) for status, body in answers]
        worst = next((answers[place][0] for place, ok in enumerate(taken) if not ok), answers[0][0])
        await self._state.write(self._record, report.notice, worst, twist, all(taken))

    async def _post(
        self,
        session: aiohttp.ClientSession,  # noqa: TID251
        url: str,
        request: NoticeRequest,
    ) -> tuple[int, bytes]:
        """Status and body of the answer; status 0 when none came."""
        try:
            async with session.post(url, data=request.body, headers=request.headers, allow_redirects=False) as answer:
                return answer.status, await answer.content.read(LARGEST_ANSWER)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return 0, b""

    def _record(self, conn: sqlite3.Connection, notice: Notice, status: int, twist: str | None, taken: bool) -> None:
        calls.count(conn, "delivered" if taken else "unacknowledged")
        if taken and twist in HARMFUL:
            calls.count(conn, "swallowed")
        if taken and twist != "probe":
            notices.delivered(conn, notice, status, twist)
        else:
            notices.postpone(conn, notice, status, twist, self._next_try(notice, twist))

    def _next_try(self, notice: Notice, twist: str | None) -> int | None:
        """When the vendor tries again; a probe is followed by the real notice at once."""
        now_ms = self._state.now_ms()
        if twist == "probe":
            return now_ms
        if notice.attempts >= len(self._vendor.retry_seconds):
            return None
        return now_ms + int(1000 * self._vendor.retry_seconds[notice.attempts] * self._settings.retry_factor)


def _is_something_due(conn: sqlite3.Connection, now_ms: int) -> bool:
    due = notices.next_due(conn)
    if due is not None and due <= now_ms:
        return True
    refund = "SELECT 1 FROM refunds WHERE state = 'processing' AND due_ms <= ? LIMIT 1"
    return conn.execute(refund, (now_ms,)).fetchone() is not None


def _report(conn: sqlite3.Connection, notice: Notice, now_ms: int) -> Report:
    trade = book.get(conn, notice.order_no, now_ms)
    refund = book.find_refund(conn, notice.refund_no) if notice.refund_no else None
    return Report(notice, trade, refund, book.refunded(conn, notice.order_no))
