"""Quotas: requests and tokens of a user in a UTC day and month, reserved before work begins and settled with its true use.

App services call `Quotas` inside a unit of work, or `QuickQuotas` for a transaction of its own; rows are private to this package.
Its page is docs/kernel/quotas.md.
"""

from hutong.kernel.quotas.errors import QuotaExhausted
from hutong.kernel.quotas.limits import COUNTERS, CounterName, CounterUse, Limits, QuotaUse

__all__ = ["COUNTERS", "CounterName", "CounterUse", "Limits", "QuotaExhausted", "QuotaUse"]
