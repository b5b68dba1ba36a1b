"""The mail server: listens on loopback, says where, and gives each client a conversation of its own."""

import asyncio
import ssl

from hutong.kit.tasks import end
from hutong.providers.smtp.sandbox import inbox, schema
from hutong.providers.smtp.sandbox.announcing import announce, forget_dead, withdraw
from hutong.providers.smtp.sandbox.conversation import LONGEST_LINE, Conversation
from hutong.providers.smtp.sandbox.inbox import Orders, Stage
from hutong.providers.smtp.sandbox.settings import MailSandboxSettings
from hutong.sandbox.state import State

LISTEN_ON = "127.0.0.1"

__all__ = ["MailServer", "schema"]


class MailServer:
    """One process's part in the sandbox's mail server.

    Args:
        settings: where to listen, what to take.
        state: where mails are kept.
        tls: offers STARTTLS when given.
    """

    def __init__(self, settings: MailSandboxSettings, state: State, tls: ssl.SSLContext | None = None) -> None:
        self._settings, self._state, self._tls = settings, state, tls
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen, and announce the port.

        Raises:
            OSError: the port of the settings is taken.
        """
        await forget_dead(self._settings.folder)
        chosen = self._settings.port
        shared = True if chosen else None  # several processes may listen on one port that was chosen
        self._server = await asyncio.start_server(self._talk, LISTEN_ON, chosen, limit=LONGEST_LINE, reuse_port=shared)
        self.port = self._server.sockets[0].getsockname()[1]
        announce(self._settings.folder, self.port)

    async def close(self) -> None:
        """Listen no more, and end what is being said."""
        if self._server is None:
            return
        if not self._settings.port:
            withdraw(self._settings.folder, self.port)
        self._server.close()
        await end(*self._talks)
        await self._server.wait_closed()
        self._server = None

    async def orders(self, stage: Stage) -> Orders:
        """The mishaps that a step meets."""
        return await self._state.write(inbox.orders, stage, self._state.now_ms())

    async def keep(self, sender: str, recipients: list[str], source: bytes) -> None:
        """Keep a mail."""
        now_ms, kept = self._state.now_ms(), self._settings.kept
        await self._state.write(inbox.keep, sender, recipients, source, now_ms, kept)

    async def note(self, recipient: str, reply: str) -> None:
        """Remember an answer."""
        await self._state.write(inbox.note, recipient, reply, self._state.now_ms())

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            await Conversation(self._settings, self, reader, writer, self._tls).run()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._talks.discard(task)
            writer.close()
