"""WeChat: its payments (`pay`) so far.

Only `host` calls it; nothing of another vendor is imported. Its page is docs/providers/wechat-pay.md.
"""
