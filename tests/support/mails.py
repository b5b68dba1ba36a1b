"""Mail for tests: the sandbox's mail server on loopback, a client for it, and a look into its inbox."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hutong.kernel.mail import Message
from hutong.kit.clock import Clock, SystemClock
from hutong.providers.smtp.client import Route, SmtpMailer
from hutong.providers.smtp.sandbox import MailSandboxSettings, Sandbox, announced
from hutong.providers.smtp.sandbox import inbox as rows
from hutong.providers.smtp.sandbox.buttons import BUTTONS
from hutong.providers.smtp.sandbox.inbox import Mail
from hutong.providers.smtp.sandbox.reading import Contents, read
from hutong.providers.smtp.settings import Security, SmtpSettings
from hutong.sandbox.buttons import Scene
from support.http import Client

TO = "li@example.com"


@dataclass
class MailBench:
    """A sandbox that runs, and what calls it."""

    sandbox: Sandbox
    clock: Clock

    def mailer(self, *, security: Security = "plain", host: str = "127.0.0.1", **settings: Any) -> SmtpMailer:
        """A client that knows this sandbox's port."""
        route = Route(host, self.sandbox.server.port, security)
        return SmtpMailer(SmtpSettings(**{"timeout": 5, **settings}), self.clock, lambda: [route])

    def finding(self) -> SmtpMailer:
        """A client that looks for sandboxes in the data folder."""
        folder = self.sandbox.settings.folder
        return SmtpMailer(
            SmtpSettings(timeout=5),
            self.clock,
            lambda: [Route("127.0.0.1", port, "plain") for port in announced(folder)],
        )

    async def press(self, name: str, **fields: Any) -> None:
        """A button of the page."""
        button = BUTTONS[name].model_validate(fields)
        await self.sandbox.state.write(lambda conn: button.press(Scene(conn, self.sandbox.state.now_ms())))

    async def mails(self, to: str | None = None) -> Sequence[Mail]:
        """What was taken, newest first."""
        return await self.sandbox.state.read(rows.latest, 100, to)

    async def only(self) -> Contents:
        """The one mail that was taken."""
        (mail,) = await self.mails()
        return read(mail.source)

    async def offers(self) -> list[str]:
        """What the server answered, newest first."""
        return [str(row["reply"]) for row in await self.sandbox.state.read(rows.offers, 100)]


@asynccontextmanager
async def mail_bench(
    folder: Path, clock: Clock | None = None, tls: ssl.SSLContext | None = None, **settings: Any
) -> AsyncIterator[MailBench]:
    """Run a sandbox's mail server on a free port."""
    made = MailSandboxSettings(folder=folder, public_url="http://127.0.0.1/sandbox/mail", **settings)
    sandbox = Sandbox(made, SystemClock(), tls)
    await sandbox.start()
    try:
        yield MailBench(sandbox, clock or SystemClock())
    finally:
        await sandbox.close()


def message(**changed: str) -> Message:
    """A mail to Li."""
    plain = {
        "message_id": "1.mail@example.com",
        "to": TO,
        "subject": "Hello",
        "text": "Hello, Li.\n",
        "html": "<p>Hello, Li.</p>",
        "language": "en",
    }
    return Message(**(plain | changed))


async def mails_to(client: Client, base: str, to: str) -> list[dict[str, Any]]:
    """Mails that an installation's sandbox took for an address, newest first.

    Args:
        client, base: of the installation.
        to: the address.
    """
    async with client.get(f"{base}/sandbox/mail/messages.json", params={"to": to}) as answer:
        assert answer.status == 200, await answer.text()
        found: list[dict[str, Any]] = (await answer.json())["messages"]
        return found
