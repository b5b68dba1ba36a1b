"""What can go wrong with who somebody is."""

from hutong.kit.errors import Forbidden, InvalidInput, NotFound, Unauthenticated


class TokenMissing(Unauthenticated):
    """Send a token: Authorization: Bearer <token>."""

    code = "identity.token_missing"


class TokenInvalid(Unauthenticated):
    """This token is not valid here; sign in again."""

    code = "identity.token_invalid"


class TokenExpired(Unauthenticated):
    """Token expired"""

    code = "identity.token_expired"


class UserUnknown(NotFound):
    """There is no such user."""

    code = "identity.user_unknown"


class UserBlocked(Forbidden):
    """This account is blocked."""

    code = "identity.user_blocked"


class DeviceIdInvalid(InvalidInput):
    """A device id has 8 to 128 printable characters."""

    code = "identity.device_id_invalid"
