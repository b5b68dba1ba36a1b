"""Identity: users of a realm, their credentials, and the signed tokens that prove who calls.

Apps call `Identity` for sign-in and `TokenRealm` to issue and verify; rows are private to this package.
Its page is docs/kernel/identity.md.
"""

from hutong.kernel.identity.errors import TokenExpired, TokenInvalid, TokenMissing, UserUnknown
from hutong.kernel.identity.service import Identity, RealmPolicy
from hutong.kernel.identity.tokens import Claims, TokenRealm
from hutong.kernel.identity.users import User

__all__ = [
    "Claims",
    "Identity",
    "RealmPolicy",
    "TokenExpired",
    "TokenInvalid",
    "TokenMissing",
    "TokenRealm",
    "User",
    "UserUnknown",
]
