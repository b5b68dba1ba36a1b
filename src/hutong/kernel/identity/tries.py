"""Forgetting what was counted and sent, once it decides nothing any more."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from hutong.kernel.identity.devices import KNOWN
from hutong.kernel.identity.tables import email_codes, known_devices, tallies

KEPT = timedelta(days=1)
"""How long what is over is kept, so that a code of yesterday is still too old, and not unknown."""


def forget_tries(conn: Connection, now: datetime) -> None:
    """Remove counters and codes that are over for a day, and devices that were not seen for so long that they are unknown."""
    conn.execute(tallies.delete().where(tallies.c.ends_at < now - KEPT))
    conn.execute(email_codes.delete().where(email_codes.c.expires_at < now - KEPT))
    conn.execute(known_devices.delete().where(known_devices.c.seen_at <= now - KNOWN))
