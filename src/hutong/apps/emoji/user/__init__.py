"""The caller's own profile.

Only `apps.emoji.app` puts it together with the others.
Its page is docs/apps/emoji/README.md.
"""
