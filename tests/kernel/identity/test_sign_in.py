"""Sign-in by password: who gets in, who is kept out and for how long, and that nobody learns which addresses have accounts."""

import asyncio
import statistics
import time
from typing import Any

import pytest

from hutong.kernel.identity import CodePurpose
from hutong.kernel.identity.errors import CredentialsWrong, SignInLocked, UserBlocked
from hutong.kernel.identity.notices import NOBODY, TELL
from hutong.kernel.identity.tables import UserStatus
from hutong.kernel.jobs import Job
from hutong.kit.errors import HutongError
from support.accounts import GOOD, OTHER, Desk, client, statements

HALF_AN_HOUR = 1_800
ELSEWHERE = client("198.51.100.9")
PHONE = client("203.0.113.7", "the owner's phone")


async def refusal(desk: Desk, email: str, password: str = "wrong, and long", **by: Any) -> HutongError:  # noqa: S107
    """How a sign-in is refused."""
    with pytest.raises(HutongError) as caught:
        await desk.sign_in(email, password, client(**by))
    return caught.value


def seen(error: HutongError) -> tuple[object, ...]:
    """All of an error that a client sees."""
    return type(error), error.code, error.status, error.message, error.details, error.retry_after


# Who gets in


async def test_the_right_password_signs_in_and_is_counted(desk: Desk) -> None:
    user_id = await desk.open()
    desk.clock.step(60)
    user = (await desk.sign_in()).user

    assert (user.id, user.email, user.login_count, user.last_login_at) == (
        user_id,
        "li@example.com",
        1,
        desk.clock.now(),
    )
    assert (user.failed_login_attempts, user.locked_until) == (0, None)
    assert await desk.events(user_id) == ["account.registered", "account.signed_in"]


@pytest.mark.parametrize("spelling", ["LI@Example.com", " li@example.com ", "li@EXAMPLE．com"])
async def test_spellings_of_an_address_are_one_account(desk: Desk, spelling: str) -> None:
    """N04: for register, sign-in, codes and the lock."""
    user_id = await desk.open(spelling.strip())
    code = await desk.code(spelling)
    failures = [await refusal(desk, text) for text in ("li@example.com", spelling, "Li@example.com", spelling)]

    assert (await desk.sign_in("li@example.com")).user.id == user_id
    assert (await desk.accounts.sign_in_with_code("li@example.com", code, client())).user.id == user_id
    assert {type(failure) for failure in failures} == {CredentialsWrong}


async def test_another_address_is_another_account(desk: Desk) -> None:
    """A tag belongs to the address, and a look-alike letter makes another domain."""
    ids = [await desk.open(email) for email in ("li@example.com", "li+shop@example.com")]
    await desk.accounts.send_code("li@exаmple.com", CodePurpose.LOGIN, client())

    assert len(set(ids)) == 2
    assert await desk.mails("li@xn--exmple-4nf.com") == ["account.code"]
    assert isinstance(await refusal(desk, "li@exаmple.com", GOOD), CredentialsWrong)


async def test_a_blocked_user_is_told_only_with_the_right_password(desk: Desk) -> None:
    user_id = await desk.open()
    await desk.accounts.block(user_id)

    assert isinstance(await refusal(desk, "li@example.com"), CredentialsWrong)
    assert isinstance(await refusal(desk, "li@example.com", GOOD), UserBlocked)
    await desk.accounts.unblock(user_id)
    assert (await desk.sign_in()).user.status is UserStatus.ACTIVE


# Nobody learns which addresses have accounts


async def test_unknown_known_and_passwordless_addresses_are_refused_alike(desk: Desk) -> None:
    """N01, N02: the same error, the same statements, a hash each; the times are printed."""
    await desk.open("li@example.com")
    await desk.accounts.sign_in_with_code("wu@example.com", await desk.code("wu@example.com"), client())
    refusals, heard = [], []
    for email in ("li@example.com", "wu@example.com", "nobody@example.com"):
        async with statements() as run:
            refusals += [seen(await refusal(desk, email)) for _ in range(6)]
        heard.append(run)

    assert refusals[:6] == refusals[6:12] == refusals[12:]
    assert [entry[0] for entry in refusals[:6]] == [CredentialsWrong] * 5 + [SignInLocked]
    assert heard[0] == heard[1] == heard[2]
    assert desk.passwords.verified == 15


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_times_of_known_and_unknown_addresses(open_desk: Any) -> None:
    """N01: medians of 30, printed."""
    desk: Desk = await open_desk(lock_after_failures=100, client_lock_after_failures=1_000)
    await desk.open("li@example.com")
    times: dict[str, list[float]] = {"li@example.com": [], "nobody@example.com": []}
    for _ in range(30):
        for email, spans in times.items():
            start = time.perf_counter()
            await refusal(desk, email)
            spans.append(time.perf_counter() - start)

    known, unknown = (statistics.median(spans) * 1000 for spans in times.values())
    print(f"wrong password: known {known:.1f} ms, unknown {unknown:.1f} ms")  # noqa: T201
    assert desk.passwords.verified == 60


# Who is kept out


@pytest.mark.parametrize("email", ["li@example.com", "nobody@example.com"])
async def test_five_failures_lock_for_half_an_hour(desk: Desk, email: str) -> None:
    """N05: the right password too, known address or not, from everywhere."""
    await desk.open("li@example.com")
    first = [await refusal(desk, email) for _ in range(5)]
    sixth = await refusal(desk, email, GOOD)
    desk.clock.step(HALF_AN_HOUR - 1)
    still = await refusal(desk, email, GOOD, address="198.51.100.9")

    assert {type(failure) for failure in first} == {CredentialsWrong}
    assert (type(sixth), sixth.status, sixth.retry_after) == (SignInLocked, 429, HALF_AN_HOUR)
    assert (type(still), still.retry_after) == (SignInLocked, 1)
    assert desk.passwords.verified == 5
    desk.clock.step(1)
    if email == "li@example.com":
        assert (await desk.sign_in(email)).user.locked_until is None
    else:
        assert isinstance(await refusal(desk, email), CredentialsWrong)


async def test_a_lock_is_seen_in_the_account_and_told_once(desk: Desk) -> None:
    user_id = await desk.open()
    for _ in range(7):
        await refusal(desk, "li@example.com")
    account = await desk.accounts.get(user_id)

    assert account.failed_login_attempts == 5
    assert account.is_locked(desk.clock.now())
    assert not account.is_locked(account.locked_until)  # type: ignore[arg-type]
    assert (await desk.events(user_id))[1:] == ["account.sign_in_failed", "account.locked"]


async def test_a_success_forgets_failures_and_so_does_time(desk: Desk) -> None:
    await desk.open()
    for _ in range(3):
        for _ in range(4):
            await refusal(desk, "li@example.com")
        assert (await desk.sign_in()).user.failed_login_attempts == 0
    for _ in range(4):
        await refusal(desk, "li@example.com")
    desk.clock.step(HALF_AN_HOUR)

    assert isinstance(await refusal(desk, "li@example.com"), CredentialsWrong)
    assert (await desk.sign_in()).user.login_count == 4


async def test_twenty_at_once_are_no_more_than_five_tries(desk: Desk) -> None:
    """N07, on every database, known address or not."""
    await desk.open()
    for email in ("li@example.com", "nobody@example.com"):
        before = desk.passwords.verified
        await asyncio.gather(*(refusal(desk, email, address=f"198.51.100.{number}") for number in range(20)))
        assert desk.passwords.verified - before <= 5
        assert isinstance(await refusal(desk, email, GOOD), SignInLocked)


async def test_many_right_passwords_at_once_all_sign_in_or_are_told_to_come_back(desk: Desk) -> None:
    """Tries on their way are no failures."""
    await desk.open()
    results = await asyncio.gather(*(desk.sign_in() for _ in range(12)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, HutongError)]

    assert len(refused) < 12
    assert all(isinstance(error, SignInLocked) and error.retry_after == 1 for error in refused)
    assert (await desk.sign_in()).user.login_count == 12 - len(refused) + 1


async def test_one_ip_address_cannot_try_many_addresses(open_desk: Any) -> None:
    desk: Desk = await open_desk(client_lock_after_failures=8)
    await desk.open()
    tries = [await refusal(desk, f"nobody{number}@example.com") for number in range(9)]

    assert [type(failure) for failure in tries] == [CredentialsWrong] * 8 + [SignInLocked]
    assert isinstance(await refusal(desk, "li@example.com", GOOD), SignInLocked)
    assert (await desk.sign_in(by=ELSEWHERE)).user.login_count == 1


async def test_own_sign_ins_do_not_give_an_ip_address_new_tries(open_desk: Any) -> None:
    """Whoever guesses at others cannot clear the count by signing in with an account of their own."""
    desk: Desk = await open_desk(client_lock_after_failures=8)
    await desk.open("mallory@example.com")
    kinds = []
    for number in range(9):
        kinds.append(type(await refusal(desk, f"victim{number}@example.com")))
        if kinds[-1] is CredentialsWrong and number < 7:
            await desk.sign_in("mallory@example.com")

    assert kinds == [CredentialsWrong] * 8 + [SignInLocked]


# The owner gets in all the same


async def test_a_lock_by_strangers_does_not_keep_the_owner_out(desk: Desk) -> None:
    """N06: neither on a device where they signed in before, nor with a code by mail; on others it does."""
    await desk.open()
    await desk.sign_in(by=PHONE)
    for _ in range(6):
        await refusal(desk, "li@example.com", address="198.51.100.9")

    assert (await desk.sign_in(by=PHONE)).user.login_count == 2
    by_code = await desk.accounts.sign_in_with_code("li@example.com", await desk.code("li@example.com"), client())
    assert by_code.user.login_count == 3
    assert isinstance(await refusal(desk, "li@example.com", GOOD), SignInLocked)
    assert isinstance(await refusal(desk, "li@example.com", GOOD, device_id="the thief's phone"), SignInLocked)


async def test_a_known_device_has_five_tries_too(desk: Desk) -> None:
    await desk.open()
    await desk.sign_in(by=PHONE)
    tries = [await refusal(desk, "li@example.com", device_id=PHONE.device_id) for _ in range(6)]

    assert [type(failure) for failure in tries] == [CredentialsWrong] * 5 + [SignInLocked]
    assert (await desk.sign_in(by=ELSEWHERE)).user.login_count == 2


async def test_a_device_is_known_beside_one_address_only(desk: Desk) -> None:
    for email in ("li@example.com", "wu@example.com"):
        await desk.open(email)
    await desk.sign_in("wu@example.com", by=PHONE)
    for _ in range(5):
        await refusal(desk, "li@example.com", address="198.51.100.9")

    assert isinstance(await refusal(desk, "li@example.com", GOOD, device_id=PHONE.device_id), SignInLocked)


async def test_a_new_password_lifts_the_lock(desk: Desk) -> None:
    user_id = await desk.open()
    for _ in range(5):
        await refusal(desk, "li@example.com")
    code = await desk.code("li@example.com", CodePurpose.RESET)
    await desk.accounts.reset_password("li@example.com", code, OTHER, client())

    assert (await desk.sign_in(password=OTHER)).user.locked_until is None
    assert "password.reset" in await desk.events(user_id)


# Telling the owner


async def test_the_owner_is_told_of_locks_by_a_job_that_there_is_for_every_address(desk: Desk) -> None:
    """Three times a day at most; for an address without an account the same job is written, and does nothing."""
    user_id = await desk.open()
    await desk.accounts.set_language(user_id, "zh-CN")
    for email in ("li@example.com", "nobody@example.com"):
        for _ in range(5):
            for _ in range(5):
                await refusal(desk, email)
            desk.clock.step(HALF_AN_HOUR)
    jobs = await desk.jobs(TELL)
    (task,) = desk.notices.tasks()
    for number, args in enumerate(jobs):
        await task.handler(Job(number, TELL, args, 1, 1, desk.clock.now()))

    assert [args["user_id"] for args in jobs] == [user_id] * 5 + [NOBODY] * 5
    assert (await desk.mails("li@example.com"))[1:] == ["account.locked"] * 3
    assert (await desk.letters("li@example.com"))[-1].language == "zh-CN"
    assert await desk.mails("nobody@example.com") == []
