"""What can go wrong with who somebody is."""

from hutong.kit.errors import Forbidden, InvalidInput, NotFound, TooManyRequests, Unauthenticated


class TokenMissing(Unauthenticated):
    """Send a token: Authorization: Bearer <token>."""

    code = "identity.token_missing"


class TokenInvalid(Unauthenticated):
    """This token is not valid here; sign in again."""

    code = "identity.token_invalid"


class TokenExpired(Unauthenticated):
    """Token expired"""

    code = "identity.token_expired"


class TokenRevoked(Unauthenticated):
    """This session has ended; sign in again."""

    code = "identity.token_revoked"


class TokenWrongKind(TokenInvalid):
    """This token is for something else: calls take the access token, renewal the refresh token."""

    code = "identity.token_wrong_kind"


class RefreshReused(TokenRevoked):
    """This refresh token was used before, so its session has ended; sign in again."""

    code = "identity.refresh_reused"


class RefreshBusy(TooManyRequests):
    """This refresh token is being used elsewhere; try again after the time in Retry-After."""

    code = "identity.refresh_busy"


class SessionUnknown(NotFound):
    """There is no such session."""

    code = "identity.session_unknown"


class UserUnknown(NotFound):
    """There is no such user."""

    code = "identity.user_unknown"


class UserBlocked(Forbidden):
    """This account is blocked."""

    code = "identity.user_blocked"


class DeviceIdInvalid(InvalidInput):
    """A device id has 8 to 128 printable characters."""

    code = "identity.device_id_invalid"
