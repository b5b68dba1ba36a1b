"""Identity: users of a realm, their credentials, accounts and devices, and the signed tokens that prove who calls.

Apps call `Accounts` or `Identity` for sign-in and `TokenRealm` to issue and verify; rows are private to this package.
Its page is docs/kernel/identity.md.
"""

from hutong.kernel.identity.account_rows import Account
from hutong.kernel.identity.accounts import Accounts, AccountServices, Registration, SignedIn
from hutong.kernel.identity.api_keys import ApiKey, ApiKeys
from hutong.kernel.identity.errors import TokenExpired, TokenInvalid, TokenMissing, UserUnknown
from hutong.kernel.identity.key_checks import ApiKeyChecks
from hutong.kernel.identity.service import Identity, RealmPolicy
from hutong.kernel.identity.tables import CodePurpose, UserRole
from hutong.kernel.identity.tokens import Claims, TokenRealm
from hutong.kernel.identity.users import User

__all__ = [
    "Account",
    "AccountServices",
    "Accounts",
    "ApiKey",
    "ApiKeyChecks",
    "ApiKeys",
    "Claims",
    "CodePurpose",
    "Identity",
    "RealmPolicy",
    "Registration",
    "SignedIn",
    "TokenExpired",
    "TokenInvalid",
    "TokenMissing",
    "TokenRealm",
    "User",
    "UserRole",
    "UserUnknown",
]
