"""WeChat Pay, APIv3 (JSON) and v2 (XML): two implementations of `kernel.orders.PaymentChannel`, settings, and a sandbox.

Requests are signed and answers verified here, with keys that are pinned in the settings. Only `host/channels.py` and
`host/sandboxes.py` call it. Its page is docs/providers/wechat-pay.md.
"""
