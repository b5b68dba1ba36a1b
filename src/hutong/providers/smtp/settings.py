"""Settings of the mail server."""

from email.errors import MessageError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from hutong.kernel.settings import Section
from hutong.kit.text import is_printable

Security = Literal["starttls", "tls", "plain"]
SANDBOX_SENDER = "Hutong <no-reply@hutong.invalid>"


class SmtpSettings(Section):
    """The mail server; without a host mails go to the sandbox."""

    host: str = Field("", description="Name of the mail server; empty: the sandbox.")
    port: int = Field(587, ge=1, le=65535, description="Port of the mail server: 587 for starttls, 465 for tls.")
    username: str = Field("", description="Name to sign in with; empty: no sign-in.")
    password: SecretStr = Field(SecretStr(""), description="Password to sign in with.")
    security: Security = Field(
        "starttls", description="How the connection is encrypted; `plain` only for a relay on the same machine."
    )
    ca_file: str = Field(
        "", description="Path of the certificates (PEM) that sign the server's; empty: those that the system trusts."
    )
    sender: str = Field(SANDBOX_SENDER, description="Address in From, as in `Hutong <no-reply@example.com>`.")
    timeout: float = Field(20.0, gt=0, le=50, description="Seconds of one mail, connection included.")
    sandbox_port: int = Field(
        0, ge=0, le=65535, description="Port of the sandbox's mail server; 0: a free one, which its page names."
    )

    @field_validator("sender")
    @classmethod
    def _one_address(cls, value: str) -> str:
        address_of(value)
        return value

    @property
    def sandboxed(self) -> bool:
        """Whether the mail server is this installation's own sandbox."""
        return not self.host

    @property
    def domain(self) -> str:
        """The domain of the sender."""
        return address_of(self.sender).domain


def address_of(text: str) -> Address:
    """A mailbox as in `Name <name@domain>`, parsed.

    Raises:
        ValueError: it is none.
    """
    name, spec = parseaddr(text)
    try:
        address = Address(display_name=name, addr_spec=spec)
    except (MessageError, ValueError, IndexError):
        address = Address()
    if not address.username or not address.domain or not is_printable(text):
        raise ValueError("that is no address; write it as in: Hutong <no-reply@example.com>")
    return address
