"""Memberships with an end date: which plan a user holds, and until when.

App services call its functions inside a unit of work; subscriptions and purchases grant, reads ask for the active one.
Its page is docs/kernel/entitlements.md.
"""

from hutong.kernel.entitlements.memberships import (
    Membership,
    extend_membership,
    find_active,
    grant_membership,
    revoke_membership,
    shorten_membership,
)

__all__ = [
    "Membership",
    "extend_membership",
    "find_active",
    "grant_membership",
    "revoke_membership",
    "shorten_membership",
]
