"""Endpoints of messages: send, write again, edit, stop, and hear a reply as server-sent events.

What they do is `apps.chat.replies`; lists of messages belong to `apps.chat.conversations`.
Its page is docs/apps/chat-replies.md, the events' docs/apps/chat-protocol.md.
"""
