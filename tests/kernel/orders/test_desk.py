"""What operators see and do with `hutong orders`, and that a broken promise is found."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError
from typer.testing import CliRunner, Result

from hutong.host.cli.main import app
from hutong.host.settings import load_settings
from hutong.kernel.db import open_database
from hutong.kernel.orders import Money, Order, Review
from hutong.kernel.store import Store
from hutong.kit.clock import ManualClock
from support.shop import PRICE, Counter, make_counter, open_vendor

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NO_STORE = "redis://127.0.0.1:1/0"


class Desk:
    """An installation with orders, looked at from the command line."""

    def __init__(self, folder: Path, database_url: str, clock: ManualClock) -> None:
        self._folder, self._url, self._clock = folder, database_url, clock

    def at_the_counter(self, use: Callable[[Counter], Awaitable[Any]]) -> Any:
        """Let customers do something."""

        async def run() -> Any:
            db = open_database(load_settings(env="test", database_url=self._url))
            store = Store(NO_STORE)
            with open_vendor(self._folder, self._clock) as vendor:
                counter = make_counter(db, store, vendor, self._clock)
                result = await use(counter)
                assert await counter.broken() == []
            await store.close()
            await db.close()
            return result

        return asyncio.run(run())

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["orders", *words], env={"COLUMNS": "240"})


@pytest.fixture
def desk(tmp_path: Path, database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("HUTONG_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HUTONG_DATABASE_URL", database_url)
    monkeypatch.setenv("HUTONG_STORE_URL", NO_STORE)
    return Desk(tmp_path, database_url, clock)


async def _flagged(counter: Counter) -> Order:
    made = await counter.paid()
    await counter.post(counter.vendor.pay_anyway(made.order_no, money=Money(5, "CNY")))
    return made


@ONE_DATABASE
def test_an_order_is_shown_with_its_history_its_money_and_its_reports(desk: Desk) -> None:
    made = desk.at_the_counter(_flagged)
    shown = desk("show", made.order_no)

    assert shown.exit_code == 0, shown.output
    for word in ("amount_differs", f"{PRICE} CNY", "settling", "mismatched", "5 CNY", "requested", "N-T000000000001"):
        assert word in shown.output
    assert re.search(r"2 .*user .*opened", shown.output)


@ONE_DATABASE
def test_orders_are_listed_by_status_and_user(desk: Desk) -> None:
    async def two(counter: Counter) -> tuple[Order, Order]:
        return await counter.paid(7), await counter.order(8)

    paid, pending = desk.at_the_counter(two)

    assert {paid.order_no in desk("list", *words).output for words in ([], ["--status", "paid"], ["--user", "7"])} == {
        True
    }
    assert paid.order_no not in desk("list", "--user", "8").output
    assert desk("list", "--user", "x").exit_code != 0
    assert pending.order_no in desk("list").output


@ONE_DATABASE
def test_a_flag_is_taken_off_once_somebody_has_looked(desk: Desk) -> None:
    made = desk.at_the_counter(_flagged)
    before = desk("review").output
    cleared = [desk("review", made.order_no).output.strip() for _ in range(2)]

    assert made.order_no in before and Review.AMOUNT_DIFFERS.value in before
    assert cleared == ["Reviewed.", "There was nothing to look at."]
    assert made.order_no not in desk("review").output


@ONE_DATABASE
def test_money_is_given_back_once_a_key(desk: Desk) -> None:
    made = desk.at_the_counter(_flagged)
    told = [desk("refund", made.order_no, "--amount", "300", "--key", "k").output for _ in range(2)]
    too_much = desk("refund", made.order_no, "--amount", str(PRICE))

    async def work_off(counter: Counter) -> tuple[int, int]:
        await counter.work_off()
        return counter.vendor.given_back(made.order_no), (await counter.look(made)).refunded

    assert told[0] == told[1] and "300 CNY is requested" in told[0]
    assert type(too_much.exception).__name__ == "RefundTooLarge"
    assert desk.at_the_counter(work_off) == (305, 300)


@ONE_DATABASE
def test_a_payment_that_is_not_the_orders_own_is_given_back_by_its_number(desk: Desk) -> None:
    """After its own refund had failed."""

    async def failed(counter: Counter) -> Order:
        made = await counter.paid()
        counter.vendor.refuses = {"refund"}
        await counter.post(counter.vendor.pay_anyway(made.order_no))
        await counter.work_off()
        return made

    made = desk.at_the_counter(failed)
    told = desk("refund", made.order_no, "--transaction", "T000000000002")
    unknown = desk("refund", made.order_no, "--transaction", "T9")

    async def work_off(counter: Counter) -> int:
        await counter.work_off()
        return counter.vendor.given_back(made.order_no)

    assert f"{PRICE} CNY is requested" in told.output
    assert type(unknown.exception).__name__ == "OrderUnknown"
    assert desk.at_the_counter(work_off) == PRICE


BROKEN = {
    "orders.paid_has_payment": "UPDATE order_payments SET purpose = 'second'",
    "orders.payment_has_order": "UPDATE orders SET amount = 5",
    "orders.refunds_within_payment": "UPDATE order_payments SET refunded = 5",
    "orders.refunded_fits_status": "UPDATE orders SET refunded = 5",
    "orders.events_are_a_chain": "UPDATE order_events SET from_status = 'expired' WHERE number = 3",
    "orders.last_event_is_status": "UPDATE orders SET version = 9",
    "orders.fulfilled_once": "UPDATE orders SET fulfilled_at = NULL",
}


@pytest.mark.parametrize(("name", "harm"), BROKEN.items(), ids=BROKEN)
@ONE_DATABASE
def test_a_promise_that_somebody_broke_is_found(desk: Desk, name: str, harm: str) -> None:
    async def broken(counter: Counter) -> set[str]:
        await counter.paid()

        def unit(conn: Connection) -> None:
            conn.execute(text(harm))

        await counter.db.write(unit)
        found = {violation.invariant for violation in await counter.broken()}
        await counter.db.write(lambda conn: [conn.execute(text(f"DELETE FROM {table}")) for table in TABLES])
        return found

    assert name in desk.at_the_counter(broken)


TABLES = ("orders", "order_events", "order_payments", "order_refunds")
EVERYTHING_IS_FREE = (
    "UPDATE orders SET amount = 0",
    "UPDATE orders SET refunded = amount + 1",
    "UPDATE order_payments SET reserved = amount, refunded = 1",
    "UPDATE order_payments SET refunded = -1",
    "UPDATE order_refunds SET amount = 0",
)


@pytest.mark.parametrize("harm", EVERYTHING_IS_FREE)
async def test_the_database_itself_refuses_amounts_that_make_no_sense(counter: Counter, harm: str) -> None:
    made = await counter.paid()
    await counter.orders.refund(made.order_no, Money(1, "CNY"), "a little", "k")
    with pytest.raises((IntegrityError, OperationalError), match=r"(?i)check|constraint"):
        await counter.db.write(lambda conn: conn.execute(text(harm)))
