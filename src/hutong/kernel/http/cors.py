"""Which foreign pages may call. Source: the Fetch standard's CORS protocol; reference/identity_orders.md X04."""

from collections.abc import Sequence

from starlette.types import Scope, Send


class Cors:
    """Cross-origin calls from listed origins only; no credentials, for tokens travel in a header.

    The edge puts these headers on every answer, its own refusals included: a browser shows a page no answer without them.

    Args:
        origins: exact origins, as in `https://app.example.com`; `*` allows any.
    """

    PREFLIGHT = (
        (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
        (
            b"access-control-allow-headers",
            b"Authorization, Content-Type, Idempotency-Key, X-Device-ID, X-Request-ID, Accept-Language",
        ),
        (b"access-control-max-age", b"600"),
    )
    EXPOSED = (b"access-control-expose-headers", b"X-Request-ID, Retry-After, ETag, Content-Language")

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)

    def headers(self, scope: Scope) -> Sequence[tuple[bytes, bytes]]:
        """What an answer to this request needs for its page to see it; nothing if it comes from no listed origin."""
        if not self._origins:
            return ()
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        if origin is None or not (b"*" in self._origins or origin in self._origins):
            return ()
        return (b"access-control-allow-origin", origin), (b"vary", b"Origin"), self.EXPOSED

    async def preflight(self, send: Send) -> None:
        """Answer a browser that asks before it calls."""
        await send({"type": "http.response.start", "status": 204, "headers": list(self.PREFLIGHT)})
        await send({"type": "http.response.body", "body": b""})
