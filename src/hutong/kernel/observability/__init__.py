"""Logs, metrics, the health registry, invariant checks and failpoints: how a running Hutong is watched and tried.

Every other part of Hutong may call it; it calls only `kit`.
Its page is docs/kernel/observability.md.
"""
