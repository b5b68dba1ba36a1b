"""A stand-in for WeChat Pay that speaks the wire of APIv3 and v2, verifies every signature and sends notices by HTTP.

Only `host` mounts it (at `/sandbox/wechatpay`), in development, tests and the demo. Its page is docs/providers/wechat-pay.md.
"""
