"""How many mails strangers may cause: for each address, each IP address and a realm in all, a day.

An IP address gets half of what an address is allowed, so that nobody alone uses up somebody else's codes; a known device
has an allowance of its own. Counts stay counted when the mail cannot be delivered. Source: contracts/storefront.md; ADR 0018.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from hutong.kernel.identity import tallies
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.devices import KnownDevices
from hutong.kernel.identity.digests import Digests
from hutong.kernel.identity.errors import CodesUsedUp, RegistrationsUsedUp
from hutong.kernel.settings import AuthSettings

DAY = timedelta(days=1)
NOTICES_PER_ADDRESS = 5
"""Mails a day that tell an address of registrations with it."""


class Allowances:
    """What one realm allows a day."""

    def __init__(self, realm: str, settings: AuthSettings, digests: Digests, devices: KnownDevices) -> None:
        self._realm, self._settings, self._digests, self._devices = realm, settings, digests, devices

    def take_code(self, conn: Connection, email: str, client: Client, now: datetime) -> None:
        """Count one code to an address.

        Raises:
            CodesUsedUp: nothing was counted, once the transaction is rolled back.
        """
        settings = self._settings
        for bucket, limit in (
            *self._of_address(conn, email, client, now),
            (f"codes.ip:{client.address[:64]}", settings.codes_per_ip_day),
            ("codes.all", settings.codes_per_day),  # last, because every call waits for whoever has it
        ):
            if not tallies.take(conn, self._realm, bucket, limit, DAY, now):
                raise CodesUsedUp(retry_after=self._seconds_left(conn, bucket, now))

    def take_registration(self, conn: Connection, client: Client, now: datetime) -> None:
        """Count one registration of an IP address, whatever becomes of it.

        Raises:
            RegistrationsUsedUp.
        """
        bucket = f"register.ip:{client.address[:64]}"
        if not tallies.take(conn, self._realm, bucket, self._settings.registrations_per_ip_day, DAY, now):
            raise RegistrationsUsedUp(retry_after=self._seconds_left(conn, bucket, now))

    def take_notice(self, conn: Connection, email: str, now: datetime) -> bool:
        """Count one mail that tells of a registration. Returns whether it may be sent."""
        bucket = f"notices:{self._digests.of('address', self._realm, email)}"
        return tallies.take(conn, self._realm, bucket, NOTICES_PER_ADDRESS, DAY, now)

    def _of_address(self, conn: Connection, email: str, client: Client, now: datetime) -> tuple[tuple[str, int], ...]:
        most = self._settings.codes_per_address_day
        if self._devices.is_known(conn, email, client, now):
            return ((f"codes.device:{self._devices.digest(email, client)}", most),)
        address = self._digests.of("address", self._realm, email)
        pair = self._digests.of("pair", self._realm, email, client.address)
        return (f"codes.address:{address}", most), (f"codes.pair:{pair}", most // 2)

    def _seconds_left(self, conn: Connection, bucket: str, now: datetime) -> float:
        tally = tallies.find(conn, self._realm, bucket)
        return max(1.0, (tally.ends_at - now).total_seconds()) if tally else 1.0
