"""The storefront app: accounts, sessions and orders for a paid client application.

`host` calls `create_app` and `create_work` of `app.py`; nothing else imports it.
Its page is docs/apps/storefront/README.md, its contract docs/apps/storefront/contract.md.
"""
