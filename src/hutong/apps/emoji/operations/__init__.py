"""The contract's own health page.

Only `apps.emoji.app` puts it together with the others.
Its page is docs/apps/emoji/README.md.
"""
