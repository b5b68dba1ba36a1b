"""Hashing: which hashes are accepted and replaced, how many wait, and what else runs meanwhile."""

import asyncio
import time

import bcrypt
import pytest
from argon2 import PasswordHasher

from hutong.kernel.identity import password_rules
from hutong.kernel.identity.errors import CredentialsWrong, PasswordsBusy
from hutong.kernel.identity.passwords import DUMMY, HASHER, Passwords, Verdict
from support.accounts import GOOD, Desk
from support.stand import until

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def bcrypted(password: bytes, prefix: str = "$2b$") -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(4)).decode().replace("$2b$", prefix)


def test_the_dummy_costs_what_a_hash_costs() -> None:
    assert not HASHER.check_needs_rehash(DUMMY)
    assert (HASHER.memory_cost, HASHER.time_cost, HASHER.parallelism) == (19_456, 2, 1)


async def test_a_hash_is_a_phc_string_that_fits() -> None:
    passwords = Passwords(1)
    hashed = await passwords.hash(GOOD)
    passwords.close()

    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert len(hashed) <= 255


async def test_verdicts() -> None:
    """argon2id of any cost and bcrypt of any spelling are verified; no hash, or none at all, is never right."""
    passwords = Passwords(1)
    cheap, long = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(GOOD), "y" * 73
    found = [
        await passwords.verify(password, stored)
        for password, stored in (
            (GOOD, await passwords.hash(GOOD)),
            (GOOD, cheap),
            ("wrong", cheap),
            *((GOOD, bcrypted(GOOD.encode(), prefix)) for prefix in ("$2a$", "$2b$", "$2y$")),
            ("wrong", bcrypted(GOOD.encode())),
            (long, bcrypted(long[:72].encode())),
            (GOOD, "$2b$nonsense"),
            (GOOD, "!"),
            (GOOD, ""),
            (GOOD, None),
        )
    ]
    passwords.close()

    assert found[:2] == [Verdict(right=True, outdated=False), Verdict(right=True, outdated=True)]
    assert found[3:6] == [Verdict(right=True, outdated=True)] * 3
    assert [verdict.right for verdict in (found[2], *found[6:])] == [False] * 7


@SQLITE
@pytest.mark.parametrize(
    "hashed",
    [bcrypted(GOOD.encode()), PasswordHasher(time_cost=1, memory_cost=8_192).hash(GOOD)],
    ids=["bcrypt", "argon2"],
)
async def test_an_old_hash_is_replaced_at_the_first_sign_in(desk: Desk, hashed: str) -> None:
    account = await desk.accounts.create("li@example.com", hashed=hashed)
    with pytest.raises(CredentialsWrong):
        await desk.sign_in(password="wrong, and long")
    before = (await desk.row("SELECT password_hash FROM users"))[0]
    at_once = await asyncio.gather(*(desk.sign_in() for _ in range(3)))
    after = (await desk.row("SELECT password_hash FROM users"))[0]

    assert (before, {signed_in.user.id for signed_in in at_once}) == (hashed, {account.id})
    assert not HASHER.check_needs_rehash(after)
    assert (await desk.sign_in()).user.login_count == 4


async def test_what_waits_is_bounded() -> None:
    """One thread and a queue of three: of ten at once, six are told when to come back; afterwards all places are free."""
    passwords = Passwords(1, 3)
    outcomes = await asyncio.gather(*(passwords.hash(f"{GOOD} {n}") for n in range(10)), return_exceptions=True)
    refusals = [outcome for outcome in outcomes if isinstance(outcome, PasswordsBusy)]
    again = await asyncio.gather(*(passwords.hash(GOOD) for _ in range(4)))
    passwords.close()

    assert len(refusals) == 6
    assert {(refusal.status, refusal.retry_after) for refusal in refusals} == {(503, 1)}
    assert len(set(again)) == 4


async def test_callers_who_leave_free_no_place_before_the_thread_does() -> None:
    """A caller who goes away while waiting gives the place back once, and the work is not done."""
    passwords = Passwords(1, 1)
    for _ in range(3):
        calls = [asyncio.ensure_future(passwords.hash(GOOD)) for _ in range(2)]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await _until_free(passwords)
    passwords.close()


async def _until_free(passwords: Passwords) -> None:
    """Both places can be had at once."""

    async def both() -> bool:
        return await asyncio.gather(*(_outcome(passwords) for _ in range(2))) == [None, None]

    await until(both, 30)


async def _outcome(passwords: Passwords) -> type[PasswordsBusy] | None:
    try:
        await passwords.hash(GOOD)
    except PasswordsBusy:
        return PasswordsBusy
    return None


@SQLITE
async def test_a_try_that_was_not_made_is_not_counted(open_desk: object) -> None:
    """Twenty right passwords at once with room for two: whoever was sent away used up no try."""
    desk: Desk = await open_desk(hash_threads=1, hash_queue=1, lock_after_failures=30)  # type: ignore[operator]
    await desk.open()
    outcomes = await asyncio.gather(*(desk.sign_in() for _ in range(20)), return_exceptions=True)
    busy = [outcome for outcome in outcomes if isinstance(outcome, PasswordsBusy)]
    row = await desk.row("SELECT SUM(count) FROM tallies WHERE bucket LIKE 'sign_in.%'")

    assert busy
    assert all(isinstance(outcome, PasswordsBusy) or outcome.user for outcome in outcomes)  # type: ignore[union-attr]
    assert row[0] == 0


async def test_the_loop_goes_on_while_hashes_are_made() -> None:
    """The longest pause of the event loop is printed; more than half a second would be inline hashing."""
    passwords = Passwords()
    hashes = asyncio.gather(*(passwords.hash(f"{GOOD} {number}") for number in range(8)))
    longest, last = 0.0, time.perf_counter()
    while not hashes.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    await hashes
    passwords.close()

    print(f"longest pause of the loop during 8 hashes: {longest * 1000:.1f} ms")  # noqa: T201


# The list of common passwords


def test_the_list_is_folded_sorted_and_holds_what_is_tried_first() -> None:
    path = password_rules.__file__.replace("password_rules.py", "common_passwords.txt")
    with open(path, encoding="ascii") as file:  # noqa: PTH123
        words = file.read().split("\n")[:-1]

    assert len(words) > 20_000
    assert words == sorted({word.casefold() for word in words})
    assert min(map(len, words)) == password_rules.SHORTEST
    assert all(password_rules.is_common(word) for word in (words[0], words[-1], "iloveyou", "qq123456", "p@ssw0rd"))
    assert not any(password_rules.is_common(word) for word in ("assword1234", "", "\n", "password1\npassword2", GOOD))


def test_looking_up_costs_little_beside_a_hash() -> None:
    """Printed."""
    password_rules.is_common(GOOD)
    start = time.perf_counter()
    for number in range(100):
        password_rules.is_common(f"{GOOD}{number}")
    print(f"look-up in the list: {(time.perf_counter() - start) * 10_000:.0f} µs")  # noqa: T201
