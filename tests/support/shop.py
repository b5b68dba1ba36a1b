"""A shop for tests of the kernel's orders: a small vendor with books of its own, and the orders that are paid there.

The vendor is no double of our code: it keeps charges, transactions and refunds in a file, has its own states and its own
clock, signs what it sends, and can be late, silent, wrong or dishonest.
"""

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from hutong.kernel.credits import INVARIANTS as CREDITS
from hutong.kernel.db import Connection, Database, after_commit
from hutong.kernel.identity.clients import Client
from hutong.kernel.jobs import Again, Bell, Job, Jobs, claims
from hutong.kernel.jobs.tables import JobState, jobs
from hutong.kernel.observability.invariants import check
from hutong.kernel.orders import (
    INVARIANTS,
    Catalogue,
    Money,
    Order,
    Orders,
    OrdersSettings,
    PayParameters,
    Shop,
    products_document,
)
from hutong.kernel.orders.errors import ChannelRefused, ChannelUnavailable, NoticeRefused
from hutong.kernel.orders.ports import (
    Acknowledgement,
    Charge,
    Closing,
    Notice,
    Payment,
    PaymentFound,
    PaymentState,
    Refund,
    RefundFound,
    RefundState,
)
from hutong.kernel.store import Store
from hutong.kit.clock import Clock, ManualClock

START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
CALLER = Client(address="203.0.113.7", language="en", device_id="phone-1")
PRODUCTS = b"""
products:
  - id: points-100
    names: {en: 100 points, zh-CN: "100 \xe7\x82\xb9"}
    price: {amount: 1990, currency: CNY}
    grants: {credits: 100}
    max_quantity: 5
  - id: member-month
    names: {en: A month, zh-CN: "\xe4\xb8\x80\xe4\xb8\xaa\xe6\x9c\x88"}
    price: {amount: 2990, currency: CNY}
    grants: {credits: 10, membership: {plan: pro, days: 30}, revoke: true}
  - id: old
    names: {en: Old, zh-CN: "\xe6\x97\xa7"}
    price: {amount: 1, currency: CNY}
    active: false
  - id: dollars
    names: {en: For dollars, zh-CN: "\xe7\xbe\x8e\xe5\x85\x83"}
    price: {amount: 500, currency: USD}
"""
PRICE = 1990
BOOKS = """
CREATE TABLE IF NOT EXISTS charges (order_no TEXT PRIMARY KEY, terms TEXT, state TEXT NOT NULL, expires_at TEXT);
CREATE TABLE IF NOT EXISTS transactions (id TEXT PRIMARY KEY, order_no TEXT, amount INTEGER, currency TEXT, paid_at TEXT);
CREATE TABLE IF NOT EXISTS refunds (refund_no TEXT PRIMARY KEY, transaction_id TEXT, amount INTEGER, currency TEXT, state TEXT);
"""
KEY = b"the vendor's own key"
ids = count(1).__next__


@dataclass(frozen=True)
class Letter:
    """A report on its way: what the vendor posts."""

    headers: Mapping[str, str]
    body: bytes


class Vendor:
    """A place where people pay.

    Args:
        books: file of its books; several processes may have it open.
        clock: its own.
        name: of the channel.
    """

    currencies = frozenset({"CNY"})

    def __init__(self, books: Path, clock: Clock, name: str = "till") -> None:
        self.name, self._clock = name, clock
        self._db = sqlite3.connect(books, isolation_level=None, timeout=20)
        self._db.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; {BOOKS}")
        self.calls: list[str] = []
        self.away: set[str] = set()
        """Calls that are not answered, and have no effect; `answer:open` has its effect and no answer."""
        self.refuses: set[str] = set()
        self.closes_later = False
        self.refunds_at_once = True
        self.mixes_up: tuple[str, str] | None = None
        """Asked about the first order it answers about the second."""
        self.on_call: Callable[[str], Awaitable[None]] | None = None
        """What happens in the world while a call is on its way."""

    def close_books(self) -> None:
        self._db.close()

    # -- what customers and the vendor's people do -----------------------------------------------------------------------

    def pay(self, order_no: str, *, money: Money | None = None, at: datetime | None = None) -> Letter:
        """A customer pays, as the vendor allows: a charge that waits, before it expires."""
        state, expires_at = self._one("SELECT state, expires_at FROM charges WHERE order_no = ?", order_no)
        moment = at or self._clock.now()
        assert state == "waiting", f"the charge is {state}"
        assert moment < datetime.fromisoformat(expires_at), "the charge has expired"
        return self.pay_anyway(order_no, money=money, at=moment)

    def pay_anyway(self, order_no: str, *, money: Money | None = None, at: datetime | None = None) -> Letter:
        """Money that the vendor should not have taken, or not have taken again."""
        paid = money or Money(PRICE, "CNY")
        number, moment = f"T{self._next():012d}", at or self._clock.now()
        self._do(
            "INSERT INTO transactions VALUES (?, ?, ?, ?, ?)",
            number,
            order_no,
            paid.amount,
            paid.currency,
            moment.isoformat(),
        )
        self._do("UPDATE charges SET state = 'paid' WHERE order_no = ?", order_no)
        return self.letter(number)

    def letter(self, transaction_id: str, notice_id: str | None = None, /, **lies: Any) -> Letter:
        """The report of a transaction; sent again it is the same report. `lies` take the place of what is true."""
        told = {**self._told(transaction_id), **lies}
        return self.sign({"id": notice_id or f"N-{transaction_id}", "event": "PAID", "payment": told})

    def decide(self, refund_no: str, state: str = "done", /, **lies: Any) -> Letter:
        """A refund that was being worked on is done, or failed."""
        self._do("UPDATE refunds SET state = ? WHERE refund_no = ?", state, refund_no)
        return self.sign(
            {"id": f"R-{refund_no}-{state}", "event": "REFUND", "refund": {**self._refund(refund_no), **lies}}
        )

    def put(self, order_no: str, state: str) -> None:
        """Somebody at the vendor's changes the state of a charge."""
        self._do("UPDATE charges SET state = ? WHERE order_no = ?", state, order_no)

    def sign(self, report: Mapping[str, Any], key: bytes = KEY) -> Letter:
        body = json.dumps(report).encode()
        return Letter({"X-Signature": hmac.new(key, body, hashlib.sha256).hexdigest()}, body)

    def state(self, order_no: str) -> str | None:
        """Of a charge."""
        found = self._find("SELECT state FROM charges WHERE order_no = ?", order_no)
        return str(found[0]) if found else None

    def given_back(self, order_no: str) -> int:
        """Minor units that really went back to the customer."""
        joined = "refunds r JOIN transactions t ON t.id = r.transaction_id WHERE t.order_no = ? AND r.state = 'done'"
        return int(self._one(f"SELECT COALESCE(SUM(r.amount), 0) FROM {joined}", order_no)[0])

    # -- the port --------------------------------------------------------------------------------------------------------

    async def open(self, charge: Charge) -> PayParameters:
        async with self._call("open"):
            terms = json.dumps(
                [charge.money.amount, charge.money.currency, charge.description, charge.address, charge.payer]
            )
            known = self._find("SELECT terms, state FROM charges WHERE order_no = ?", charge.order_no)
            if known is not None and (known[0] != terms or known[1] != "waiting"):
                raise ChannelRefused
            self._do(
                "INSERT OR IGNORE INTO charges VALUES (?, ?, 'waiting', ?)",
                charge.order_no,
                terms,
                charge.expires_at.isoformat(),
            )
        return PayParameters("native", {"code_url": f"till://{charge.order_no}"})

    async def query(self, order_no: str) -> PaymentFound:
        async with self._call("query"):
            if self.mixes_up is not None and order_no == self.mixes_up[0]:
                order_no = self.mixes_up[1]
            state = self.state(order_no)
            if state != "paid":
                return PaymentFound(PaymentState(state or "unknown"))
            (number,) = self._one("SELECT MIN(id) FROM transactions WHERE order_no = ?", order_no)
            return PaymentFound(PaymentState.PAID, _payment(self._told(number)))

    async def close(self, order_no: str) -> Closing:
        async with self._call("close"):
            if self.state(order_no) == "paid":
                return Closing.PAID
            if self.closes_later:
                return Closing.LATER
            self._do("INSERT OR IGNORE INTO charges VALUES (?, NULL, 'closed', NULL)", order_no)
            self._do("UPDATE charges SET state = 'closed' WHERE order_no = ?", order_no)
        return Closing.CLOSED

    async def refund(self, refund: Refund) -> RefundFound:
        async with self._call("refund"):
            state = "done" if self.refunds_at_once else "processing"
            self._do(
                "INSERT OR IGNORE INTO refunds VALUES (?, ?, ?, ?, ?)",
                *(refund.refund_no, refund.transaction_id, refund.money.amount, refund.money.currency, state),
            )
            given = "SELECT SUM(amount) FROM refunds WHERE transaction_id = ? AND state <> 'failed'"
            assert self._one(given, refund.transaction_id)[0] <= refund.paid.amount, "more than was paid"
            return _refund(self._refund(refund.refund_no))

    async def query_refund(self, refund: Refund) -> RefundFound:
        async with self._call("query_refund"):
            if self._find("SELECT 1 FROM refunds WHERE refund_no = ?", refund.refund_no) is None:
                return RefundFound(RefundState.UNKNOWN, refund.refund_no)
            return _refund(self._refund(refund.refund_no))

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        signature = hmac.new(KEY, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(headers.get("x-signature", ""), signature):
            raise NoticeRefused
        told = json.loads(body)
        payment = _payment(told["payment"]) if "payment" in told else None
        return Notice(told["id"], told["event"], payment, _refund(told["refund"]) if "refund" in told else None)

    def acknowledge(self, refusal: str | None) -> Acknowledgement:
        return Acknowledgement(200, b"success") if refusal is None else Acknowledgement(500, refusal.encode())

    async def ping(self) -> None:
        async with self._call("ping"):
            pass

    # -- its books -------------------------------------------------------------------------------------------------------

    def _call(self, name: str) -> "_Call":
        return _Call(self, name)

    def _told(self, transaction_id: str) -> dict[str, Any]:
        columns = ("transaction_id", "order_no", "amount", "currency", "paid_at")
        return dict(zip(columns, self._one("SELECT * FROM transactions WHERE id = ?", transaction_id), strict=True))

    def _refund(self, refund_no: str) -> dict[str, Any]:
        columns = ("refund_no", "amount", "currency", "state")
        found = self._one("SELECT refund_no, amount, currency, state FROM refunds WHERE refund_no = ?", refund_no)
        return dict(zip(columns, found, strict=True))

    def _next(self) -> int:
        return int(self._one("SELECT COUNT(*) FROM transactions")[0]) + 1

    def _do(self, sql: str, *params: Any) -> None:
        self._db.execute(sql, params)

    def _find(self, sql: str, *params: Any) -> Any:
        return self._db.execute(sql, params).fetchone()

    def _one(self, sql: str, *params: Any) -> Any:
        found = self._find(sql, *params)
        assert found is not None, "the vendor has no such thing"
        return found


@dataclass
class _Call:
    """One call of the vendor: it may not get there, or its answer may not come back."""

    vendor: Vendor
    name: str

    async def __aenter__(self) -> None:
        self.vendor.calls.append(self.name)
        if self.vendor.on_call is not None:
            await self.vendor.on_call(self.name)
        if self.name in self.vendor.away:
            raise ChannelUnavailable
        if self.name in self.vendor.refuses:
            raise ChannelRefused

    async def __aexit__(self, *_: object) -> None:
        if f"answer:{self.name}" in self.vendor.away:
            raise ChannelUnavailable


def _payment(told: Mapping[str, Any]) -> Payment:
    money, moment = Money(told["amount"], told["currency"]), datetime.fromisoformat(told["paid_at"])
    return Payment(told["order_no"], told["transaction_id"], money, moment, told.get("payer"))


def _refund(told: Mapping[str, Any]) -> RefundFound:
    money = Money(told["amount"], told["currency"])
    reason = "the account is closed" if told["state"] == "failed" else None
    return RefundFound(RefundState(told["state"]), told["refund_no"], f"V-{told['refund_no']}", money, reason)


@dataclass
class Counter:
    """Orders of one realm, what they were handed, and their jobs, which run when a test says so."""

    db: Database
    clock: ManualClock
    vendor: Vendor
    shop: Shop
    orders: Orders
    handed: list[str] = field(default_factory=list)

    async def order(self, user_id: int = 7, product_id: str = "points-100", **options: Any) -> Order:
        """A new order, open at the vendor."""
        return (await self.orders.create(user_id, product_id, "till", CALLER, **options)).order

    async def post(self, letter: Letter) -> int:
        """The vendor posts a report; the status that it gets."""
        return (await self.orders.receive("till", letter.headers, letter.body)).answer.status

    async def paid(self, user_id: int = 7, product_id: str = "points-100", **options: Any) -> Order:
        """An order that was paid, reported and fulfilled."""
        made = await self.order(user_id, product_id, **options)
        assert await self.post(self.vendor.pay(made.order_no, money=made.money)) == 200
        await self.run("fulfil")
        return await self.look(made)

    async def look(self, order: Order) -> Order:
        return await self.orders.get(order.user_id, order.order_no)

    async def stored(self, order: Order) -> Any:
        """The order's row."""
        return (await self.rows("SELECT * FROM orders WHERE order_no = :no", no=order.order_no))[0]

    async def chain(self, order: Order) -> list[tuple[str | None, str, str]]:
        """(from, to, cause) of everything that happened to an order."""
        found = "SELECT from_status, to_status, cause FROM order_events WHERE order_no = :no ORDER BY number"
        return [tuple(row) for row in await self.rows(found, no=order.order_no)]

    async def moves(self, order: Order) -> list[str]:
        """The statuses that an order has had."""
        return [to for start, to, _ in await self.chain(order) if start != to]

    async def rows(self, sql: str, **params: Any) -> list[Any]:
        return await self.db.read(lambda conn: list(conn.execute(text(sql), params)))

    async def number(self, sql: str, **params: Any) -> int:
        return int((await self.rows(sql, **params))[0][0])

    async def run(self, *verbs: str) -> int:
        """Run each waiting job of these verbs once, due or not, as a worker would. Returns how many there were."""
        tasks = {task.name: task for task in self.orders.work().tasks}
        names = [f"{self.shop.realm}.orders.{verb}" for verb in verbs]
        waiting = select(jobs).where(jobs.c.task.in_(names), jobs.c.state == JobState.QUEUED).order_by(jobs.c.id)
        taken = await self.db.write(claims.claim, waiting, "test", 60.0)
        for job in taken:
            await self._run(job, tasks[job.task].handler)
        return len(taken)

    async def _run(self, job: Job, handler: Callable[[Job], Awaitable[Again | None]]) -> None:
        try:
            outcome = await handler(job)
        except Exception as error:
            await self.db.write(claims.retry, job, repr(error), 1.0)
            raise
        again = [(job, outcome.seconds)] if isinstance(outcome, Again) else []
        await self.db.write(claims.finish, [] if again else [job], again)

    async def sweep(self) -> None:
        """The sweeper comes by."""
        (task,) = [task for task in self.orders.work().tasks if task.name.endswith(".sweep")]
        await task.handler(Job(0, task.name, {}, 1, 1, self.clock.now()))

    async def work_off(self, rounds: int = 10) -> None:
        """Run what follows payments and refunds until nothing of that waits."""
        for _ in range(rounds):
            if not await self.run("fulfil", "revoke", "refund"):
                return

    async def broken(self) -> list[Any]:
        """Promises about the data that do not hold."""
        return list(await self.db.read(check, (*INVARIANTS, *CREDITS)))


def make_counter(
    db: Database, store: Store, vendor: Vendor, clock: ManualClock, handed: list[str] | None = None, **settings: Any
) -> Counter:
    """A shop on a database and a vendor; `handed` collects the orders that were handed over."""
    collected = [] if handed is None else handed
    shop = Shop(
        realm="shop",
        db=db,
        jobs=Jobs(ids, clock, Bell(store)),
        ids=ids,
        clock=clock,
        catalogue=Catalogue(products_document("shop", PRODUCTS)),
        channels={vendor.name: vendor},
        settings=OrdersSettings(**settings),
        notify_url=lambda channel: f"https://shop.example.com/notify/{channel}",
        on_fulfilled=_handing(collected),
    )
    return Counter(db, clock, vendor, shop, Orders(shop), collected)


def _handing(collected: list[str]) -> Callable[[Connection, Order], None]:
    def hand(conn: Connection, order: Order) -> None:
        after_commit(conn, lambda: collected.append(order.order_no))

    return hand


@contextmanager
def open_vendor(folder: Path, clock: Clock) -> Iterator[Vendor]:
    """A vendor with new books."""
    vendor = Vendor(folder / "vendor.db", clock)
    try:
        yield vendor
    finally:
        vendor.close_books()


def later(moment: datetime, milliseconds: int) -> datetime:
    """So many milliseconds after a moment, or before it."""
    return moment + timedelta(milliseconds=milliseconds)
