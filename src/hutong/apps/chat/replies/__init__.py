"""Replies of models in conversations: opened in one transaction, generated apart from any connection, ended once.

`Replies` (service.py) starts, stops and follows them; the decisions are pure (rules.py), the sweep ends what a dead process left.
Its page is docs/apps/chat-replies.md.
"""
