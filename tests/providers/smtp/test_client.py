"""The SMTP client in real conversations: what it sends, when it tries again, whom it trusts."""

import asyncio
import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from hutong.kernel.mail import MailRefused, MailUnavailable
from hutong.kit.clock import ManualClock, SystemClock
from hutong.providers.smtp.client import PING_SECONDS, Route, SmtpMailer
from hutong.providers.smtp.sandbox import announced
from hutong.providers.smtp.sandbox.conversation import Conversation
from hutong.providers.smtp.settings import SmtpSettings
from providers.smtp.conftest import Certificate
from support.mails import TO, MailBench, mail_bench, message


async def test_a_mail_arrives_as_it_was_written(bench: MailBench) -> None:
    """Both forms, in Chinese, with lines that begin with a dot and lines that are very long."""
    text = "您的验证码：482913\n.\n..two dots\n" + "长" * 2000 + "\n"
    html = f"<p>您的验证码</p><p>{'x' * 3000}</p>\n"
    before = SystemClock().now().replace(microsecond=0)
    await bench.mailer(sender="灯笼 <no-reply@example.com>").send(
        message(subject="灯笼 登录验证码 — très bien", text=text, html=html, language="zh-CN")
    )
    (stored,) = await bench.mails()
    mail = message_from_bytes(stored.source, policy=default)
    assert isinstance(mail, EmailMessage)
    forms = {
        part.get_content_type(): part.get_content().replace("\r\n", "\n")
        for part in mail.iter_parts()
        if isinstance(part, EmailMessage)
    }

    assert mail.get_content_type() == "multipart/alternative"
    assert forms == {"text/plain": text, "text/html": html}
    assert (mail["Subject"], mail["From"], mail["To"]) == (
        "灯笼 登录验证码 — très bien",
        "灯笼 <no-reply@example.com>",
        TO,
    )
    assert (mail["Message-ID"], mail["Auto-Submitted"], mail["Content-Language"]) == (
        "<1.mail@example.com>",
        "auto-generated",
        "zh-CN",
    )
    assert before <= parsedate_to_datetime(str(mail["Date"])) <= SystemClock().now()
    assert (stored.sender, stored.recipient) == ("no-reply@example.com", TO)
    head = stored.source.partition(b"\r\n\r\n")[0]
    assert head.isascii() and max(map(len, stored.source.split(b"\r\n"))) <= 998
    assert not re.search(rb"(?im)^(list-|precedence|reply-to|bcc)", head)


# What goes wrong


@pytest.mark.parametrize(("on", "code"), [("rcpt", "550 5.1.1"), ("data", "554 5.7.1")])
async def test_a_refusal_is_final_and_says_nothing_of_the_reader(bench: MailBench, on: str, code: str) -> None:
    """The server repeats the address; what goes into logs and dead letters must not."""
    await bench.press("refuse", on=on, times=1)
    with pytest.raises(MailRefused) as refusal:
        await bench.mailer().send(message())

    assert code in refusal.value.message
    assert "li@" not in refusal.value.message and "example.com" not in refusal.value.message
    assert await bench.mails() == []


@pytest.mark.parametrize("on", ["rcpt", "data"])
async def test_a_server_that_has_no_time_is_tried_again(bench: MailBench, on: str) -> None:
    await bench.press("throttle", on=on, times=1)
    mailer = bench.mailer()
    with pytest.raises(MailUnavailable, match="451"):
        await mailer.send(message())
    assert await bench.mails() == []
    await mailer.send(message())
    assert len(await bench.mails()) == 1


async def test_a_connection_that_breaks_is_tried_again(bench: MailBench) -> None:
    """In the middle of the mail nothing was taken; after its end it was, and only the server knows."""
    await bench.press("hang-up", times=1)
    with pytest.raises(MailUnavailable):
        await bench.mailer().send(message())
    assert await bench.mails() == []

    await bench.press("lose-answer", times=1)
    with pytest.raises(MailUnavailable):
        await bench.mailer().send(message())
    assert len(await bench.mails()) == 1


async def test_a_slow_server_does_not_hold_a_mail_for_ever(bench: MailBench) -> None:
    await bench.press("slow", seconds=60, times=1)
    clock = SystemClock()
    start = clock.monotonic()
    with pytest.raises(MailUnavailable):
        await bench.mailer(timeout=0.5).send(message())
    assert clock.monotonic() - start < 5


async def test_a_server_that_says_nothing_is_given_up(bench: MailBench) -> None:
    over = asyncio.Event()

    async def mute(_: Any, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    route = Route("127.0.0.1", server.sockets[0].getsockname()[1], "plain")
    mailer = SmtpMailer(SmtpSettings(timeout=0.3), SystemClock(), lambda: [route])
    with pytest.raises(MailUnavailable):
        await mailer.send(message())
    over.set()
    server.close()
    await server.wait_closed()


async def test_without_a_server_mails_wait(bench: MailBench) -> None:
    port = bench.sandbox.server.port
    await bench.sandbox.server.close()
    mailer = SmtpMailer(SmtpSettings(timeout=5), SystemClock(), lambda: [Route("127.0.0.1", port, "plain")])
    with pytest.raises(MailUnavailable, match="cannot be used"):
        await mailer.send(message())
    with pytest.raises(MailUnavailable, match="no mail server listens"):
        await SmtpMailer(SmtpSettings(), SystemClock(), list).send(message())


async def test_a_server_that_keeps_failing_is_left_alone_for_a_moment(bench: MailBench) -> None:
    await bench.press("throttle", times="")
    mailer = bench.mailer()
    for _ in range(8):
        with pytest.raises(MailUnavailable, match="451"):
            await mailer.send(message())
    with pytest.raises(MailUnavailable, match="keeps failing") as refusal:
        await mailer.send(message())

    assert refusal.value.retry_after
    assert len(await bench.offers()) == 8


async def test_refusals_do_not_count_against_the_server(bench: MailBench) -> None:
    """Mails to addresses that do not exist must not hold up the others."""
    await bench.press("refuse", times=10)
    mailer = bench.mailer()
    for _ in range(10):
        with pytest.raises(MailRefused):
            await mailer.send(message())
    await mailer.send(message())
    assert len(await bench.mails()) == 1


# What a mail may not do


@pytest.mark.parametrize(
    "changed",
    [
        {"to": "li@example.com\r\nBcc: eve@example.com"},
        {"to": "li@example.com>\r\nRCPT TO:<eve@example.com"},
        {"to": "li@example.com, eve@example.com"},
        {"to": "li"},
        {"subject": "Hello\r\nBcc: eve@example.com"},
        {"subject": "Hello\n\nBuy!"},
        {"message_id": "1@example.com>\r\nBcc: <eve@example.com"},
        {"language": "en\r\nBcc: eve@example.com"},
    ],
    ids=repr,
)
async def test_nothing_can_add_a_header_or_a_recipient(bench: MailBench, changed: dict[str, str]) -> None:
    with pytest.raises(MailRefused):
        await bench.mailer().send(message(**changed))
    assert await bench.mails() == []


async def test_a_text_cannot_end_the_mail_and_begin_another(bench: MailBench) -> None:
    text = "Hello\r\n.\r\nMAIL FROM:<eve@example.com>\r\nRCPT TO:<eve@example.com>\r\nDATA\r\nBuy!\r\n.\r\n"
    await bench.mailer().send(message(text=text))
    assert [mail.recipient for mail in await bench.mails()] == [TO]


@pytest.mark.parametrize(
    ("to", "arrives"), [("li@bücher.example", "li@xn--bcher-kva.example"), ("李@example.com", "李@example.com")]
)
async def test_addresses_in_other_scripts(bench: MailBench, to: str, arrives: str) -> None:
    """Domains are written in ASCII; names need a server that knows SMTPUTF8."""
    await bench.mailer().send(message(to=to))
    assert [mail.recipient for mail in await bench.mails()] == [arrives]


# Signing in


@pytest.mark.parametrize("password", ["right", "wrong", ""])
async def test_signing_in(tmp_path: Path, password: str) -> None:
    """A wrong password is our mistake and not the mail's: it waits."""
    async with mail_bench(tmp_path, username="hutong", password="right") as bench:
        mailer = bench.mailer(username="hutong", password=password)
        if password == "right":
            await mailer.send(message())
            assert len(await bench.mails()) == 1
            return
        with pytest.raises(MailUnavailable, match="535") as refusal:
            await mailer.send(message())
        assert "hutong" not in refusal.value.message.replace("hutong-sandbox", "")
        with pytest.raises(MailRefused, match="530"):
            await bench.mailer().send(message())


# Encryption


async def test_starttls_with_a_certificate_that_is_trusted(tls_bench: MailBench, certificate: Certificate) -> None:
    await tls_bench.mailer(security="starttls", ca_file=certificate.path).send(message())
    assert len(await tls_bench.mails()) == 1


async def test_starttls_with_a_self_made_certificate_is_refused(tls_bench: MailBench) -> None:
    with pytest.raises(MailUnavailable, match="certificate"):
        await tls_bench.mailer(security="starttls").send(message())
    assert await tls_bench.offers() == []


async def test_a_certificate_for_another_name_is_refused(tls_bench: MailBench, certificate: Certificate) -> None:
    with pytest.raises(MailUnavailable, match="certificate"):
        await tls_bench.mailer(security="starttls", ca_file=certificate.path, host="localhost").send(message())
    assert await tls_bench.offers() == []


async def test_a_server_without_starttls_is_told_nothing(bench: MailBench) -> None:
    """Somebody in between may have taken the offer out."""
    with pytest.raises(MailUnavailable):
        await bench.mailer(security="starttls", username="hutong", password="secret").send(message())
    assert await bench.offers() == []


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_from_the_first_byte(bench: MailBench, certificate: Certificate, trusted: bool) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Conversation(bench.sandbox.settings, bench.sandbox.server, reader, writer, None).run()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=certificate.context)
    route = Route("127.0.0.1", server.sockets[0].getsockname()[1], "tls")
    settings = SmtpSettings(timeout=5, ca_file=certificate.path if trusted else "")
    mailer = SmtpMailer(settings, SystemClock(), lambda: [route])
    if trusted:
        await mailer.send(message())
    else:
        with pytest.raises(MailUnavailable, match="certificate"):
            await mailer.send(message())
    server.close()
    assert len(await bench.mails()) == trusted


# Health


async def test_health_asks_the_server_once_a_minute(tmp_path: Path) -> None:
    clock = ManualClock(SystemClock().now())
    async with mail_bench(tmp_path, clock) as bench:
        mailer = bench.mailer()
        await mailer.ping()
    await mailer.ping()
    clock.advance(PING_SECONDS)
    with pytest.raises(MailUnavailable):
        await mailer.ping()


# Several sandboxes of one data folder


async def test_a_mail_finds_a_sandbox_that_lives(tmp_path: Path) -> None:
    """Two API processes run one each; one is killed and leaves its announcement behind."""
    async with mail_bench(tmp_path) as first:
        async with mail_bench(tmp_path) as second:
            port = second.sandbox.server.port
            assert set(announced(tmp_path)) == {port, first.sandbox.server.port}
            await second.finding().send(message())
        assert announced(tmp_path) == [first.sandbox.server.port]
        (tmp_path / "sandbox" / "mail-ports" / str(port)).touch()  # as kill -9 leaves it
        await first.finding().send(message())
        assert len(await first.mails()) == 2

        async with mail_bench(tmp_path) as third:
            assert set(announced(tmp_path)) == {first.sandbox.server.port, third.sandbox.server.port}


@pytest.mark.parametrize("sender", ["", "no-reply", "Hutong <>", "a@b\r\nBcc: c@d", "<@example.com>", "x@"])
def test_the_sender_is_one_address(sender: str) -> None:
    with pytest.raises(ValueError, match="address"):
        SmtpSettings(sender=sender)
