"""The contract's own health page.

Only `apps.storefront.app` puts it together with the others.
Its page is docs/apps/storefront/README.md.
"""
