"""Conversations and their messages: list, search, archive, export, import.

Only `apps.chat.app` puts it together with the others.
Its page is docs/apps/chat/README.md.
"""
