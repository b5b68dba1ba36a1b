"""Hashing passwords, in threads of its own: the event loop never waits for a hash, and neither does a file or a name look-up.

argon2id with 19 MiB, 2 passes, 1 lane (OWASP's minimum): 19 ms of CPU here, so one core makes 50 a second. What waits is
bounded; beyond that callers are told to come back. Memory is threads × 19 MiB, however many ask.
Source: OWASP Password Storage Cheat Sheet; reference measurements in docs/kernel/identity.md.
"""

import asyncio
import functools
import math
import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import bcrypt
from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from hutong.kernel.identity.errors import HashUnknown, PasswordsBusy
from hutong.kernel.observability import metrics

T = TypeVar("T")
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
DUMMY = "$argon2id$v=19$m=19456,t=2,p=1$rVL2nVzTHGMDWbSpJ2s3cw$B8cIwS0uJ7F4X5uVg8qVnJPR5mJFHZ0aY2mUX1xT6mE"
"""What is verified when there is no account or no password: a hash of the same cost that nothing is known to match."""
BCRYPT = ("$2a$", "$2b$", "$2y$")
_BCRYPT_HASH = re.compile(r"\$2[aby]\$(0[4-9]|1[0-5])\$[./A-Za-z0-9]{53}")
LONGEST_BCRYPT = 72
SECONDS_EACH = 0.03


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a verification.

    Args:
        right: the password is the one that was hashed.
        outdated: the hash is of another kind or cost than new ones are, and should be replaced.
    """

    right: bool
    outdated: bool


class Passwords:
    """The hashing threads of one process, shared by all realms.

    Args:
        threads: how many; 0 leaves one core to the event loop.
        queue: how many hashes may wait for a thread.
    """

    def __init__(self, threads: int = 0, queue: int = 64) -> None:
        self._threads = threads or max(1, (os.cpu_count() or 1) - 1)
        self._places = threading.BoundedSemaphore(self._threads + queue)
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="passwords")
        self._retry_after = math.ceil(queue * SECONDS_EACH / self._threads) or 1

    async def hash(self, password: str) -> str:
        """A PHC string for a new password, about 100 characters.

        Raises:
            PasswordsBusy: too many wait already.
        """
        return await self._run(functools.partial(HASHER.hash, password))

    async def verify(self, password: str, stored: str | None) -> Verdict:
        """Compare with a stored hash; without one the same work is done for nothing.

        Raises:
            PasswordsBusy: too many wait already.
        """
        return await self._run(functools.partial(_verify, password, stored))

    def close(self) -> None:
        """Let the threads end; whoever waits is cancelled."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            metrics.passwords_refused.inc()
            raise PasswordsBusy(retry_after=self._retry_after)
        future = self._pool.submit(work)
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def _leave(self, future: Future[T]) -> None:
        """A place is free when the thread is done, not when the caller has gone."""
        self._places.release()


def check_imported(stored: str) -> None:
    """Refuse a hash from elsewhere that no password could ever match.

    Raises:
        HashUnknown: it is neither argon2id nor bcrypt, or not whole.
    """
    if _BCRYPT_HASH.fullmatch(stored) is not None:
        return
    try:
        kind = extract_parameters(stored).type
    except InvalidHashError as error:
        raise HashUnknown from error
    if kind is not Type.ID:
        raise HashUnknown


def _verify(password: str, stored: str | None) -> Verdict:
    if stored is not None and stored.startswith(BCRYPT):
        return _verify_bcrypt(password, stored)
    try:
        HASHER.verify(stored or DUMMY, password)
    except (VerificationError, InvalidHashError):
        return Verdict(right=False, outdated=False)
    if stored is None:
        return Verdict(right=False, outdated=False)
    return Verdict(right=True, outdated=HASHER.check_needs_rehash(stored))


def _verify_bcrypt(password: str, stored: str) -> Verdict:
    """A hash from elsewhere. bcrypt looks at 72 bytes only: a longer password is never right, whatever it begins with."""
    typed = password.encode()
    try:
        same = bcrypt.checkpw(typed[:LONGEST_BCRYPT], stored.encode())
    except ValueError:
        same = False
    return Verdict(right=same and len(typed) <= LONGEST_BCRYPT, outdated=True)
