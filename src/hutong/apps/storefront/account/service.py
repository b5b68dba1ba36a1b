"""The caller's profile, ready to be sent, with a copy in the store so that a call need not ask SQL."""

from typing import cast

from hutong.apps.storefront.account.schemas import UserView
from hutong.apps.storefront.envelope import wrapped
from hutong.kernel.http.languages import Language
from hutong.kernel.identity.account_rows import Account
from hutong.kernel.identity.accounts import Accounts
from hutong.kernel.store import Copies
from hutong.kit.clock import iso_z

NO_CHOICE = "-"
"""Stands before the body of a user who chose no language."""


class Profiles:
    """Profiles of this app's users, as bodies of `GET /me`.

    Args:
        accounts: the truth.
        copies: of this kind.
    """

    def __init__(self, accounts: Accounts, copies: Copies) -> None:
        self._accounts, self.copies = accounts, copies

    async def get(self, user_id: int, copy: bytes | None = None) -> tuple[Language | None, bytes]:
        """The language that the user chose, and the body.

        Args:
            user_id: whose it is.
            copy: what the store has of it, read just now.

        Raises:
            UserUnknown.
        """
        if copy is None:
            account = await self._accounts.get(user_id)
            copy = f"{account.language or NO_CHOICE} ".encode() + wrapped(view(account))
            await self.copies.keep(user_id, copy)
        chosen, _, body = copy.partition(b" ")
        word = chosen.decode()
        return (None if word == NO_CHOICE else cast(Language, word)), body

    async def forget(self, user_id: int) -> None:
        """Drop the copy after something in the profile changed."""
        await self.copies.forget(user_id)


def view(account: Account) -> UserView:
    """The user as they may see themselves."""
    return UserView(
        id=str(account.id),
        email=account.email,
        nickname=account.nickname,
        language=account.language,
        login_count=account.login_count,
        last_login_at=iso_z(account.last_login_at) if account.last_login_at else None,
        created_at=iso_z(account.created_at),
    )
