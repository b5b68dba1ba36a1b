"""Signing in by device and renewing a token.

Only `apps.emoji.app` puts it together with the others.
Its page is docs/apps/emoji/README.md.
"""
