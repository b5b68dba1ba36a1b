"""Emoji videos: creating, following, listing and removing them, and the pipeline that makes them.

Only `apps.emoji.app` puts it together with the others.
Its page is docs/apps/emoji/README.md.
"""
