"""What can go wrong with who somebody is."""

from hutong.kit.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)


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


class AdministratorsOnly(Forbidden):
    """Only administrators may do this."""

    code = "identity.administrators_only"


class DeviceIdInvalid(InvalidInput):
    """A device id has 8 to 128 printable characters."""

    code = "identity.device_id_invalid"


class EmailInvalid(Unprocessable):
    """This is not an e-mail address that mail can be sent to."""

    code = "identity.email_invalid"


class NicknameInvalid(Unprocessable):
    """A nickname has 1 to 64 printable characters."""

    code = "identity.nickname_invalid"


class PasswordTooShort(Unprocessable):
    """A password has at least 8 characters."""

    code = "identity.password_too_short"


class PasswordTooLong(TooLarge):
    """A password has at most 256 bytes."""

    code = "identity.password_too_long"


class PasswordInvalid(Unprocessable):
    """A password holds no NUL character and no broken one."""

    code = "identity.password_invalid"


class PasswordCommon(Unprocessable):
    """This password is on lists of stolen passwords, or is the address; choose another."""

    code = "identity.password_common"


class PasswordsBusy(Unavailable):
    """Too many people are signing in at once; try again shortly."""

    code = "identity.passwords_busy"


class CredentialsWrong(Unauthenticated):
    """Address or password are wrong."""

    code = "identity.credentials_wrong"


class PasswordWrong(Forbidden):
    """The current password is wrong."""

    code = "identity.password_wrong"


class SignInLocked(TooManyRequests):
    """Too many failed sign-ins; wait for the time in Retry-After, or sign in with a code by mail."""

    code = "identity.sign_in_locked"


class CodeInvalid(Unprocessable):
    """This code is wrong."""

    code = "identity.code_invalid"


class CodeExpired(Unprocessable):
    """This code is too old; ask for a new one."""

    code = "identity.code_expired"


class CodeExhausted(Unprocessable):
    """Too many wrong codes; ask for a new one."""

    code = "identity.code_exhausted"


class CodeTooSoon(TooManyRequests):
    """A code was sent a moment ago; wait for the time in Retry-After."""

    code = "identity.code_too_soon"


class CodesUsedUp(TooManyRequests):
    """No more codes are sent today; wait for the time in Retry-After."""

    code = "identity.codes_used_up"


class RegistrationsUsedUp(TooManyRequests):
    """Too many accounts were opened from here today; wait for the time in Retry-After."""

    code = "identity.registrations_used_up"


class EmailTaken(Conflict):
    """There is an account with this address already."""

    code = "identity.email_taken"


class HashUnknown(InvalidInput):
    """This is no argon2id or bcrypt hash."""

    code = "identity.hash_unknown"


class ApiKeyInvalid(Unauthenticated):
    """This API key is not valid here: it was revoked, or is not one of ours; create another one."""

    code = "identity.api_key_invalid"


class ApiKeyMalformed(ApiKeyInvalid):
    """This is no API key as we make them; look whether it was mistyped or cut off."""

    code = "identity.api_key_malformed"


class ApiKeyExpired(ApiKeyInvalid):
    """This API key has expired; create another one."""

    code = "identity.api_key_expired"


class ApiKeysFull(Conflict):
    """You have as many API keys as are allowed; revoke one first."""

    code = "identity.api_keys_full"


class ApiKeyNameInvalid(Unprocessable):
    """The name of an API key has 1 to 64 printable characters."""

    code = "identity.api_key_name_invalid"


class ApiKeyExpiryInvalid(Unprocessable):
    """An API key must expire in the future, if at all."""

    code = "identity.api_key_expiry_invalid"
