"""Tickets: a word that opens one socket, once, soon, for clients that cannot send a header with it.

Source: contracts/chat.md `WS /ws`. Only a digest lies in the store, so that nobody who reads it can come in.
"""

import hashlib
import secrets

from hutong.kernel.store import Store

SECONDS = 30.0
LONGEST = 64


class Tickets:
    """Tickets of one realm. Without a store there are none: `StoreUnavailable`.

    Args:
        store: keeps them.
        realm: whose users get them.
        seconds: that a ticket is good.
    """

    def __init__(self, store: Store, realm: str, seconds: float = SECONDS) -> None:
        self._store, self._realm, self._seconds = store, realm, seconds

    async def issue(self, user_id: int, note: str = "") -> str:
        """A new ticket of a user.

        Args:
            user_id: whose.
            note: what whoever redeems it should know besides, as the session's id.

        Raises:
            StoreUnavailable.
        """
        ticket = secrets.token_urlsafe(24)
        await self._store.put(self._key(ticket), f"{user_id}:{note}", seconds=self._seconds)
        return ticket

    async def redeem(self, ticket: str) -> int | None:
        """Whose ticket it is, the first time and as long as it is good; None otherwise.

        Raises:
            StoreUnavailable.
        """
        found = await self.redeem_noted(ticket)
        return None if found is None else found[0]

    async def redeem_noted(self, ticket: str) -> tuple[int, str] | None:
        """`redeem`, with the note."""
        if not ticket or len(ticket) > LONGEST:
            return None
        found = await self._store.call("GETDEL", self._key(ticket))
        if found is None:
            return None
        user, _, note = found.decode().partition(":")
        return int(user), note

    def _key(self, ticket: str) -> str:
        digest = hashlib.sha256(ticket.encode()).hexdigest()
        return f"ticket:{self._realm}:{{{digest}}}"
