"""`Mailer` over SMTP: one connection a mail, encrypted and with a checked certificate unless the settings say `plain`.

Source: RFC 5321, RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 8314.
"""

import asyncio
import contextlib
import math
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from aiosmtplib import SMTP, SMTPConnectError

from hutong.kernel.http.outbound import Breaker, CircuitOpen
from hutong.kernel.mail import MailRefused, MailUnavailable, Message
from hutong.kernel.observability import metrics
from hutong.kit.clock import Clock
from hutong.providers.smtp.composing import compose
from hutong.providers.smtp.errors import FAILURES, failed, unreachable
from hutong.providers.smtp.settings import Security, SmtpSettings, address_of

VENDOR = "smtp"
GOODBYE_SECONDS = 2.0
PING_SECONDS = 60.0
"""How long an answer of the server counts: health is asked every second, and mail servers shut out who calls for nothing."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a mail server listens."""

    host: str
    port: int
    security: Security


def route_of(settings: SmtpSettings) -> Route:
    """The server that the settings name."""
    return Route(settings.host, settings.port, settings.security)


class SmtpMailer:
    """Sends mails.

    Args:
        settings: account, sender, time limit.
        clock: for Date.
        routes: asked for each mail; the first that answers is taken. The sandbox's port is known only when it runs.
    """

    def __init__(self, settings: SmtpSettings, clock: Clock, routes: Callable[[], Sequence[Route]]) -> None:
        self._settings, self._clock, self._routes = settings, clock, routes
        self._sender = address_of(settings.sender)
        self._breaker = Breaker()
        self._well_until = -math.inf
        self._trusted: ssl.SSLContext | None = None

    async def send(self, message: Message) -> None:
        """Hand a message over; see `hutong.kernel.mail.Mailer`."""
        async with self._conversation("send") as session:
            try:
                await session.send_message(compose(message, self._sender, self._clock.now()))
            except (*FAILURES, ValueError) as error:
                failed(error)

    async def ping(self) -> None:
        """Whether the server answered within the last minute, or answers now.

        Raises:
            MailUnavailable.
        """
        if self._clock.monotonic() < self._well_until:
            return
        async with self._conversation("ping") as session:
            try:
                await session.noop()
            except FAILURES as error:
                failed(error)

    @contextlib.asynccontextmanager
    async def _conversation(self, call: str) -> AsyncIterator[SMTP]:
        """An open session, within the time limit; counted, timed, and closed in the end."""
        try:
            self._breaker.check(VENDOR)
        except CircuitOpen as error:
            raise MailUnavailable(error.message, retry_after=error.retry_after) from error
        start, outcome = time.perf_counter(), "failed"
        try:
            async with self._session() as session:
                yield session
            outcome = "ok"
        except MailRefused:
            outcome = "refused"
            raise
        except TimeoutError as error:
            raise MailUnavailable(f"no answer within {self._settings.timeout:g} s") from error
        finally:
            self._breaker.record(ok=outcome != "failed")
            metrics.outbound_seconds.labels(VENDOR, call, outcome).observe(time.perf_counter() - start)
        self._well_until = self._clock.monotonic() + PING_SECONDS

    @contextlib.asynccontextmanager
    async def _session(self) -> AsyncIterator[SMTP]:
        session: SMTP | None = None
        try:
            async with asyncio.timeout(self._settings.timeout):
                session = await self._connect()
                yield session
            await _say_goodbye(session)  # beyond the time limit: what was taken must not count as failed
        finally:
            if session is not None:
                session.close()

    async def _connect(self) -> SMTP:
        refused: Exception | None = None
        for route in self._routes():
            session = self._open(route)
            try:
                await session.connect()
            except SMTPConnectError as error:
                refused = error
            except FAILURES as error:
                unreachable(error)
            else:
                return session
        if refused is not None:
            unreachable(refused)
        raise MailUnavailable("no mail server listens; start the API process, which runs the sandbox")

    def _open(self, route: Route) -> SMTP:
        settings = self._settings
        return SMTP(
            hostname=route.host,
            port=route.port,
            username=settings.username or None,
            password=settings.password.get_secret_value() or None,
            local_hostname=settings.domain,
            timeout=settings.timeout,
            use_tls=route.security == "tls",
            start_tls=route.security == "starttls",
            tls_context=None if route.security == "plain" else self._trust(),
        )

    def _trust(self) -> ssl.SSLContext:
        """Certificates are checked, with the name in them."""
        if self._trusted is None:
            self._trusted = ssl.create_default_context(cafile=self._settings.ca_file or None)
            self._trusted.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._trusted


async def _say_goodbye(session: SMTP) -> None:
    with contextlib.suppress(*FAILURES):
        async with asyncio.timeout(GOODBYE_SECONDS):
            await session.quit()
