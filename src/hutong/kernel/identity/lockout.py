"""Who may try at all: failures are counted for each address, known or not, and for each IP address, before any hash.

A try is counted before it is made and given back when it succeeds, so twenty at once are no more tries than twenty in turn.
A device on which the owner has signed in before has a count of its own in place of the other two: whoever fails elsewhere,
as often as they like, does not keep the owner out there. Source: contracts/storefront.md "Users"; ADR 0018.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from hutong.kernel import audit
from hutong.kernel.audit import AuditEvent
from hutong.kernel.identity import account_rows, tallies
from hutong.kernel.identity.clients import Client
from hutong.kernel.identity.devices import KnownDevices
from hutong.kernel.identity.digests import Digests
from hutong.kernel.identity.errors import SignInLocked
from hutong.kernel.settings import AuthSettings

IN_FLIGHT_SECONDS = 1.0
"""When to come back if the tries left are all being made at this moment."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A counter of failures and how many it takes."""

    name: str
    limit: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try that was counted.

    Args:
        buckets: where it was counted; what stands for the address comes first.
        email: whose account was tried.
        client: who tried.
        known_device: whether the device is one of the owner's.
        failed_as, locked_as: kinds of the audit events.
    """

    buckets: tuple[Bucket, ...]
    email: str
    client: Client
    known_device: bool
    failed_as: str = "account.sign_in_failed"
    locked_as: str = "account.locked"


class Lockout:
    """Counts failures of one realm.

    Args:
        realm: of the accounts.
        settings: limits and times.
        digests: under which names addresses are counted.
        devices: those of the owners.
        ids: makes ids of audit events.
    """

    def __init__(
        self, realm: str, settings: AuthSettings, digests: Digests, devices: KnownDevices, ids: Callable[[], int]
    ) -> None:
        self._realm, self._settings, self._digests, self._devices, self._ids = realm, settings, digests, devices, ids
        self._span = timedelta(minutes=settings.lock_minutes)

    def begin(self, conn: Connection, email: str, client: Client, now: datetime, *, by_code: bool = False) -> Attempt:
        """Count a try before it is made.

        Args:
            conn: the unit of work; the try is made in it, or after its commit.
            email: normalised.
            client: who tries.
            now: the present moment.
            by_code: by a code from a mail, which has tries of its own and is open while the address is locked.

        Raises:
            SignInLocked: no try is left; `retry_after` says for how long. Nothing was counted.
        """
        known = self._devices.is_known(conn, email, client, now)
        account = self._device(email, client) if known else self._address(email)
        ip = Bucket(f"sign_in.ip:{client.address[:64]}", self._settings.client_lock_after_failures)
        buckets = (() if by_code else (account,)) + (() if known else (ip,))
        for bucket in buckets:
            if not tallies.take(conn, self._realm, bucket.name, bucket.limit, self._span, now, slides=True):
                raise self._locked(conn, bucket, now)
        return Attempt(buckets, email, client, known)

    def begin_change(self, conn: Connection, user_id: int, email: str, client: Client, now: datetime) -> Attempt:
        """Count a try of somebody who is signed in to tell the current password.

        Raises:
            SignInLocked: no try is left.
        """
        bucket = Bucket(f"password.user:{user_id}", self._settings.lock_after_failures)
        if not tallies.take(conn, self._realm, bucket.name, bucket.limit, self._span, now, slides=True):
            raise self._locked(conn, bucket, now)
        kinds = ("password.change_failed", "password.change_locked")
        return Attempt((bucket,), email, client, True, *kinds)

    def changed(self, conn: Connection, attempt: Attempt) -> None:
        """The current password was right and is replaced: forget the failures to tell it."""
        for bucket in attempt.buckets:
            tallies.clear(conn, self._realm, bucket.name)

    def failed(self, conn: Connection, attempt: Attempt, user_id: int | None, now: datetime) -> bool:
        """The try was wrong: lock what is full, and leave an audit event for a first failure and for a lock.

        The same statements run whether or not there is such a user. Returns whether the address was locked by this failure.
        """
        full = [bucket for bucket in attempt.buckets if self._lock_if_full(conn, bucket, now)]
        account, ip = attempt.buckets[0], attempt.buckets[-1]
        tally = tallies.find(conn, self._realm, account.name)
        failures = tally.count if tally else 0
        if not attempt.known_device:
            account_rows.copy_failures(conn, self._realm, user_id or 0, failures, tally.locked_until if tally else None)
        if account in full:
            self._record(conn, attempt.locked_as, attempt, user_id, now, failures)
        elif failures == 1:
            self._record(conn, attempt.failed_as, attempt, user_id, now, failures)
        if ip in full and ip is not account:
            self._record(conn, "client.locked", attempt, None, now, ip.limit)
        return account in full

    def failed_by_code(self, conn: Connection, attempt: Attempt, now: datetime) -> None:
        """A code was wrong: it counts against the IP address only."""
        for bucket in attempt.buckets:
            if self._lock_if_full(conn, bucket, now):
                self._record(conn, "client.locked", attempt, None, now, bucket.limit)

    def succeeded(self, conn: Connection, attempt: Attempt, user_id: int, now: datetime) -> None:
        """The password was right: forget the failures that this sign-in was counted with, and know the device.

        What was failed elsewhere than on a known device is left: it may be somebody else who goes on trying.
        """
        tallies.clear(conn, self._realm, attempt.buckets[0].name)
        for bucket in attempt.buckets[1:]:
            tallies.give_back(conn, self._realm, bucket.name)
        if not attempt.known_device:
            account_rows.copy_failures(conn, self._realm, user_id, 0, None)
        self._devices.remember(conn, attempt.email, attempt.client, user_id, now)

    def give_back(self, conn: Connection, attempt: Attempt) -> None:
        """The try was not made, or counts nowhere because it was right."""
        for bucket in attempt.buckets:
            tallies.give_back(conn, self._realm, bucket.name)

    def lift(self, conn: Connection, email: str, user_id: int) -> None:
        """Open an address again, and forget the devices that were known: the password is new, or an operator says so."""
        tallies.clear(conn, self._realm, self._address(email).name)
        account_rows.copy_failures(conn, self._realm, user_id, 0, None)
        self._devices.forget(conn, user_id)

    def _address(self, email: str) -> Bucket:
        name = f"sign_in.address:{self._digests.of('address', self._realm, email)}"
        return Bucket(name, self._settings.lock_after_failures)

    def _device(self, email: str, client: Client) -> Bucket:
        return Bucket(f"sign_in.device:{self._devices.digest(email, client)}", self._settings.lock_after_failures)

    def _lock_if_full(self, conn: Connection, bucket: Bucket, now: datetime) -> bool:
        return tallies.lock_if_full(conn, self._realm, bucket.name, bucket.limit, now + self._span)

    def _locked(self, conn: Connection, bucket: Bucket, now: datetime) -> SignInLocked:
        tally = tallies.find(conn, self._realm, bucket.name)
        if tally is None or tally.locked_until is None:
            return SignInLocked(retry_after=IN_FLIGHT_SECONDS)
        return SignInLocked(retry_after=max(1.0, (tally.locked_until - now).total_seconds()))

    def _record(
        self, conn: Connection, kind: str, attempt: Attempt, user_id: int | None, now: datetime, failures: int
    ) -> None:
        client, details = attempt.client, {"failures": failures}
        event = AuditEvent(self._ids(), self._realm, kind, user_id, now, client.address[:64], client.device_id, details)
        audit.record(conn, event)
