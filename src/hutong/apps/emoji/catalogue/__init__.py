"""What the app shows before anybody signs up for anything: banners, templates, prices; live documents.

Only `apps.emoji.app` puts it together with the others.
Its page is docs/apps/emoji/README.md.
"""
