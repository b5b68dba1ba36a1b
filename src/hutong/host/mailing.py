"""Where mails go: to the mail server that the settings name, or to this installation's sandbox."""

from collections.abc import Sequence

from hutong.host.settings import Settings
from hutong.kernel.jobs import Jobs
from hutong.kernel.mail import Mail, Pace, Templates
from hutong.kernel.secrets import Sealer
from hutong.kernel.store import Store
from hutong.kit.clock import Clock
from hutong.providers.smtp.client import Route, SmtpMailer, route_of


def open_mail(settings: Settings, jobs: Jobs, sealer: Sealer, store: Store, clock: Clock) -> Mail:
    """Mail through SMTP; nothing connects until the first mail."""
    mailer = SmtpMailer(settings.smtp, clock, lambda: _routes(settings))
    pace = Pace(store, clock, settings.mail.per_minute)
    return Mail(jobs, sealer, clock, mailer, Templates(settings.mail), pace, settings.smtp.domain)


def _routes(settings: Settings) -> Sequence[Route]:
    if not settings.smtp.sandboxed:
        return [route_of(settings.smtp)]
    if settings.production:
        return []
    from hutong.providers.smtp.sandbox import announced

    return [Route("127.0.0.1", port, "plain") for port in announced(settings.folder)]
