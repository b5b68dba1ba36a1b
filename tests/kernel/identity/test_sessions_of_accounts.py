"""What happens to accounts ends sessions: a changed password, a reset, a block; and what does not happen to them."""

import asyncio
from itertools import pairwise

import pytest

from hutong.kernel.http.limits import Limit
from hutong.kernel.identity import CodePurpose, SignedIn
from hutong.kernel.identity.errors import (
    CredentialsWrong,
    PasswordCommon,
    PasswordWrong,
    SignInLocked,
    TokenRevoked,
    UserBlocked,
)
from hutong.kit.errors import HutongError
from support.accounts import GOOD, OTHER, CountedPasswords, Desk, HeldSessions, client
from support.stand import until

LI = "li@example.com"
AMPLE = Limit("test.user", 1_000)


async def alive(desk: Desk, *signed_in: SignedIn) -> list[bool]:
    """Whether the access token and the refresh token of each are still good."""
    found = []
    for one in signed_in:
        try:
            await desk.sessions.admit(one.tokens.access_token, desk.kernel.limiter, AMPLE)
            await desk.sessions.refresh(one.tokens.refresh_token, client())
        except TokenRevoked:
            found.append(False)
        else:
            found.append(True)
    return found


async def change(desk: Desk, by: SignedIn, current: str, new: str) -> type[HutongError] | None:
    """Change the password; how it was refused."""
    try:
        await desk.accounts.change_password(by.user.id, by.tokens.session_id, current, new, client())
    except HutongError as error:
        return type(error)
    return None


async def test_a_changed_password_ends_the_other_sessions(desk: Desk) -> None:
    """T19."""
    await desk.open()
    here, there, elsewhere = [await desk.sign_in() for _ in range(3)]
    changed = await change(desk, here, GOOD, OTHER)

    assert changed is None
    assert await alive(desk, here, there, elsewhere) == [True, False, False]
    assert (await desk.events(here.user.id))[-1] == "password.changed"
    assert (await desk.mails(LI))[-1] == "password.changed"
    with pytest.raises(CredentialsWrong):
        await desk.sign_in(password=GOOD)
    assert (await desk.sign_in(password=OTHER)).user.id == here.user.id


async def test_the_current_password_can_be_guessed_five_times(desk: Desk) -> None:
    """By whoever has a stolen token; the session lives, and sign-in is not locked by it."""
    await desk.open()
    here = await desk.sign_in()
    refusals = [await change(desk, here, "wrong, and long", OTHER) for _ in range(5)]
    sixth = await change(desk, here, GOOD, OTHER)

    assert (set(refusals), sixth) == ({PasswordWrong}, SignInLocked)
    assert await change(desk, here, GOOD, "password1") is PasswordCommon
    assert (await desk.events(here.user.id))[-2:] == ["password.change_failed", "password.change_locked"]
    assert await alive(desk, here) == [True]
    assert (await desk.sign_in()).user.locked_until is None


async def test_a_change_forgets_failures_to_tell_the_current_password(desk: Desk) -> None:
    await desk.open()
    here, passwords = await desk.sign_in(), [GOOD, OTHER, GOOD, OTHER]
    for current, new in pairwise(passwords):
        assert [await change(desk, here, "wrong, and long", new) for _ in range(4)] == [PasswordWrong] * 4
        assert await change(desk, here, current, new) is None


async def test_an_account_without_a_password_cannot_change_it(desk: Desk) -> None:
    here = await desk.accounts.sign_in_with_code(LI, await desk.code(LI), client())

    assert await change(desk, here, "", OTHER) is PasswordWrong


async def test_of_two_changes_at_once_one_is_made(desk: Desk) -> None:
    await desk.open()
    here = await desk.sign_in()
    outcomes = await asyncio.gather(*(change(desk, here, GOOD, f"{OTHER} {number}") for number in range(4)))

    assert sorted(map(str, outcomes)) == sorted(map(str, [None, *[PasswordWrong] * 3]))


async def test_a_reset_ends_every_session(desk: Desk) -> None:
    await desk.open()
    sessions = [await desk.sign_in() for _ in range(2)]
    await desk.accounts.reset_password(LI, await desk.code(LI, CodePurpose.RESET), OTHER, client())

    assert await alive(desk, *sessions) == [False, False]


async def test_a_blocked_user_is_out_at_once(desk: Desk) -> None:
    """T17: tokens too, and they do not come back to life."""
    await desk.open()
    here = await desk.sign_in()
    await desk.accounts.block(here.user.id)
    during = await alive(desk, here)
    with pytest.raises(UserBlocked):
        await desk.sign_in()
    await desk.accounts.unblock(here.user.id)

    assert (during, await alive(desk, here)) == ([False], [False])
    assert (await desk.events(here.user.id))[-2:] == ["account.blocked", "account.unblocked"]
    assert await alive(desk, await desk.sign_in()) == [True]


async def test_a_lock_ends_no_session_and_a_refresh_opens_none(desk: Desk) -> None:
    """R07: whoever is signed in stays so, and the count goes on."""
    await desk.open()
    here = await desk.sign_in()
    for _ in range(5):
        with pytest.raises(CredentialsWrong):
            await desk.sign_in(password="wrong, and long")
    lives = await alive(desk, here)
    with pytest.raises(SignInLocked):
        await desk.sign_in()

    assert lives == [True]
    assert (await desk.accounts.get(here.user.id)).failed_login_attempts == 5


@pytest.mark.parametrize("held", ["passwords", "sessions"])
async def test_a_sign_in_with_a_password_that_is_changed_meanwhile_leaves_no_session(desk: Desk, held: str) -> None:
    """Whether it stands still between verifying and counting, or between counting and opening a session."""
    await desk.open()
    here, release = await desk.sign_in(), asyncio.Event()
    part: CountedPasswords | HeldSessions = desk.passwords if held == "passwords" else desk.sessions
    part.hold = release
    late = asyncio.create_task(desk.sign_in(by=client(device_id="slow")))
    await until(lambda: _taken(part))
    changed = await change(desk, here, GOOD, OTHER)
    release.set()

    assert changed is None
    with pytest.raises(CredentialsWrong):
        await late
    assert (await desk.accounts.get(here.user.id)).login_count == (1 if held == "passwords" else 2)
    assert [session.id for session in await desk.sessions.list(here.user.id)] == [here.tokens.session_id]


async def _taken(part: CountedPasswords | HeldSessions) -> bool:
    return part.hold is None
