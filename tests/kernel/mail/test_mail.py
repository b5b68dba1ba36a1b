"""Mails leave once their transaction has committed, at the pace that is set; what they hold lies in clear nowhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr
from sqlalchemy import text

from hutong.kernel.db import Connection, Database
from hutong.kernel.jobs import Bell, Jobs, Worker, claims
from hutong.kernel.mail import Mail, MailAddressRefused, Pace, Templates
from hutong.kernel.observability import logs
from hutong.kernel.secrets import Sealer
from hutong.kernel.settings import JobsSettings, MailSettings
from hutong.kernel.store import Store
from hutong.kit.clock import SystemClock
from hutong.kit.paging import PageRequest
from support.mails import TO, MailBench, mail_bench
from support.stand import until

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CLOCK = SystemClock()
SETTINGS = JobsSettings(sweep_seconds=0.05, lease_seconds=30, drain_seconds=5)
KEYS = [SecretStr("old-kD8_qZ1rT6yB0nM4wL9xC2sF7hJ5gP")]
OTHER_KEYS = [SecretStr("new-kD8_qZ1rT6yB0nM4wL9xC2sF7hJ5gP")]
CODE = {"purpose": "login", "code": "482913", "minutes": "10"}
ids = count(1).__next__


class Office:
    """Mail with its queue, and a worker on it."""

    def __init__(self, db: Database, store: Store, bench: MailBench) -> None:
        self.db, self.store, self.bench = db, store, bench
        self.bell = Bell(store)
        self.jobs = Jobs(ids, CLOCK, self.bell)
        self.mail = self.with_keys(KEYS)

    def with_keys(self, keys: list[SecretStr], per_minute: int = 6000) -> Mail:
        pace, templates = Pace(self.store, CLOCK, per_minute), Templates(MailSettings())
        return Mail(self.jobs, Sealer(keys), CLOCK, self.bench.mailer(), templates, pace, "hutong.invalid")

    async def enqueue(self, template: str = "account.code", values: Any = None, to: str = TO, **options: Any) -> None:
        chosen = CODE if values is None else values
        await self.db.write(self.mail.enqueue, template, to, "en", chosen, **options)

    @asynccontextmanager
    async def working(self, mail: Mail | None = None) -> AsyncIterator[None]:
        tasks = (mail or self.mail).tasks()
        worker = Worker(self.db, self.bell, self.jobs, CLOCK, tasks, [], SETTINGS)
        running = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            worker.stop()
            await running

    async def worked(self, mail: Mail | None = None) -> None:
        """Work until nothing is queued any more."""
        async with self.working(mail):
            await until(self._nothing_left)

    async def _nothing_left(self) -> bool:
        return not await self.rows("jobs")

    async def rows(self, table: str) -> list[dict[str, Any]]:
        def read(conn: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in conn.execute(text(f"SELECT * FROM {table}")).mappings()]

        return await self.db.read(read)

    async def dead(self) -> list[Any]:
        page = await self.db.read(self.jobs.list_dead, PageRequest())
        return list(page.items)

    async def everything_kept(self) -> str:
        """All that lies in SQL and in the store."""
        kept = [await self.rows("jobs"), await self.rows("dead_jobs")]
        keys = await self.store.call("KEYS", "*")
        values = [await self.store.call("DUMP", key) for key in keys]
        return repr((kept, keys, values))


@pytest.fixture
async def office(db: Database, store: Store, tmp_path: Path) -> AsyncIterator[Office]:
    async with mail_bench(tmp_path / "data") as bench:
        yield Office(db, store, bench)


def counted(outcome: str, template: str = "account.code") -> float:
    return REGISTRY.get_sample_value("hutong_mails_total", {"template": template, "outcome": outcome}) or 0.0


async def test_a_mail_is_sent_in_the_language_asked_for(office: Office) -> None:
    await office.db.write(office.mail.enqueue, "account.code", TO, "zh-CN", CODE)
    await office.worked()
    mail = await office.bench.only()

    assert mail.subject == "Hutong 登录验证码"
    assert mail.code == "482913" and "482913" in mail.html
    assert mail.message_id.endswith(".mail@hutong.invalid")


async def test_a_transaction_that_is_rolled_back_sends_nothing(office: Office) -> None:
    def unit(conn: Connection) -> None:
        office.mail.enqueue(conn, "account.code", TO, "en", CODE)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await office.db.write(unit)
    await office.worked()

    assert await office.bench.mails() == []


@pytest.mark.parametrize(
    "to",
    [
        "",
        "li",
        "@example.com",
        "li@",
        "li@example.com\r\nBcc: eve@example.com",
        "li@example.com\n",
        "li@example.com, eve@example.com",
        "Li <li@example.com>",
        "li@example.com eve@example.com",
        "li\x00@example.com",
        "li\u202e@example.com",
        "a" * 250 + "@example.com",
    ],
)
async def test_a_mail_goes_to_one_address(office: Office, to: str) -> None:
    with pytest.raises(MailAddressRefused):
        await office.enqueue(to=to)
    assert await office.rows("jobs") == []


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("account.nothing", {}),
        ("account.code", {"code": "482913"}),
        ("account.welcome", {"nickname": "Li"}),
        ("account.code", CODE | {"purpose": "fun"}),
    ],
)
async def test_a_mail_takes_its_own_values_only(office: Office, template: str, values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"no mail|cannot be for"):
        await office.enqueue(template, values)


async def test_a_value_cannot_add_a_header_or_a_second_mail(office: Office) -> None:
    nasty = "O1\r\nBcc: eve@example.com\r\n\r\n.\r\nMAIL FROM:<eve@example.com>\r\n"
    await office.enqueue("order.receipt", {"order_no": nasty, "item": nasty, "amount": "CNY 9.90", "paid_at": "today"})
    await office.worked()
    (mail,) = await office.bench.mails()
    head = mail.source.partition(b"\r\n\r\n")[0]

    assert mail.recipient == TO
    assert not [line for line in head.splitlines() if line.lower().startswith(b"bcc")]


async def test_codes_and_addresses_lie_in_clear_nowhere(office: Office, capfd: pytest.CaptureFixture[str]) -> None:
    """In jobs that wait, that are tried again, that are dead; in the store; in the log; though the server repeats them."""
    logs.configure("debug", "json")
    secrets = ("482913", "li@example", "example.com")
    await office.enqueue()
    waiting = await office.everything_kept()
    await office.bench.press("throttle", on="rcpt", times=1)
    async with office.working():
        await until(lambda: _answered(office, 1))
        retried = await office.everything_kept()
    await office.bench.press("refuse", on="data", times="")
    await office.enqueue()
    async with office.working():
        await until(office.dead)
    dead = await office.everything_kept()
    logged = capfd.readouterr().err

    assert "554 5.7.1" in dead
    assert "job given up" in logged
    for kept in (waiting, retried, dead, logged):
        assert [secret for secret in secrets if secret in kept] == []


async def test_a_mail_that_is_put_off_is_tried_again(office: Office) -> None:
    before = counted("unavailable")
    await office.bench.press("throttle", times=1)
    await office.enqueue()
    async with office.working():
        await until(lambda: _answered(office, 1))
        (job,) = await office.rows("jobs")
    assert (job["attempt"], await office.dead()) == (1, [])
    assert counted("unavailable") == before + 1

    await office.db.write(lambda conn: conn.execute(text("UPDATE jobs SET run_at = created_at")))
    await office.worked()
    assert len(await office.bench.mails()) == 1


async def test_a_refused_mail_is_a_dead_letter_at_once_and_can_be_revived(office: Office) -> None:
    before = counted("refused")
    await office.bench.press("refuse", on="rcpt", times=1)
    await office.enqueue()
    await office.worked()
    (letter,) = await office.dead()

    assert (letter["attempts"], len(await office.bench.offers())) == (1, 1)
    assert "MailRefused" in letter["error"] and "550 5.1.1" in letter["error"]
    assert counted("refused") == before + 1
    await office.db.write(office.jobs.revive, letter["id"])
    await office.worked()
    (mail,) = await office.bench.mails()
    assert mail.message_id == f"{letter['id']}.mail@hutong.invalid"


async def test_a_worker_that_dies_after_sending_costs_one_copy_with_the_same_id(office: Office) -> None:
    """It sent, and died before it could say so: its lease runs out, and another worker sends again, once."""
    await office.enqueue()
    (task,) = office.mail.tasks()
    (job,) = await office.db.write(claims.claim, claims.due([task.name], 1), "dying", 0.0)
    await task.handler(job)
    await office.worked()
    copies = await office.bench.mails()

    assert [mail.nth for mail in copies] == [2, 1]
    assert len({mail.message_id for mail in copies}) == 1


async def test_an_answer_that_is_lost_costs_one_copy_with_the_same_id(office: Office) -> None:
    await office.bench.press("lose-answer", times=1)
    await office.enqueue()
    async with office.working():
        await until(lambda: _answered(office, 1))
        await until(lambda: _queued_again(office))
        await office.db.write(lambda conn: conn.execute(text("UPDATE jobs SET run_at = created_at")))
        await until(lambda: _answered(office, 2))
    copies = await office.bench.mails()

    assert [mail.nth for mail in copies] == [2, 1]


async def test_a_code_that_expired_is_not_sent_any_more(office: Office) -> None:
    before = counted("outdated")
    await office.enqueue(until=CLOCK.now() - timedelta(seconds=1))
    await office.worked()
    (letter,) = await office.dead()

    assert "MailOutdated" in letter["error"]
    assert await office.bench.mails() == []
    assert counted("outdated") == before + 1


async def test_a_key_that_is_missing_loses_no_mail(office: Office) -> None:
    await office.enqueue()
    await office.worked(office.with_keys(OTHER_KEYS))
    (letter,) = await office.dead()
    assert "SealKeyUnknown" in letter["error"]

    await office.db.write(office.jobs.revive, letter["id"])
    await office.worked(office.with_keys(KEYS + OTHER_KEYS))
    assert len(await office.bench.mails()) == 1


async def test_a_letter_cannot_be_put_into_another_mails_job(office: Office) -> None:
    """Whoever can write to the table cannot have a code sent in the words of another mail."""
    await office.enqueue()
    forged = "UPDATE jobs SET args = json_replace(args, '$.template', 'account.locked')"
    await office.db.write(lambda conn: conn.execute(text(forged)))
    await office.worked()
    (letter,) = await office.dead()

    assert "SealBroken" in letter["error"]
    assert await office.bench.mails() == []


async def test_mails_beyond_the_pace_wait_and_are_not_dropped(office: Office) -> None:
    slow = office.with_keys(KEYS, per_minute=6)
    before = counted("waiting")
    for _ in range(3):
        await office.enqueue()
    async with office.working(slow):
        await until(lambda: _counted_more("waiting", before + 2))
        await until(lambda: _answered(office, 1))
        await until(lambda: _left(office, 2))
        left = await office.rows("jobs")

    assert {(job["state"], job["attempt"]) for job in left} == {("queued", 0)}
    assert await office.dead() == []
    assert len(await office.bench.mails()) == 1


async def _answered(office: Office, times: int) -> bool:
    return len(await office.bench.offers()) >= times


async def _queued_again(office: Office) -> bool:
    return [job["state"] for job in await office.rows("jobs")] == ["queued"]


async def _counted_more(outcome: str, least: float) -> bool:
    return counted(outcome) >= least


async def _left(office: Office, number: int) -> bool:
    return [job["state"] for job in await office.rows("jobs")] == ["queued"] * number
