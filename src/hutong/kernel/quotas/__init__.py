"""Quotas: requests and tokens of a user in a UTC day and month, reserved before work begins and settled with its true use.

App services call `Quotas` inside a unit of work, or `QuickQuotas` for a transaction of its own; rows are private to this package.
Its page is docs/kernel/quotas.md.
"""

from hutong.kernel.quotas.errors import QuotaExhausted
from hutong.kernel.quotas.invariants import INVARIANTS
from hutong.kernel.quotas.limits import COUNTERS, CounterName, CounterUse, Limits, QuotaUse
from hutong.kernel.quotas.quick import QuickQuotas
from hutong.kernel.quotas.service import ExpiredReservation, Quotas, forget_closed

__all__ = [
    "COUNTERS",
    "INVARIANTS",
    "CounterName",
    "CounterUse",
    "ExpiredReservation",
    "Limits",
    "QuickQuotas",
    "QuotaExhausted",
    "QuotaUse",
    "Quotas",
    "forget_closed",
]
