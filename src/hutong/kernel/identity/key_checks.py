"""Who calls with an API key. A key that was good a moment ago is good without asking SQL, for a few seconds."""

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from hutong.kernel.db import Database, DatabaseUnavailable
from hutong.kernel.http.failures import FailureLimit
from hutong.kernel.identity.api_keys import MARK, USED_EVERY, ApiKey, ApiKeys, checked
from hutong.kernel.identity.errors import ApiKeyExpired, ApiKeyInvalid, ApiKeyMalformed
from hutong.kit.clock import Clock
from hutong.kit.tasks import Shared

COPY_SECONDS = 5.0
"""How long a copy in memory is believed: within this time a revoked key is refused by every process."""
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Copy:
    """A key as SQL had it.

    Args:
        until: monotonic time to which it is believed, counted from before SQL was asked.
        noted: monotonic time of the last try to note its use, if there was one.
    """

    key: ApiKey
    until: float
    noted: float | None


class ApiKeyChecks:
    """Admits the API keys of one realm. Whether their user is active, and what they may use, is for others to say.

    Args:
        keys: of the realm.
        db: the truth.
        failures: refuses an address from which too many keys were refused, before SQL is asked about an unknown one.
        clock: measures the age of copies and what has expired.
    """

    def __init__(self, keys: ApiKeys, db: Database, failures: FailureLimit, clock: Clock) -> None:
        self._keys, self._db, self._failures, self._clock = keys, db, failures, clock
        self._copies: OrderedDict[str, _Copy] = OrderedDict()
        self._asking: Shared[str, tuple[ApiKey | None, float]] = Shared()

    @staticmethod
    def looks_like_key(token: str) -> bool:
        """Whether a bearer token is meant to be an API key, so that a mistyped one is called that."""
        return token.startswith(MARK)

    async def verify(self, secret: str, address: str) -> ApiKey:
        """The key that `secret` is.

        Args:
            secret: as it was sent.
            address: of the client, whose refused keys are counted.

        Raises:
            ApiKeyMalformed, ApiKeyExpired, ApiKeyInvalid.
            LimitExceeded: too many keys were refused from this address.
            DatabaseUnavailable: SQL has to be asked and is away.
        """
        try:
            digest = checked(secret)
        except ApiKeyMalformed:
            await self._refuse(address)
            raise
        copy = self._copies.get(digest)
        if copy is None or copy.until <= self._clock.monotonic():
            copy = await self._ask(digest, address, known=copy)
        if copy.key.expires_at is not None and copy.key.expires_at <= self._clock.now():
            await self._refuse(address)
            raise ApiKeyExpired
        await self._note_use(digest, copy)
        return copy.key

    def forget(self, key_id: int) -> None:
        """Drop this process's copy of a key that was revoked just now."""
        for digest in [digest for digest, copy in self._copies.items() if copy.key.id == key_id]:
            del self._copies[digest]

    async def _ask(self, digest: str, address: str, known: _Copy | None) -> _Copy:
        """Ask SQL. A key that was good before is asked about even from an address that is closed to unknown ones."""
        if known is None:
            await self._failures.check(address)
        key, asked_at = await self._asking.do(digest, partial(self._find, digest))
        if key is None:
            self._copies.pop(digest, None)
            await self._refuse(address)
            raise ApiKeyInvalid
        copy = _Copy(key, asked_at + COPY_SECONDS, known.noted if known else None)
        self._keep(digest, copy)
        return copy

    async def _find(self, digest: str) -> tuple[ApiKey | None, float]:
        asked_at = self._clock.monotonic()
        return await self._db.read(self._keys.find, digest), asked_at

    async def _note_use(self, digest: str, copy: _Copy) -> None:
        """Write the moment of use, at most once a minute of all processes; a hint that may fail."""
        now, last, tried = self._clock.now(), copy.key.last_used_at, copy.noted
        if last is not None and now - last < USED_EVERY:
            return
        if tried is not None and self._clock.monotonic() - tried < USED_EVERY.total_seconds():
            return
        self._keep(digest, replace(copy, noted=self._clock.monotonic()))  # first, so that nobody writes it meanwhile
        with suppress(DatabaseUnavailable):
            await self._db.write(self._keys.touch, copy.key.id, now)

    async def _refuse(self, address: str) -> None:
        """Raises `LimitExceeded` if this address was refused too often; counts one more otherwise."""
        await self._failures.check(address)
        await self._failures.count(address)

    def _keep(self, digest: str, copy: _Copy) -> None:
        self._copies[digest] = copy
        self._copies.move_to_end(digest)
        if len(self._copies) > REMEMBERED:
            self._copies.popitem(last=False)
