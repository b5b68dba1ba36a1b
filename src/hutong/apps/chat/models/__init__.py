"""The models that a caller may use.

Only `apps.chat.app` puts it together with the others.
Its page is docs/apps/chat/README.md.
"""
