"""The caller's account: profile, quota, keys, deletion; and what administrators do with accounts.

Only `apps.chat.app` puts it together with the others.
Its page is docs/apps/chat/README.md.
"""
