"""Alipay as a payment channel: client of the port `kernel.orders.ports.PaymentChannel`, settings, and a sandbox.

Only `host/channels.py` and `host/sandboxes.py` call it. Its page is docs/providers/alipay.md.
"""
