"""The emoji app: a photo of a face becomes a short personalised emoji video, paid with points.

`host` calls `create_app` and `create_work` of `app.py`; nothing else imports it.
Its page is docs/apps/emoji/README.md, its contract docs/apps/emoji/contract.md.
"""
