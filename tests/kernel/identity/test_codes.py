"""Codes by mail: good once, for one purpose and address, for ten minutes and five tries; and how many are sent at all."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from hutong.kernel.identity import CodePurpose
from hutong.kernel.identity.errors import (
    CodeExhausted,
    CodeExpired,
    CodeInvalid,
    CodesUsedUp,
    CodeTooSoon,
    EmailInvalid,
    SignInLocked,
    UserBlocked,
)
from hutong.kernel.identity.tries import forget_tries
from hutong.kernel.mail import PURPOSES
from hutong.kernel.settings import AuthSettings
from hutong.kit.errors import HutongError
from support.accounts import OTHER, Desk, client, statements

LI = "li@example.com"
DAY = 86_400
STRANGER = client("198.51.100.9")


def wrong(code: str) -> str:
    """Another code."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def refused(desk: Desk, code: str, email: str = LI, by: Any = None) -> type[HutongError]:
    """How a sign-in by code is refused."""
    with pytest.raises(HutongError) as caught:
        await desk.accounts.sign_in_with_code(email, code, by or client())
    return type(caught.value)


async def sent(desk: Desk, email: str, by: Any = None) -> HutongError | None:
    """Ask for a code a minute later; how it was refused."""
    desk.clock.step(61)
    try:
        await desk.accounts.send_code(email, CodePurpose.LOGIN, by or client())
    except HutongError as error:
        return error
    return None


def kinds(errors: Sequence[HutongError | None]) -> list[type[HutongError] | None]:
    return [type(error) if error else None for error in errors]


def test_purposes_are_the_ones_that_mails_know() -> None:
    assert tuple(PURPOSES) == tuple(purpose.value for purpose in CodePurpose)


# What a code does


async def test_a_code_signs_in_and_opens_an_account_the_first_time(desk: Desk) -> None:
    first = (await desk.accounts.sign_in_with_code(LI, await desk.code(LI), client())).user
    desk.clock.step(61)
    second = (await desk.accounts.sign_in_with_code("LI@example.com", await desk.code(LI), client())).user

    assert (first.id, first.login_count, second.login_count) == (second.id, 1, 2)
    assert first.email_confirmed_at == second.email_confirmed_at is not None
    assert desk.welcomed == [first.id]
    assert await desk.events(first.id) == ["account.registered", "account.signed_in", "code.sent", "account.signed_in"]


async def test_a_code_is_good_once_even_twenty_times_at_once(desk: Desk) -> None:
    """N12, on every database."""
    code = await desk.code(LI)
    tries = (desk.accounts.sign_in_with_code(LI, code, client()) for _ in range(20))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes].count(CodeInvalid) == 19
    assert len(desk.welcomed) == 1
    assert await refused(desk, code) is CodeInvalid


async def test_five_wrong_codes_void_it_and_a_new_one_has_its_own_tries(desk: Desk) -> None:
    """N11."""
    code = await desk.code(LI)
    tries = [await refused(desk, wrong(code)) for _ in range(5)]
    after = await refused(desk, code)
    desk.clock.step(61)
    code = await desk.code(LI)
    again = [await refused(desk, wrong(code)) for _ in range(4)]

    assert (set(tries), after, set(again)) == ({CodeInvalid}, CodeExhausted, {CodeInvalid})
    assert (await desk.accounts.sign_in_with_code(LI, code, client())).user.login_count == 1


async def test_twenty_wrong_codes_at_once_are_five_tries(desk: Desk) -> None:
    code = await desk.code(LI)
    await asyncio.gather(*(refused(desk, wrong(code)) for _ in range(20)))

    assert (await desk.row("SELECT own_tries, other_tries FROM email_codes"))[:] == (5, 0)
    assert await refused(desk, code) is CodeExhausted


async def test_strangers_do_not_use_up_the_owners_tries(desk: Desk) -> None:
    """N06: they have five of their own together, and are not told how many are left."""
    code = await desk.code(LI, by=client("203.0.113.7", "phone"))
    tries = [await refused(desk, wrong(code), by=client(f"198.51.100.{number}")) for number in range(12)]
    right = await refused(desk, code, by=STRANGER)

    assert (set(tries), right) == ({CodeInvalid}, CodeInvalid)
    moved = client("192.0.2.1", "phone")
    assert (await desk.accounts.sign_in_with_code(LI, code, moved)).user.login_count == 1


async def test_a_code_typed_in_elsewhere_is_good(desk: Desk) -> None:
    """Asked for on one machine, typed in on another."""
    code = await desk.code(LI)

    assert (await desk.accounts.sign_in_with_code(LI, code, STRANGER)).user.email == LI


async def test_a_code_is_bound_to_its_address_and_purpose(desk: Desk) -> None:
    """N13."""
    await desk.open(LI)
    login, reset = await desk.code(LI), await desk.code(LI, CodePurpose.RESET)

    assert await refused(desk, login, "wu@example.com") is CodeInvalid
    if login != reset:
        assert await refused(desk, reset) is CodeInvalid
        with pytest.raises(CodeInvalid):
            await desk.accounts.reset_password(LI, login, OTHER, client())
    await desk.accounts.reset_password(LI, reset, OTHER, client())


async def test_a_code_is_good_for_ten_minutes(desk: Desk) -> None:
    """N14: to whoever asked for it, it is too old then; to a stranger it is wrong."""
    code = await desk.code(LI)
    desk.clock.step(600)

    assert (await refused(desk, code), await refused(desk, code, by=STRANGER)) == (CodeExpired, CodeInvalid)
    code = await desk.code(LI)
    desk.clock.step(599)
    assert (await desk.accounts.sign_in_with_code(LI, code, client())).user.login_count == 1


async def test_a_new_code_replaces_the_old(desk: Desk) -> None:
    """N14."""
    old = await desk.code(LI)
    desk.clock.step(60)
    new = await desk.code(LI)

    if old != new:
        assert await refused(desk, old) is CodeInvalid
    assert (await desk.accounts.sign_in_with_code(LI, new, client())).user.login_count == 1


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "１２３４５６", "-12345", " 12345"])
async def test_what_is_no_code_is_no_try(desk: Desk, code: str) -> None:
    await desk.accounts.send_code(LI, CodePurpose.LOGIN, client())

    assert await refused(desk, code) is CodeInvalid
    assert (await desk.row("SELECT own_tries FROM email_codes"))[0] == 0


async def test_a_blocked_user_does_not_get_in_by_code(desk: Desk) -> None:
    user_id = await desk.open(LI)
    await desk.accounts.block(user_id)

    assert await refused(desk, await desk.code(LI)) is UserBlocked


async def test_wrong_codes_lock_the_ip_address_that_types_them(open_desk: Any) -> None:
    desk: Desk = await open_desk(client_lock_after_failures=7)
    codes = {email: await desk.code(email, by=STRANGER) for email in (LI, "wu@example.com")}
    tries = [await refused(desk, wrong(code), email, STRANGER) for email, code in codes.items() for _ in range(4)]

    assert tries == [CodeInvalid] * 7 + [SignInLocked]
    assert await refused(desk, codes[LI], by=STRANGER) is SignInLocked
    assert (await desk.accounts.sign_in_with_code(LI, codes[LI], client())).user.email == LI


# A reset


async def test_a_reset_changes_the_password_and_tells(desk: Desk) -> None:
    user_id = await desk.open(LI)
    await desk.accounts.reset_password(LI, await desk.code(LI, CodePurpose.RESET), OTHER, client())

    assert (await desk.sign_in(password=OTHER)).user.id == user_id
    assert await desk.mails(LI) == ["account.welcome", "account.code", "password.changed"]


async def test_a_reset_gives_an_account_without_a_password_one(desk: Desk) -> None:
    user = (await desk.accounts.sign_in_with_code(LI, await desk.code(LI), client())).user
    await desk.accounts.reset_password(LI, await desk.code(LI, CodePurpose.RESET), OTHER, client())

    assert (await desk.sign_in(password=OTHER)).user.id == user.id


async def test_a_reset_of_an_unknown_address_takes_the_same_path(desk: Desk) -> None:
    """N16: the mail alone tells; no code makes an account."""
    await desk.accounts.send_code(LI, CodePurpose.RESET, client())
    with pytest.raises(CodeInvalid):
        await desk.accounts.reset_password(LI, "123456", OTHER, client())

    assert await desk.mails(LI) == ["account.unknown"]
    assert desk.welcomed == []


@pytest.mark.parametrize("purpose", CodePurpose)
async def test_sending_to_known_and_unknown_addresses_is_the_same_work(desk: Desk, purpose: CodePurpose) -> None:
    """N16: the same answer (none) and the same statements."""
    await desk.open(LI)
    await desk.accounts.send_code(
        "first@example.com", purpose, client()
    )  # begins the counters that all addresses share
    heard = []
    for email in (LI, "nobody@example.com"):
        async with statements() as run:
            await desk.accounts.send_code(email, purpose, client())
        heard.append(run)

    assert heard[0] == heard[1]


# How many are sent


async def test_of_many_calls_at_once_one_sends(desk: Desk) -> None:
    """N15: one a minute for each purpose, on every database."""
    calls = (desk.accounts.send_code(LI, CodePurpose.LOGIN, client()) for _ in range(20))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refusals = [outcome for outcome in outcomes if isinstance(outcome, CodeTooSoon)]

    assert len(refusals) == 19
    assert {refusal.retry_after for refusal in refusals} == {60}
    assert await desk.mails(LI) == ["account.code"]
    await desk.accounts.send_code(LI, CodePurpose.RESET, client())
    desk.clock.step(59)
    with pytest.raises(CodeTooSoon):
        await desk.accounts.send_code(LI, CodePurpose.LOGIN, client())


async def test_an_address_gets_ten_codes_a_day_and_one_ip_address_causes_half(desk: Desk) -> None:
    """N15: however many ask for them; another day is another ten."""
    from_one = [await sent(desk, LI) for _ in range(6)]
    from_many = [await sent(desk, LI, client(f"198.51.100.{number}")) for number in range(6)]
    last = from_many[-1]

    assert kinds(from_one) == [None] * 5 + [CodesUsedUp]
    assert kinds(from_many) == [None] * 5 + [CodesUsedUp]
    assert last is not None
    assert last.status == 429
    assert last.retry_after is not None
    desk.clock.step(last.retry_after)
    assert await sent(desk, LI) is None


async def test_a_known_device_has_codes_of_its_own(desk: Desk) -> None:
    """N06: strangers who ask for codes do not keep the owner from getting one."""
    phone = client("203.0.113.7", "phone")
    await desk.open(LI)
    await desk.sign_in(by=phone)
    for number in range(12):
        await sent(desk, LI, client(f"198.51.100.{number}"))

    assert kinds([await sent(desk, LI), await sent(desk, LI, phone)]) == [CodesUsedUp, None]


async def test_an_ip_address_and_a_realm_cause_so_many_codes_a_day(open_desk: Any) -> None:
    """N15: counts stay when the mails are never delivered; what was refused is not counted elsewhere."""
    desk: Desk = await open_desk(codes_per_ip_day=4, codes_per_day=6)
    one = [await sent(desk, f"li{number}@example.com") for number in range(5)]
    others = [await sent(desk, f"wu{number}@example.com", STRANGER) for number in range(3)]
    counted = await desk.db.read(
        lambda conn: conn.execute(
            text("SELECT count FROM tallies WHERE bucket LIKE 'codes.ip:%' OR bucket = 'codes.all'")
        ).all()
    )

    assert kinds(one) == [None] * 4 + [CodesUsedUp]
    assert kinds(others) == [None] * 2 + [CodesUsedUp]
    assert sorted(row[0] for row in counted) == [2, 4, 6]


def test_guessing_all_day_is_hopeless() -> None:
    """N18: codes a day × tries of the owner and of strangers, over a million codes."""
    usual = AuthSettings()

    assert usual.codes_per_address_day * 2 * usual.code_tries / 1_000_000 <= 1e-4


# What is kept


async def test_a_code_stands_nowhere_in_clear(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    """N17: not in SQL (mails to be sent included), the store, or what was logged; nor is its plain digest."""
    await desk.open(LI)
    codes = [await desk.code(LI, purpose) for purpose in CodePurpose]
    for code in codes:
        await refused(desk, wrong(code))
    held, (out, err) = await desk.dump(), capfd.readouterr()

    for code in codes:
        assert f"'{code}'" not in held
        assert f'"{code}"' not in held
        assert code not in out + err


async def test_what_is_over_is_forgotten(desk: Desk) -> None:
    """Counters and codes a day after their end, devices after ninety days."""
    await desk.open(LI)
    await desk.sign_in(by=client(device_id="phone"))
    await desk.accounts.send_code(LI, CodePurpose.LOGIN, client())
    desk.clock.step(3 * DAY)
    await desk.db.write(forget_tries, desk.clock.now())
    left = [await desk.row(f"SELECT count(*) FROM {table}") for table in ("tallies", "email_codes", "known_devices")]
    desk.clock.step(87 * DAY)
    await desk.db.write(forget_tries, desk.clock.now())

    assert [row[0] for row in left] == [0, 0, 1]
    assert (await desk.row("SELECT count(*) FROM known_devices"))[0] == 0


async def test_what_is_no_address_gets_no_code(desk: Desk) -> None:
    with pytest.raises(EmailInvalid):
        await desk.accounts.send_code("li@example", CodePurpose.LOGIN, client())
