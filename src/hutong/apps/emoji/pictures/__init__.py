"""Photos: taking them in, and having them looked at before anything is charged.

Only `apps.emoji.app` puts it together with the others.
Its page is docs/apps/emoji/README.md.
"""
