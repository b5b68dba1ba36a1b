"""Which pages may open a socket. A browser opens sockets to anybody from any page, and sends its cookies along."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.types import Scope


class Origins:
    """Pages of the host itself, and of listed origins; clients that are no browsers name none, and may come.

    Args:
        listed: exact origins, as in `https://app.example.com`; `*` allows any.
    """

    def __init__(self, listed: Sequence[str]) -> None:
        self._listed = frozenset(listed)

    def allow(self, scope: Scope) -> bool:
        """Whether the page behind this request may open a socket. Source: RFC 6455 §10.2."""
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        if not origins:
            return True
        if len(origins) > 1:
            return False
        return "*" in self._listed or origins[0] in self._listed or urlsplit(origins[0]).netloc == _host(scope)


def _host(scope: Scope) -> str:
    """The host as the client named it; "-" is nobody's origin."""
    return next((str(value.decode("latin-1")) for name, value in scope["headers"] if name == b"host"), "-")
