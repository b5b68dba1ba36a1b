"""Devices on which somebody has signed in before: what strangers do elsewhere does not keep the owner out on these.

A device is known by the name that its client sends (`X-Device-ID`), kept as a digest together with the address. Whoever
steals the name gains a few tries a lock, nothing else. Source: ADR 0018.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from hutong.kernel.db import upsert
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.digests import Digests
from hutong.kernel.identity.tables import known_devices

KNOWN = timedelta(days=90)
"""How long a device stays known after a sign-in on it."""


class KnownDevices:
    """Known devices of one realm."""

    def __init__(self, realm: str, digests: Digests) -> None:
        self._realm, self._digests = realm, digests

    def digest(self, email: str, client: Client) -> str:
        """How this device is called beside this (normalised) address."""
        return self._digests.of("device", self._realm, email, client.device_id or "")

    def is_known(self, conn: Connection, email: str, client: Client, now: datetime) -> bool:
        """Whether the owner of the address has signed in on this device in the last 90 days."""
        columns = known_devices.c
        mine = (columns.realm == self._realm, columns.digest == self.digest(email, client))
        query = select(columns.user_id).where(*mine, columns.seen_at > now - KNOWN)
        return conn.execute(query).first() is not None

    def remember(self, conn: Connection, email: str, client: Client, user_id: int, now: datetime) -> None:
        """From now on this device, if it has a name, is one of the owner's."""
        if client.device_id is None:
            return
        key = {"realm": self._realm, "digest": self.digest(email, client)}
        seen = {"user_id": user_id, "seen_at": now}
        upsert(conn, known_devices, ["realm", "digest"], key | seen, seen)

    def forget(self, conn: Connection, user_id: int) -> None:
        """No device of this user is known any more."""
        conn.execute(known_devices.delete().where(known_devices.c.user_id == user_id))
