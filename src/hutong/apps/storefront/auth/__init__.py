"""Opening accounts, signing in and out, renewing tokens, mail codes, passwords.

Only `apps.storefront.app` puts it together with the others.
Its page is docs/apps/storefront/README.md.
"""
