"""`Mail`: enqueues mails in the business transaction, and sends them from a job.

What a mail says, and to whom, lies sealed in the job: codes and addresses never stand in clear in a table, a dead letter or
a log. Source: contracts/storefront.md; docs/kernel/mail.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import orjson
from sqlalchemy import Connection

from hutong.kernel.http.languages import Language
from hutong.kernel.jobs import Again, Job, Jobs, Retry, Task
from hutong.kernel.mail.catalogue import PURPOSES, TEMPLATES
from hutong.kernel.mail.errors import MailAddressRefused, MailOutdated
from hutong.kernel.mail.pace import Pace
from hutong.kernel.mail.ports import Mailer, MailRefused, MailUnavailable, Message
from hutong.kernel.mail.rendering import Templates
from hutong.kernel.mail.words import clean_value
from hutong.kernel.observability import metrics
from hutong.kernel.secrets import SealBroken, Sealer
from hutong.kit.clock import Clock

SEND = "kernel.mail.send"
LIVES = timedelta(days=1)
"""How long a mail is worth sending when nobody says otherwise."""
RETRY = Retry(attempts=16, first=5.0, longest=900.0, hopeless=(MailRefused, MailOutdated, SealBroken))
LONGEST_ADDRESS = 254
_ADDRESS = re.compile(r"[^\s<>()\[\]\",:;\\@]{1,64}@[^\s<>()\[\]\",:;\\@]{1,253}")


@dataclass(frozen=True, slots=True)
class Letter:
    """What a job holds under its seal."""

    to: str
    language: Language
    values: Mapping[str, str]
    until: datetime


class Mail:
    """Mails of this installation.

    Args:
        jobs, sealer, clock: the kernel's.
        mailer: sends.
        templates: renders.
        pace: says when.
        domain: of the sender, for message ids.
    """

    def __init__(
        self, jobs: Jobs, sealer: Sealer, clock: Clock, mailer: Mailer, templates: Templates, pace: Pace, domain: str
    ) -> None:
        self._jobs, self._sealer, self._clock = jobs, sealer, clock
        self._mailer, self._templates, self._pace, self._domain = mailer, templates, pace, domain

    def enqueue(
        self,
        conn: Connection,
        template: str,
        to: str,
        language: Language,
        values: Mapping[str, str],
        *,
        until: datetime | None = None,
    ) -> None:
        """Write a job in this transaction that renders and sends; there is a mail if and only if it commits.

        Args:
            conn: the business transaction.
            template: a name of `catalogue.TEMPLATES`.
            to: one address.
            language: of the mail.
            values: exactly those that the template names; line breaks and the like become spaces.
            until: the mail is worth nothing from then on (a code that expired) and is not sent; a day when left out.

        Raises:
            MailAddressRefused: `to` is not one plain address.
            ValueError: there is no such template, or it takes other values.
        """
        if TEMPLATES.get(template) != frozenset(values):
            raise ValueError(f"there is no mail {template!r} with the values {sorted(values)}")
        if values.get("purpose", PURPOSES[0]) not in PURPOSES:
            raise ValueError(f"a code cannot be for {values['purpose']!r}; there are: {', '.join(PURPOSES)}")
        if len(to) > LONGEST_ADDRESS or _ADDRESS.fullmatch(to) is None or clean_value(to) != to:
            raise MailAddressRefused
        cleaned = {name: clean_value(value) for name, value in values.items()}
        letter = Letter(to, language, cleaned, until or self._clock.now() + LIVES)
        self._jobs.enqueue(conn, SEND, {"template": template, "sealed": self._seal(template, letter)})

    async def ping(self) -> None:
        """Whether the mail server answers.

        Raises:
            MailUnavailable.
        """
        await self._mailer.ping()

    def tasks(self) -> tuple[Task, ...]:
        """The job that sends, for the host's worker."""
        return (Task(SEND, self._send, RETRY),)

    async def _send(self, job: Job) -> Again | None:
        """Send one mail when its turn has come. Run twice, it sends a second copy under the same Message-ID."""
        template = str(job.args["template"])
        try:
            seconds = await self._sent(job, template)
        except (MailRefused, MailUnavailable, MailOutdated, SealBroken) as error:
            metrics.mails.labels(template, error.code.removeprefix("mail.")).inc()
            raise
        metrics.mails.labels(template, "waiting" if seconds else "sent").inc()
        return Again(seconds) if seconds else None

    async def _sent(self, job: Job, template: str) -> float:
        """Seconds to wait for this mail's turn; 0 when it was sent."""
        letter = self._open(template, job.args["sealed"])
        if letter.until <= self._clock.now():
            raise MailOutdated
        seconds = await self._pace.wait(job.id)
        if not seconds:
            await self._mailer.send(self._message(job.id, template, letter))
        return seconds

    def _message(self, number: int, template: str, letter: Letter) -> Message:
        done = self._templates.render(template, letter.language, letter.values)
        message_id = f"{number}.mail@{self._domain}"
        return Message(message_id, letter.to, done.subject, done.text, done.html, letter.language)

    def _seal(self, template: str, letter: Letter) -> str:
        plain = {
            "to": letter.to,
            "language": letter.language,
            "values": dict(letter.values),
            "until": letter.until.isoformat(),
        }
        return self._sealer.seal(orjson.dumps(plain), f"jobs.{SEND}.{template}")

    def _open(self, template: str, sealed: str) -> Letter:
        plain: Mapping[str, Any] = orjson.loads(self._sealer.open(sealed, f"jobs.{SEND}.{template}"))
        until = datetime.fromisoformat(plain["until"])
        return Letter(plain["to"], cast(Language, plain["language"]), plain["values"], until)
