"""Opening an account: what is taken, what is refused, and that a known address is answered like a new one."""

import asyncio
from typing import Any

import pytest

from hutong.kernel.identity import CodePurpose, Registration, UserRole
from hutong.kernel.identity.errors import (
    CodeInvalid,
    CredentialsWrong,
    EmailInvalid,
    EmailTaken,
    HashUnknown,
    NicknameInvalid,
    PasswordCommon,
    PasswordInvalid,
    PasswordTooLong,
    PasswordTooShort,
    RegistrationsUsedUp,
)
from hutong.kit.errors import HutongError
from support.accounts import GOOD, OTHER, Desk, client

LI = "li@example.com"
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def register(desk: Desk, email: str = LI, password: str = GOOD, **more: Any) -> type[HutongError] | None:
    """Register; how it was refused."""
    try:
        await desk.accounts.register(Registration(email, password, **more), client())
    except HutongError as error:
        return type(error)
    return None


async def test_a_new_account_has_nothing_that_was_not_asked_for(desk: Desk) -> None:
    """N19: an ordinary user who never signed in, with the nickname that was given."""
    await desk.accounts.register(Registration(LI, GOOD, " Li 小明 "), client(language="zh-CN"))
    account = (await desk.sign_in()).user

    assert (account.nickname, account.role, account.login_count, account.language) == (
        "Li 小明",
        UserRole.USER,
        1,
        None,
    )
    assert (account.locked_until, account.email_confirmed_at) == (None, None)
    assert [letter.language for letter in await desk.letters(LI)] == ["zh-CN"]
    assert desk.welcomed == [account.id]


async def test_a_known_address_is_answered_like_a_new_one(desk: Desk) -> None:
    """N03: only the mail tells, and nothing is changed; a hash is made either way."""
    await desk.open(LI)
    again = await register(desk, "LI@example.com", OTHER)

    assert again is None
    assert await desk.mails(LI) == ["account.welcome", "account.exists"]
    assert (await desk.sign_in(password=GOOD)).user.login_count == 1
    with pytest.raises(CredentialsWrong):
        await desk.sign_in(password=OTHER)


async def test_of_many_registrations_at_once_one_makes_the_account(desk: Desk) -> None:
    """On every database; the others are mails to its owner, five a day in all."""
    outcomes = await asyncio.gather(*(register(desk) for _ in range(8)))

    assert outcomes == [None] * 8
    assert len(desk.welcomed) == 1
    assert await desk.mails(LI) == ["account.welcome", *["account.exists"] * 4]


async def test_a_code_where_the_settings_ask_for_one(open_desk: Any) -> None:
    desk: Desk = await open_desk(register_needs_code=True)
    refusals = [await register(desk), await register(desk, code="123456")]
    code = await desk.code(LI, CodePurpose.REGISTER)
    taken = await register(desk, code=code)
    again = await register(desk, code=code)

    assert (refusals, taken, again) == ([CodeInvalid] * 2, None, CodeInvalid)
    assert (await desk.sign_in()).user.email_confirmed_at == desk.clock.now()


async def test_a_known_address_needs_a_code_like_a_new_one(open_desk: Any) -> None:
    desk: Desk = await open_desk(register_needs_code=True)
    await desk.accounts.create(LI, password=GOOD)
    refusal = await register(desk, password=OTHER)
    answer = await register(desk, password=OTHER, code=await desk.code(LI, CodePurpose.REGISTER))

    assert (refusal, answer) == (CodeInvalid, None)
    assert await desk.mails(LI) == ["account.code", "account.exists"]
    assert (await desk.sign_in()).user.login_count == 1


async def test_one_ip_address_opens_so_many_accounts_a_day(open_desk: Any) -> None:
    desk: Desk = await open_desk(registrations_per_ip_day=2)
    outcomes = [await register(desk, f"li{number}@example.com") for number in range(3)]

    assert outcomes == [None, None, RegistrationsUsedUp]


@SQLITE
async def test_what_cannot_be_registered(desk: Desk) -> None:
    """N09, N10: refused before anything is hashed or written."""
    wrong = {
        EmailInvalid: [("li@example", GOOD), ("", GOOD), ("li@example.com.", GOOD)],
        PasswordTooShort: [(LI, "seven77"), (LI, "")],
        PasswordTooLong: [(LI, "x1 " * 86), (LI, "x" * 1_000_000), (LI, "é" * 129)],
        PasswordInvalid: [(LI, "nul \0 inside"), (LI, "half a pair \ud83d")],
        PasswordCommon: [
            (LI, "password1"),
            (LI, "PassWord1"),
            (LI, "LI@example.com"),
            (LI, "Example.Com"),
            (LI, "--------"),
        ],
    }
    for error, cases in wrong.items():
        assert [await register(desk, *case) for case in cases] == [error] * len(cases)
    assert [await register(desk, nickname=name) for name in ("", " ", "x" * 65, "a\nb", "\u202e")] == [
        NicknameInvalid
    ] * 5
    assert (await desk.row("SELECT count(*) FROM users"))[0] == 0


@SQLITE
@pytest.mark.parametrize(
    "password",
    [
        "eight 8c",
        "x1 " * 21 + "x",
        "73 bytes: " + "y" * 63,
        "128: " + "z" * 123,
        "🏮🐉🀄🍜🎋🥢🏯🎐",
        " leading and trailing ",
        "ünïcödé – 密码",
    ],
)
async def test_passwords_are_taken_exactly_as_typed(desk: Desk, password: str) -> None:
    """N09: with their blanks, whatever their length; neither a prefix nor another spelling signs in."""
    assert await register(desk, password=password) is None
    others = {password[:-1], password.strip(), password + " ", password.upper(), password[:72]} - {password}
    for other in list(others)[:4]:
        with pytest.raises(CredentialsWrong):
            await desk.sign_in(password=other)
    assert (await desk.sign_in(password=password)).user.login_count == 1


# Operators


@SQLITE
async def test_an_operator_opens_accounts(desk: Desk) -> None:
    admin = await desk.accounts.create("Admin@example.com", password=GOOD, role=UserRole.ADMIN)
    with pytest.raises(EmailTaken):
        await desk.accounts.create("admin@example.com")
    for hashed in (
        "",
        "secret",
        "$2b$12$short",
        "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHQ",
        "$2b$31$" + "a" * 53,
    ):
        with pytest.raises(HashUnknown):
            await desk.accounts.create(LI, hashed=hashed)

    assert (await desk.sign_in("admin@example.com")).user.role is UserRole.ADMIN
    assert await desk.mails("admin@example.com") == []
    assert desk.welcomed == [admin.id]


@SQLITE
async def test_names_and_languages_are_the_users(desk: Desk) -> None:
    user_id = await desk.open()
    await desk.accounts.rename(user_id, "Wu")
    await desk.accounts.set_language(user_id, "zh-CN")
    account = await desk.accounts.get(user_id)
    await register(desk)

    assert (account.nickname, account.language) == ("Wu", "zh-CN")
    assert [letter.language for letter in await desk.letters(LI)] == ["en", "zh-CN"]
    await desk.accounts.set_language(user_id, None)
    assert (await desk.accounts.get(user_id)).language is None
