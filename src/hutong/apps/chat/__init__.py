"""The chat app: conversations with models over REST, server-sent events and WebSocket, within quotas.

`host` calls `create_app` and `create_work` of `app.py`; nothing else imports it.
Its page is docs/apps/chat/README.md, its contract docs/apps/chat/contract.md.
"""
