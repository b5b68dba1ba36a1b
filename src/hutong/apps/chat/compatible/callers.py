"""Who calls the compatible endpoint: the owner of an API key, or a user with the app's access token."""

from typing import NamedTuple

from starlette.types import Scope

from hutong.apps.chat.account.members import Member, Members
from hutong.kernel.http.limits import Limit, Limiter
from hutong.kernel.identity.bearer import bearer_token
from hutong.kernel.identity.errors import ApiKeyInvalid, TokenInvalid, UserUnknown
from hutong.kernel.identity.key_checks import ApiKeyChecks
from hutong.kernel.identity.sessions import Sessions


class Caller(NamedTuple):
    """Who is charged, and which key was shown; None: an access token."""

    member: Member
    key_id: int | None


class Callers:
    """Lets callers in.

    Args:
        keys: the realm's API keys.
        sessions: the realm's access tokens.
        members: who they are, and whether they may call.
        limiter, per_user: requests of one user.
    """

    def __init__(
        self, keys: ApiKeyChecks, sessions: Sessions, members: Members, limiter: Limiter, per_user: Limit
    ) -> None:
        self._keys, self._sessions, self._members = keys, sessions, members
        self._limiter, self._per_user = limiter, per_user

    async def admit(self, scope: Scope) -> Caller:
        """Who calls, counted against their limit, and active.

        Raises:
            Unauthenticated: one of its kinds.
            UserBlocked, LimitExceeded.
            StoreUnavailable: of access tokens, which nobody can check then.
        """
        token = bearer_token(scope)
        if self._keys.looks_like_key(token):
            key = await self._keys.verify(token, scope["state"]["address"])
            await self._limiter.hit(self._per_user, str(key.user_id))
            user_id, session_id, key_id = key.user_id, 0, key.id
        else:
            session = await self._sessions.admit(token, self._limiter, self._per_user)
            user_id, session_id, key_id = session.user_id, session.session_id, None
        scope["state"]["user_id"] = user_id
        try:
            return Caller(await self._members.get(user_id, session_id), key_id)
        except UserUnknown as error:
            raise (TokenInvalid if key_id is None else ApiKeyInvalid) from error
