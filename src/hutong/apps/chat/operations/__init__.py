"""The probe.

Only `apps.chat.app` puts it together with the others.
Its page is docs/apps/chat/README.md.
"""
