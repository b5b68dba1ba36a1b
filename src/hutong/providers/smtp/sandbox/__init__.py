"""A real mail server that keeps what it is given and shows it on a page, with buttons for mishaps.

It shares no code with the client. Only `host` starts it (its page is at `/sandbox/mail`), in development, tests and the demo.
Its page in the docs is docs/providers/smtp.md.
"""

from hutong.providers.smtp.sandbox.announcing import announced
from hutong.providers.smtp.sandbox.app import Sandbox, create_sandbox
from hutong.providers.smtp.sandbox.settings import MailSandboxSettings

__all__ = ["MailSandboxSettings", "Sandbox", "announced", "create_sandbox"]
