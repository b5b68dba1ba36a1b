"""From where a call comes."""

from dataclasses import dataclass

from hutong.kernel.http.languages import Language


@dataclass(frozen=True, slots=True)
class Client:
    """The caller's side of a request.

    Args:
        address: IP address, as `kernel.http.addresses` tells it (never a header's claim).
        language: to answer and to write mails in.
        device_id: the client's own name for its device (`X-Device-ID`), at most 128 printable characters.
        agent: the User-Agent header, cut to 200 characters.
    """

    address: str
    language: Language
    device_id: str | None = None
    agent: str | None = None
