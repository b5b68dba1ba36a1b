"""The audit trail: who did what, from where. Append-only, in SQL.

Kernel packages and apps call `record` inside the transaction of what happened.
Its page is docs/kernel/audit.md.
"""

from hutong.kernel.audit.trail import AuditEvent, find_first, list_events, record

__all__ = ["AuditEvent", "find_first", "list_events", "record"]
