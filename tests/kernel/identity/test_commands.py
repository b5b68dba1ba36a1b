"""`hutong users …`: operators open accounts, find them, and keep people out."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hutong.kernel.identity.errors import UserBlocked
from support.accounts import GOOD, desk_at

Run = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def hutong(tmp_path: Path, database_url: str, store_url: str) -> Run:
    """Runs a command on this test's database and store."""
    own = {"HUTONG_DATA": str(tmp_path / "data"), "HUTONG_DATABASE_URL": database_url, "HUTONG_STORE_URL": store_url}

    def run(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hutong", "users", *words]
        return subprocess.run(
            command, input=typed, env={**os.environ, **own}, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return run


async def test_an_administrator_is_made_found_and_blocked(
    hutong: Run, tmp_path: Path, database_url: str, store_url: str
) -> None:
    made = hutong(
        "create", "Admin@example.com", "--app", "storefront", "--admin", "--password-stdin", typed=f"{GOOD}\n"
    )
    listed = hutong("list", "--app", "storefront")
    user_id = listed.stdout.split()[0]
    async with desk_at(tmp_path / "data", database_url, store_url) as desk:
        signed_in = await desk.sign_in("admin@example.com")
    blocked = hutong("block", user_id, "--app", "storefront")
    shown = hutong("show", user_id, "--app", "storefront")

    assert (made.returncode, made.stdout.split()[1:]) == (0, [f"{user_id},", "admin", "of", "storefront."])
    assert f"{user_id}  admin@example.com" in listed.stdout
    assert str(signed_in.user.id) == user_id
    assert blocked.stdout == f"User {user_id} is blocked.\n"
    assert "admin  blocked  1 sign-ins" in shown.stdout
    async with desk_at(tmp_path / "data", database_url, store_url) as desk:
        with pytest.raises(UserBlocked):
            await desk.sign_in("admin@example.com")
        assert (await desk.events(signed_in.user.id))[-1] == "account.blocked"


def test_what_cannot_be_created_is_one_line(hutong: Run) -> None:
    """A password that is refused is not echoed; users of emoji have no address."""
    common = hutong("create", "li@example.com", "--app", "storefront", "--password-stdin", typed="password1\n")
    device = hutong("create", "li@example.com", "--app", "emoji", "--no-password")
    hashed = hutong("create", "li@example.com", "--app", "storefront", "--hash", "secret-hash")

    assert (common.returncode, device.returncode, hashed.returncode) == (1, 2, 1)
    assert "identity.password_common" in common.stderr
    assert "sign in by device" in device.stderr
    assert "identity.hash_unknown" in hashed.stderr
    assert "password1" not in common.stderr + common.stdout
    assert "secret-hash" not in hashed.stderr + hashed.stdout
