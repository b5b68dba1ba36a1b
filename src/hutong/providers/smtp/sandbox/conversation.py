"""One SMTP conversation, as the server's side of it. Source: RFC 5321; 1870 (SIZE), 3207 (STARTTLS), 4954 (AUTH)."""

import asyncio
import base64
import binascii
import hmac
import re
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from hutong.providers.smtp.sandbox.announcing import GREETING
from hutong.providers.smtp.sandbox.inbox import Orders, Stage
from hutong.providers.smtp.sandbox.settings import MailSandboxSettings

IDLE_SECONDS = 60.0
LONGEST_LINE = 12_288  # RFC 4954 §4: AUTH lines are the longest
MOST_RECIPIENTS = 100
MOST_ERRORS = 20
_PATH = re.compile(r"<([^<>\s]*)>((?:\s+[A-Za-z0-9-]+(?:=[^\s<>]*)?)*)", re.ASCII)
REPLIES = {
    ("rcpt", "550"): "550 5.1.1 <{0}>: no such mailbox here",
    ("rcpt", "451"): "451 4.7.1 <{0}>: too many mails, try again later",
    ("data", "554"): "554 5.7.1 the mail to {0} looks like spam",
    ("data", "451"): "451 4.3.0 no room at present, try again later",
}
"""What a mishap answers. Real servers repeat the address, and so does this one."""


class Keeper(Protocol):
    """What a conversation asks of the sandbox."""

    async def orders(self, stage: Stage) -> Orders: ...

    async def keep(self, sender: str, recipients: list[str], source: bytes) -> None: ...

    async def note(self, recipient: str, reply: str) -> None: ...


class Cut(Exception):
    """The conversation ends here, without a word."""


@dataclass(slots=True)
class Envelope:
    """One mail that is being offered."""

    sender: str | None = None
    recipients: list[str] = field(default_factory=list)


class Conversation:
    """Answers one client until it leaves.

    Args:
        settings: limits, and who may send.
        keeper: takes the mails, and knows of mishaps.
        reader, writer: the connection.
        tls: offers STARTTLS when given.
    """

    def __init__(
        self,
        settings: MailSandboxSettings,
        keeper: Keeper,
        reader: StreamReader,
        writer: StreamWriter,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._settings, self._keeper = settings, keeper
        self._reader, self._writer, self._tls = reader, writer, tls
        self._greeted = self._known = self._left = False
        self._envelope = Envelope()
        self._errors = 0
        self._commands: dict[str, Callable[[str], Awaitable[str | None]]] = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "QUIT": self._quit,
            "AUTH": self._auth,
            "STARTTLS": self._starttls,
            "VRFY": self._vrfy,
        }

    async def run(self) -> None:
        """Talk until the client leaves, is silent for a minute, or makes twenty errors."""
        try:
            await self._say(f"{GREETING.decode()} ESMTP")
            while not self._left and self._errors < MOST_ERRORS:
                reply = await self._answer(await self._line())
                if reply is not None:
                    self._errors += reply.startswith("5")
                    await self._say(reply)
        except TimeoutError:
            await self._say("421 4.4.2 silent for too long")
        except asyncio.LimitOverrunError:
            await self._say("500 5.5.2 line too long")
        except (Cut, asyncio.IncompleteReadError, OSError):
            self._writer.transport.abort()

    async def _answer(self, line: bytes) -> str | None:
        verb, _, rest = line.decode("utf-8", "replace").rstrip("\r\n").partition(" ")
        command = self._commands.get(verb.upper())
        if command is None:
            return "500 5.5.1 no such command"
        return await command(rest.strip())

    async def _line(self) -> bytes:
        async with asyncio.timeout(IDLE_SECONDS):
            return await self._reader.readuntil(b"\n")

    async def _say(self, reply: str) -> None:
        self._writer.write(reply.encode() + b"\r\n")
        await self._writer.drain()

    # -- who is there --------------------------------------------------------------------------------------------------

    async def _ehlo(self, name: str) -> str:
        if not name:
            return "501 5.5.4 say who you are"
        self._greeted, self._envelope = True, Envelope()
        offers = ["hutong-sandbox", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "PIPELINING"]
        offers.append(f"SIZE {self._settings.largest}")
        if self._settings.username:
            offers.append("AUTH PLAIN LOGIN")
        if self._tls is not None:
            offers.append("STARTTLS")
        return "\r\n".join([*(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}"])

    async def _helo(self, name: str) -> str:
        self._greeted, self._envelope = bool(name), Envelope()
        return "250 hutong-sandbox" if name else "501 5.5.4 say who you are"

    async def _starttls(self, rest: str) -> str | None:
        if self._tls is None or rest:
            return "502 5.5.1 no encryption here"
        await self._say("220 2.0.0 go ahead")
        await self._writer.start_tls(self._tls)
        self._tls, self._greeted, self._known, self._envelope = None, False, False, Envelope()
        return None

    async def _auth(self, rest: str) -> str:
        if not self._settings.username or self._known:
            return "503 5.5.1 no sign-in wanted"
        way, _, initial = rest.partition(" ")
        try:
            given = await self._credentials(way.upper(), initial)
        except (ValueError, binascii.Error):
            return "501 5.5.2 that is no base64"
        if given is None:
            return "504 5.5.4 no such way of signing in"
        wanted = f"{self._settings.username}\0{self._settings.password.get_secret_value()}"
        self._known = hmac.compare_digest(given.encode(), wanted.encode())
        return "235 2.7.0 welcome" if self._known else "535 5.7.8 wrong name or password"

    async def _credentials(self, way: str, initial: str) -> str | None:
        """Name and password with a NUL between them; None for a way that there is not."""
        if way == "PLAIN":
            return (await self._asked("", initial)).partition("\0")[2]
        if way == "LOGIN":
            name = await self._asked("Username:", initial)
            return f"{name}\0{await self._asked('Password:', '')}"
        return None

    async def _asked(self, question: str, given: str) -> str:
        if not given:
            await self._say(f"334 {base64.b64encode(question.encode()).decode()}")
            given = (await self._line()).decode("ascii").strip()
        return base64.b64decode(given, validate=True).decode()

    # -- a mail --------------------------------------------------------------------------------------------------------

    async def _mail(self, rest: str) -> str:
        if not self._greeted or (self._settings.username and not self._known):
            return "503 5.5.1 say hello first" if not self._greeted else "530 5.7.0 sign in first"
        if self._envelope.sender is not None:
            return "503 5.5.1 one mail at a time"
        found = _PATH.fullmatch(rest[5:].strip()) if rest[:5].upper() == "FROM:" else None
        if found is None:
            return "501 5.5.4 write MAIL FROM:<address>"
        if (size := re.search(r"\bSIZE=(\d{1,20})", found[2].upper())) and int(size[1]) > self._settings.largest:
            return "552 5.3.4 too large"
        self._envelope.sender = found[1]
        return "250 2.1.0 go on"

    async def _rcpt(self, rest: str) -> str:
        if self._envelope.sender is None:
            return "503 5.5.1 MAIL comes first"
        found = _PATH.fullmatch(rest[3:].strip()) if rest[:3].upper() == "TO:" else None
        if found is None or not found[1]:
            return "501 5.1.3 write RCPT TO:<address>"
        if len(self._envelope.recipients) >= MOST_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        ordered = await self._keeper.orders("rcpt")
        if ordered.code is not None:
            reply = REPLIES["rcpt", ordered.code].format(found[1])
            await self._keeper.note(found[1], reply)
            return reply
        self._envelope.recipients.append(found[1])
        return "250 2.1.5 go on"

    async def _data(self, rest: str) -> str:
        envelope = self._envelope
        if envelope.sender is None or not envelope.recipients or rest:
            return "503 5.5.1 RCPT comes first"
        ordered = await self._keeper.orders("data")
        await self._say("354 end with a line that is a dot")
        if ordered.hang_up:
            await self._line()
            await self._cut(envelope)
        source, reply = await self._content()
        self._envelope = Envelope()
        if reply is None:
            reply = await self._verdict(envelope, ordered, source)
        await self._keeper.note(envelope.recipients[0], reply)
        return reply

    async def _verdict(self, envelope: Envelope, ordered: Orders, source: bytes) -> str:
        if ordered.wait:
            await asyncio.sleep(ordered.wait)
        if ordered.code is not None:
            return REPLIES["data", ordered.code].format(envelope.recipients[0])
        await self._keeper.keep(envelope.sender or "", envelope.recipients, source)
        if ordered.lose:
            await self._cut(envelope)
        return "250 2.0.0 taken"

    async def _cut(self, envelope: Envelope) -> None:
        await self._keeper.note(envelope.recipients[0], "the connection was cut")
        raise Cut

    async def _content(self) -> tuple[bytes, str | None]:
        """The mail up to the line with the dot, and the reply if it cannot be taken.

        A bare CR or LF is no line end, and what holds one is refused: two servers that disagree about where a mail ends let
        a second one in (RFC 5321 §2.3.8).
        """
        received, broken = bytearray(), False
        while (line := await self._line()) != b".\r\n":
            broken = broken or not line.endswith(b"\r\n") or b"\r" in line[:-2]
            if len(received) <= self._settings.largest:
                received += line.removeprefix(b".")
        if broken:
            return b"", "554 5.6.0 lines end with CR LF"
        too_large = len(received) > self._settings.largest
        return bytes(received), "552 5.3.4 too large" if too_large else None

    # -- the rest ------------------------------------------------------------------------------------------------------

    async def _rset(self, _: str) -> str:
        self._envelope = Envelope()
        return "250 2.0.0 forgotten"

    async def _noop(self, _: str) -> str:
        return "250 2.0.0 still here"

    async def _vrfy(self, _: str) -> str:
        return "252 2.1.5 send it and see"

    async def _quit(self, _: str) -> str:
        self._left = True
        return "221 2.0.0 goodbye"
