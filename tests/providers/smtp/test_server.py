"""The sandbox's mail server, as other clients see it: the standard library's, and one that gets things wrong."""

import asyncio
import smtplib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest

from providers.smtp.conftest import Certificate
from support.mails import TO, MailBench, mail_bench

ENVELOPE = ("MAIL FROM:<eve@example.com>", f"RCPT TO:<{TO}>", "DATA")


class Talk:
    """A client that says what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, *lines: str | bytes) -> str:
        """Say lines at once; the reply to the last."""
        for line in lines:
            self.writer.write(line if isinstance(line, bytes) else line.encode() + b"\r\n")
        reply = ""
        for _ in lines:
            reply = await self.hear()
        return reply

    async def hear(self) -> str:
        async with asyncio.timeout(10):
            while (line := (await self.reader.readline()).decode())[3:4] == "-":
                pass
        return line.strip()


@asynccontextmanager
async def talking(bench: MailBench, hello: str = "EHLO eve") -> AsyncIterator[Talk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.sandbox.server.port)
    talk = Talk(reader, writer)
    assert (await talk.hear()).startswith("220 hutong-sandbox")
    if hello:
        await talk.say(hello)
    try:
        yield talk
    finally:
        writer.close()


async def test_the_standard_librarys_client_is_understood(tls_bench: MailBench, certificate: Certificate) -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "Hello", "a@example.com", TO
    mail.set_content("Your code: 123456.\n.\n")
    trusting = ssl.create_default_context(cafile=certificate.path)

    def send() -> dict[str, str]:
        with smtplib.SMTP("127.0.0.1", tls_bench.sandbox.server.port, timeout=10) as client:
            client.starttls(context=trusting)
            client.ehlo()
            assert client.has_extn("size") and not client.has_extn("starttls")
            client.send_message(mail)
            return dict(client.esmtp_features)

    features = await asyncio.to_thread(send)
    contents = await tls_bench.only()

    assert {"8bitmime", "smtputf8", "pipelining", "size"} <= features.keys()
    assert (contents.text, contents.html) == ("Your code: 123456.\n.\n", "")


@pytest.mark.parametrize("way", ["auth_plain", "auth_login"])
@pytest.mark.parametrize("password", ["right", "wrong"])
async def test_the_standard_librarys_client_signs_in(tmp_path: Path, way: str, password: str) -> None:
    async with mail_bench(tmp_path, username="hutong", password="right") as bench:

        def sign_in() -> int:
            with smtplib.SMTP("127.0.0.1", bench.sandbox.server.port, timeout=10) as client:
                client.ehlo()
                client.user, client.password = "hutong", password
                mechanism = way.removeprefix("auth_").upper()
                try:
                    return client.auth(mechanism, getattr(client, way))[0]
                except smtplib.SMTPAuthenticationError as error:
                    return int(error.smtp_code)

        assert await asyncio.to_thread(sign_in) == (235 if password == "right" else 535)


@pytest.mark.parametrize(
    ("lines", "reply"),
    [
        (["NONSENSE"], "500"),
        (["RCPT TO:<a@b>"], "503"),
        (["DATA"], "503"),
        (["MAIL FROM:<a@b>", "DATA"], "503"),
        (["MAIL FROM:<a@b>", "MAIL FROM:<a@b>"], "503"),
        (["MAIL FROM:a@b"], "501"),
        (["MAIL TO:<a@b>"], "501"),
        (["MAIL FROM:<a@b> SIZE=99999999999"], "552"),
        (["MAIL FROM:<>", "RCPT TO:<>"], "501"),
        (["MAIL FROM:<a@b>", "RCPT TO:<a@b> <c@d>"], "501"),
        (["MAIL FROM:<a@b>", *(f"RCPT TO:<a{n}@b>" for n in range(101))], "452"),
        (["MAIL FROM:<a@b>", "RSET", "RCPT TO:<a@b>"], "503"),
        (["STARTTLS"], "502"),
        (["AUTH PLAIN AGEAYg=="], "503"),
        (["NOOP"], "250"),
        (["VRFY a"], "252"),
        (["QUIT"], "221"),
        (["HELO"], "501"),
    ],
    ids=str,
)
async def test_commands_out_of_order(bench: MailBench, lines: list[str], reply: str) -> None:
    async with talking(bench) as talk:
        assert (await talk.say(*lines)).startswith(reply)


async def test_who_says_no_hello_sends_nothing(bench: MailBench) -> None:
    async with talking(bench, hello="") as talk:
        assert (await talk.say("MAIL FROM:<a@b>")).startswith("503")


@pytest.mark.parametrize(
    "end",
    [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r"],
    ids=repr,
)
async def test_a_mail_ends_in_one_way_only(bench: MailBench, end: bytes) -> None:
    """A second mail behind what another server would take for the end: one refusal, no mail."""
    smuggled = b"Hello" + end + b"MAIL FROM:<x@example.com>\r\nRCPT TO:<y@example.com>\r\nDATA\r\nBuy\r\n.\r\n"
    async with talking(bench) as talk:
        assert (await talk.say(*ENVELOPE)).startswith("354")
        assert (await talk.say(smuggled)).startswith("554")
        assert (await talk.say("NOOP")).startswith("250")
    assert await bench.mails() == []


async def test_a_mail_that_is_too_large_is_refused_and_the_talk_goes_on(tmp_path: Path) -> None:
    async with mail_bench(tmp_path, largest=2048) as bench, talking(bench) as talk:
        await talk.say(*ENVELOPE)
        assert (await talk.say((b"x" * 100 + b"\r\n") * 50 + b".\r\n")).startswith("552")
        await talk.say(*ENVELOPE)
        assert (await talk.say(b"Subject: Hi\r\n\r\nhi\r\n.\r\n")).startswith("250")
        assert len(await bench.mails()) == 1


async def test_lines_without_end_are_not_read_for_ever(bench: MailBench) -> None:
    async with talking(bench) as talk:
        talk.writer.write(b"x" * 200_000)
        assert (await talk.hear()).startswith("500")


async def test_a_client_that_only_makes_errors_is_let_go(bench: MailBench) -> None:
    async with talking(bench) as talk:
        for _ in range(20):
            await talk.say("NONSENSE")
        assert await talk.reader.read() == b""


async def test_old_mails_make_room(tmp_path: Path) -> None:
    async with mail_bench(tmp_path, kept=3) as bench, talking(bench) as talk:
        for number in range(5):
            await talk.say(*ENVELOPE)
            await talk.say(f"Subject: {number}\r\n\r\nhi\r\n.".encode() + b"\r\n")
        assert [mail.subject for mail in await bench.mails()] == ["4", "3", "2"]


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"no header at all",
        b"Subject: =?utf-8?b?!!!?=\r\n\r\nx",
        b"Content-Type: text/plain; charset=klingon\r\n\r\nx\xff",
        b"Content-Type: multipart/alternative\r\n\r\nx",
        b"Message-ID: <a\r\n b>\r\n\r\n",
        b"\xff\xfe",
    ],
    ids=repr,
)
async def test_a_mail_that_is_none_is_kept_too(bench: MailBench, source: bytes) -> None:
    async with talking(bench) as talk:
        await talk.say(*ENVELOPE)
        assert (await talk.say(source + b"\r\n.\r\n")).startswith("250")
    assert (await bench.only()) is not None
