"""Credits: an append-only ledger with grants, spends and holds; integers only, never below zero.

App services call its functions inside a unit of work; the rows are private to this package.
Its page is docs/kernel/credits.md.
"""

from hutong.kernel.credits.accounts import balance_of, create_account, list_entries
from hutong.kernel.credits.errors import CreditsExhausted, HoldNotOpen, HoldUnknown
from hutong.kernel.credits.expiry import HoldResolvers, expire_holds
from hutong.kernel.credits.holds import hold, release, settle
from hutong.kernel.credits.invariants import INVARIANTS
from hutong.kernel.credits.ledger import grant, spend
from hutong.kernel.credits.tables import EntryKind
from hutong.kernel.credits.wallet import Wallet

__all__ = [
    "INVARIANTS",
    "CreditsExhausted",
    "EntryKind",
    "HoldNotOpen",
    "HoldResolvers",
    "HoldUnknown",
    "Wallet",
    "balance_of",
    "create_account",
    "expire_holds",
    "grant",
    "hold",
    "list_entries",
    "release",
    "settle",
    "spend",
]
